#!/usr/bin/env python3
"""Make the two judges of notes, pitch and instrument family, from free soundfonts: render, train, measure, write ONNX.

    apt-get install fluid-soundfont-gm timgm6mb-soundfont csound-soundfont
    pip install 'halfstep[train]' && pip install --no-deps tinysoundfont==0.3.7
    OMP_NUM_THREADS=1 nice python scripts/train_judges.py src/halfstep/metrics/judges

Learns from FluidR3_GM and TimGM6mb (LEARNED), is tested on soundfonts it never saw (UNSEEN). Writes pitch.onnx,
instrument.onnx and notes.json: classes, accuracy, confusion matrices, seconds. The same seed gives the same networks on one machine.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from labelled_notes import FAMILIES, PITCHES, Note, notes, recorded
from torch import Tensor, nn

from halfstep.atomic import replacing, write_json
from halfstep.metrics.judges.notes import MELS, heard

LEARNED = ("/usr/share/sounds/sf2/FluidR3_GM.sf2", "/usr/share/sounds/sf2/TimGM6mb.sf2")
UNSEEN = ("/usr/share/sounds/sf2/sf_GMbank.sf2",)
VELOCITIES = (50, 90, 120)
DETUNE_SEMITONES = 0.25
FAMILY_OF = {program: name for name, programs in FAMILIES.items() for program in programs}
CLASSES = {"pitch": tuple(str(p) for p in PITCHES), "instrument": tuple(FAMILIES)}
LABEL: dict[str, Callable[[Note], int]] = {
    "pitch": lambda note: note.pitch - PITCHES[0],
    "instrument": lambda note: CLASSES["instrument"].index(FAMILY_OF[note.program]),
}


class Inception(nn.Module):
    """Four views of the same place, side by side: point, square, along frequency, along time (Szegedy et al. 2015)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        quarter = out // 4
        self.point = nn.Conv2d(channels, quarter, 1)
        self.reduced = nn.Conv2d(channels, quarter, 1)
        self.square = nn.Conv2d(quarter, quarter, 3, padding=1)
        self.tall = nn.Conv2d(quarter, quarter, (9, 1), padding=(4, 0))
        self.long = nn.Conv2d(quarter, quarter, (1, 5), padding=(0, 2))
        self.norm = nn.BatchNorm2d(4 * quarter)

    def forward(self, x: Tensor) -> Tensor:
        reduced = torch.relu(self.reduced(x))
        views = [self.point(x), self.square(reduced), self.tall(reduced), self.long(reduced)]
        return torch.relu(self.norm(torch.cat(views, 1)))


class Judge(nn.Module):
    """mel [B, n_mels, frames] -> logits [B, classes]. Frequency is kept to the end: where a sound lies is what is asked."""

    def __init__(self, n_mels: int, classes: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width // 2, (5, 3), stride=(2, 1), padding=(2, 1)), nn.BatchNorm2d(width // 2), nn.ReLU(),
            Inception(width // 2, width), nn.MaxPool2d(2),
            Inception(width, width), nn.MaxPool2d(2),
            Inception(width, 2 * width), nn.MaxPool2d((2, 1)),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * width * (n_mels // 16), classes))

    def forward(self, mel: Tensor) -> Tensor:
        return self.head(self.body(mel[:, None] * 2 - 1).mean(3).flatten(1))


@dataclass(frozen=True, eq=False)
class Notes:
    """What one judge sees of a set of notes, and what it should say: float16 [n, n_mels, frames], [n], programs [n]."""

    seen: np.ndarray
    labels: np.ndarray
    programs: np.ndarray


def rendered(soundfonts: tuple[str, ...], copies: int, seed: int) -> dict[str, Notes]:
    """Every note of the soundfonts, `copies` times as it may sound in a recording, for both judges."""
    found: list[Note] = []
    for index, soundfont in enumerate(soundfonts):
        found += notes(Path(soundfont), VELOCITIES, np.random.default_rng([seed, index]), DETUNE_SEMITONES)
    seen: dict[str, list[np.ndarray]] = {name: [] for name in MELS}
    for copy in range(copies):
        for number, note in enumerate(found):
            rng = np.random.default_rng([seed, copy, number])
            other = found[int(rng.integers(len(found)))]
            samples = recorded(note.samples, other.samples, rng)
            for name, mel in MELS.items():
                seen[name].append(heard(samples, mel).astype(np.float16))
    programs = np.array([note.program for note in found] * copies)
    return {
        name: Notes(np.stack(seen[name]), np.array([LABEL[name](note) for note in found] * copies), programs)
        for name in MELS
    }


def trained(name: str, learned: Notes, epochs: int, width: int, seed: int = 0) -> Judge:
    """One pass over the notes an epoch, the learning rate annealed to nothing."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    judge = Judge(learned.seen.shape[1], len(CLASSES[name]), width).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05)
    batch = 64
    steps = epochs * (len(learned.labels) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    began, step, running = time.process_time(), 0, 0.0
    weights = balance(learned.labels)
    for epoch in range(epochs):
        for places in rng.permutation(len(learned.labels))[: steps // epochs * batch].reshape(-1, batch):
            seen = torch.from_numpy(tilted(learned.seen[places].astype(np.float32), rng))
            loss = nn.functional.cross_entropy(
                judge(seen), torch.from_numpy(learned.labels[places]), weight=weights, label_smoothing=0.05
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            running += (float(loss.detach()) - running) / min(step, 100)
        print(f"{name} epoch {epoch + 1}/{epochs}: loss {running:.3f}, {time.process_time() - began:.0f} s", flush=True)
    return judge.eval()


def balance(labels: np.ndarray) -> Tensor:
    """Weights by which every class counts alike, mean 1."""
    counts = np.bincount(labels).astype(np.float32)
    return torch.from_numpy(counts.mean() / np.maximum(counts, 1))


def tilted(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another loudspeaker at every look: a smooth curve over the bands, up to some 15 dB, and the loudest at 1 again."""
    bands = np.linspace(0, 1, seen.shape[1], dtype=np.float32)
    wave = rng.uniform(-0.1, 0.1, (len(seen), 3, 1)) * np.cos(np.pi * np.arange(1, 4)[:, None] * bands)
    curve = wave.sum(1).astype(np.float32)[:, :, None]
    lifted = np.where(seen > 0, seen + curve, 0)
    return np.clip(lifted - lifted.max((1, 2), keepdims=True) + 1, 0, 1)


@torch.no_grad()
def answers(judge: Judge, asked: Notes) -> np.ndarray:
    """The most likely class of each note."""
    parts = [judge(torch.from_numpy(asked.seen[at : at + 256].astype(np.float32))) for at in range(0, len(asked.seen), 256)]
    return torch.cat(parts).argmax(1).numpy()


def card(name: str, said: np.ndarray, asked: Notes) -> dict[str, object]:
    """Accuracy over all, by program and by class, and the confusion matrix (rows: what it is, columns: what was said)."""
    size = len(CLASSES[name])
    confusion = np.zeros((size, size), int)
    np.add.at(confusion, (asked.labels, said), 1)
    right = said == asked.labels
    by_program = {str(p): round(float(right[asked.programs == p].mean()), 4) for p in np.unique(asked.programs)}
    facts: dict[str, object] = {
        "notes": len(said), "accuracy": round(float(right.mean()), 4), "by_program": by_program,
        "mean_of_classes": round(float(np.mean([c[k] / c.sum() for k, c in enumerate(confusion) if c.sum()])), 4),
        "confusion": confusion.tolist(),
    }  # fmt: skip
    if name == "pitch":
        off = said - asked.labels
        facts["octave_errors"] = round(float(((off % 12 == 0) & (off != 0)).mean()), 4)
        facts["within_a_semitone"] = round(float((np.abs(off) <= 1).mean()), 4)
    return facts


def save(judge: Judge, name: str, path: Path) -> None:
    """As ONNX in inference mode, float32; batch norm is folded into the convolutions by the exporter."""
    from halfstep.export import STORED  # float16 weights, cast up when loaded

    mel = MELS[name]
    example = torch.zeros(2, mel.n_mels, -(-16000 // mel.hop_length))
    with replacing(path) as partial:
        torch.onnx.export(
            judge, (example,), str(partial), dynamo=False, opset_version=18, input_names=["mel"],
            output_names=["logits"], dynamic_axes={"mel": {0: "batch"}, "logits": {0: "batch"}},
        )  # fmt: skip
        model = onnx.load_model(str(partial))
        STORED["fp16"](model)
        onnx.checker.check_model(model, full_check=True)
        onnx.save_model(model, str(partial))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--learned", nargs="+", default=LEARNED)
    parser.add_argument("--unseen", nargs="+", default=UNSEEN)
    parser.add_argument("--copies", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--width", type=int, default=48)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    learned = rendered(tuple(asked.learned), asked.copies, seed=0)
    unseen = {Path(font).stem: rendered((font,), 1, seed=1) for font in asked.unseen}
    print(f"rendered {len(learned['pitch'].labels)} notes in {time.process_time() - began:.0f} s", flush=True)
    cards: dict[str, object] = {}
    for name in MELS:
        judge = trained(name, learned[name], asked.epochs, asked.width)
        found = {font: card(name, answers(judge, sets[name]), sets[name]) for font, sets in unseen.items()}
        for font, facts in found.items():
            print(name, font, {k: v for k, v in facts.items() if k != "confusion"}, flush=True)
        cards[name] = {
            "classes": CLASSES[name], "learned_from": [Path(font).stem for font in asked.learned], "unseen": found,
            "parameters": sum(p.numel() for p in judge.parameters()),
        }  # fmt: skip
        save(judge, name, asked.out / f"{name}.onnx")
    cards["processor_seconds"] = round(time.process_time() - began)
    write_json(asked.out / "notes.json", cards)


if __name__ == "__main__":
    main()
