#!/usr/bin/env python3
"""Make the two judges of notes, pitch and instrument family, from free soundfonts: render, train, measure, write ONNX.

    apt-get install fluid-soundfont-gm timgm6mb-soundfont musescore-general-soundfont csound-soundfont
    pip install 'halfstep[train]' && pip install --no-deps tinysoundfont==0.3.7
    OMP_NUM_THREADS=1 nice python scripts/train_judges.py src/halfstep/metrics/judges

Learns from the soundfonts LEARNED; is tested on others (UNSEEN), on notes as rendered and as they may sound in a
recording. Writes pitch.onnx, instrument.onnx and notes.json: classes, accuracy, confusion. Twenty minutes on
one thread. The same seed gives the same networks on one machine.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from labelled_notes import FAMILIES, OCTAVES_AT_ONCE, PITCHES, Note, as_rendered, notes, recorded
from torch import Tensor, nn

from halfstep.atomic import replacing, write_json
from halfstep.metrics.judges.notes import MELS, heard

SOUNDS = Path("/usr/share/sounds")
LEARNED = (SOUNDS / "sf2/FluidR3_GM.sf2", SOUNDS / "sf3/MuseScore_General_Full.sf3")
UNSEEN = (SOUNDS / "sf2/TimGM6mb.sf2", SOUNDS / "sf2/sf_GMbank.sf2")
"""Of another lineage: none of 300 random stretches of 12 samples of either occurs in FluidR3_GM, from which
MuseScore_General comes in part. A third of sf_GMbank is in TimGM6mb too, so neither could be the test of the other."""
COPIES = {"pitch": 2, "instrument": 1}
"""How often each note is rendered to learn from, each time otherwise."""
STRETCH_SEMITONES = 2
VELOCITIES = (50, 90, 120)
UNSEEN_VELOCITIES = (90,)
EPOCHS = {"pitch": 3, "instrument": 4}
WIDTHS = {"pitch": 48, "instrument": 48}
STRIDES = {"pitch": (2, 1), "instrument": (2, 2)}
"""Of the first convolution, over bands and frames: the instrument judge has twice the frames."""
PRECISIONS = {"pitch": torch.float32, "instrument": torch.bfloat16}
"""Of the arithmetic in training."""
BATCH = 64
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
    """mel [B, n_mels, frames] -> logits [B, classes]. Frequency is kept to the end: where it lies is what is asked."""

    def __init__(self, n_mels: int, classes: int, width: int, stride: tuple[int, int] = (2, 1)) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width // 2, (5, 3), stride=stride, padding=(2, 1)), nn.BatchNorm2d(width // 2), nn.ReLU(),
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


def rendered(soundfonts: Sequence[Path], velocities: tuple[int, ...], seed: int, stretch: int) -> list[Note]:
    """Every note of the soundfonts."""
    drawn = [np.random.default_rng([seed, index]) for index in range(len(soundfonts))]
    found = [notes(path, velocities, rng, stretch) for path, rng in zip(soundfonts, drawn, strict=True)]
    return [note for one in found for note in one]


def in_recordings(found: list[Note], seed: int) -> list[np.ndarray]:
    """Each note once as it may sound in a recording, each with its own seed."""
    drawn = [np.random.default_rng([seed, number]) for number in range(len(found))]
    return [
        recorded(n.samples, found[int(rng.integers(len(found)))].samples, rng)
        for n, rng in zip(found, drawn, strict=True)
    ]


def shown(name: str, found: list[Note], seconds: list[np.ndarray]) -> Notes:
    """What the judge `name` sees of these notes, [SAMPLES] each; without those that it has no answer for."""
    kept = [k for k, note in enumerate(found) if name != "pitch" or note.program not in OCTAVES_AT_ONCE]
    return Notes(
        np.stack([heard(seconds[k], MELS[name]).astype(np.float16) for k in kept]),
        np.array([LABEL[name](found[k]) for k in kept]), np.array([found[k].program for k in kept]),
    )  # fmt: skip


def trained(name: str, learned: Notes, seed: int = 0) -> Judge:
    """One pass over the notes an epoch, the learning rate annealed to nothing."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    judge = Judge(learned.seen.shape[1], len(CLASSES[name]), WIDTHS[name], STRIDES[name])
    judge = judge.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05)
    epochs, whole = EPOCHS[name], len(learned.labels) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=epochs * whole)
    began, step, running = time.process_time(), 0, 0.0
    weights = balance(learned.labels)
    for epoch in range(epochs):
        for places in rng.permutation(len(learned.labels))[: whole * BATCH].reshape(-1, BATCH):
            seen = torch.from_numpy(tilted(learned.seen[places].astype(np.float32), rng))
            labels = torch.from_numpy(learned.labels[places])
            with torch.autocast("cpu", PRECISIONS[name], enabled=PRECISIONS[name] != torch.float32):
                logits = judge(seen)
            loss = nn.functional.cross_entropy(logits.float(), labels, weight=weights, label_smoothing=0.05)
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
    """Another loudspeaker at every look: a smooth curve over the bands, up to 15 dB, and the loudest at 1 again."""
    bands = np.linspace(0, 1, seen.shape[1], dtype=np.float32)
    wave = rng.uniform(-0.1, 0.1, (len(seen), 3, 1)) * np.cos(np.pi * np.arange(1, 4)[:, None] * bands)
    curve = wave.sum(1).astype(np.float32)[:, :, None]
    lifted = np.where(seen > 0, seen + curve, 0)
    return np.clip(lifted - lifted.max((1, 2), keepdims=True) + 1, 0, 1)


def answers(path: Path, asked: Notes) -> np.ndarray:
    """The most likely class of each note, by the network as it is shipped."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    parts = []
    for at in range(0, len(asked.seen), 256):
        (logits,) = session.run(None, {"mel": asked.seen[at : at + 256].astype(np.float32)})
        parts.append(np.asarray(logits).argmax(1))
    return np.concatenate(parts)


def card(name: str, said: np.ndarray, asked: Notes) -> dict[str, object]:
    """Accuracy over all, by program and by class, and the confusion matrix (rows: what it is)."""
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


def tested(path: Path, name: str, unseen: dict[str, list[Note]]) -> dict[str, dict[str, object]]:
    """The cards of the network at `path`, on every soundfont, as rendered and as in recordings."""
    found = {}
    for font, its in unseen.items():
        plain = [as_rendered(note.samples) for note in its]
        for kind, seconds in (("as rendered", plain), ("as in recordings", in_recordings(its, seed=100))):
            asked = shown(name, its, seconds)
            found[f"{font}, {kind}"] = card(name, answers(path, asked), asked)
            short = {key: value for key, value in found[f"{font}, {kind}"].items() if key != "confusion"}
            print(name, font, kind, short, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=MELS, help="train this one; the other is measured as it lies in OUT")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    copies = range(max(COPIES[name] for name in MELS if asked.only in (None, name)))
    rounds = [rendered(LEARNED, VELOCITIES, copy, STRETCH_SEMITONES) for copy in copies]
    in_rooms = [in_recordings(found, seed=copy) for copy, found in enumerate(rounds)]
    unseen = {path.name: rendered([path], UNSEEN_VELOCITIES, 100, stretch=0) for path in UNSEEN}
    print(f"{sum(map(len, rounds))} notes to learn from, {time.process_time():.0f} s", flush=True)
    cards: dict[str, object] = {}
    for name in MELS:
        path = asked.out / f"{name}.onnx"
        if asked.only in (None, name):
            learned, seconds = ([one for found in its[: COPIES[name]] for one in found] for its in (rounds, in_rooms))
            save(trained(name, shown(name, learned, seconds)), name, path)
        cards[name] = {
            "classes": CLASSES[name], "learned_from": [font.name for font in LEARNED],
            "notes_learned": COPIES[name] * len(rounds[0]),
            "tests": tested(path, name, unseen),
        }  # fmt: skip
    write_json(asked.out / "notes.json", cards)
    print(f"{time.process_time():.0f} processor seconds", flush=True)


if __name__ == "__main__":
    main()
