#!/usr/bin/env python3
"""Make the two judges of notes, pitch and instrument family, from free soundfonts: render, train, measure, write ONNX.

    apt-get install fluid-soundfont-gm timgm6mb-soundfont musescore-general-soundfont csound-soundfont \\
        minuet-data freepats denemo-data
    pip install 'halfstep[train]' && pip install --no-deps tinysoundfont==0.3.7
    OMP_NUM_THREADS=1 nice python recipes/judges/train_judges.py src/halfstep/metrics/judges

Learns from the soundfonts of its recipe; is tested on UNSEEN, on notes as rendered and as they may sound in a
recording. Writes pitch.onnx, instrument.onnx and notes.json: classes, accuracy, confusion. Twenty-five minutes on
one thread. The same seed gives the same networks on one machine.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from labelled_notes import FAMILIES, OCTAVES_AT_ONCE, PITCHED, PITCHES, SAMPLES, Note, as_rendered, notes, recorded
from shared_samples import by_sound
from torch import Tensor, nn

from halfstep.atomic import write_json
from halfstep.bundle.session import onnx_session
from halfstep.export.onnx_writing import write_onnx
from halfstep.metrics.judges.notes import MELS, levels_of

SHARE = Path("/usr/share")
FLUID, MUSESCORE = SHARE / "sounds/sf2/FluidR3_GM.sf2", SHARE / "sounds/sf3/MuseScore_General_Full.sf3"
GENERAL_USER = SHARE / "minuet/soundfonts/GeneralUser-v1.47.sf2"
FREEPATS = SHARE / "midi/freepats/Tone_000"
A320U = SHARE / "sounds/sf2/A320U.sf2"
UNSEEN = (SHARE / "sounds/sf2/TimGM6mb.sf2", SHARE / "sounds/sf2/sf_GMbank.sf2")
"""Of other lineages. The judges were never trained on them, nor, but for what is said here, on samples they share."""
SHARED = {GENERAL_USER: (34, 79), A320U: (5, 8, 9, 10, 16, 19, 35)}
"""Programs not learned from: they play samples that TimGM6mb has too, byte by byte (`shared_samples.py`). FluidR3_GM,
from which MuseScore_General comes in part, has none, nor has FreePats. sf_GMbank is TimGM6mb's near relation."""
ALIKE = 0.9
"""Correlation of two beginnings from which on they may be one recording, resampled. A third of the programs of TimGM6mb
are as near to one of A320U's, GeneralUser's or FreePats', some by chance (flutes and voices are nearly sines): accuracy
is stated with them and without."""
STRETCH_SEMITONES = 2
VELOCITIES = (50, 90, 120)
UNSEEN_VELOCITIES = (90,)
BATCH = 64
FAMILY_OF = {program: name for name, programs in FAMILIES.items() for program in programs}
CLASSES = {"pitch": tuple(str(p) for p in PITCHES), "instrument": tuple(FAMILIES)}
PARTS = {"pitch": tuple(PITCHES), "instrument": tuple(FAMILY_OF)}
"""What a network tells apart: the judge of instruments single programs, whose odds it adds up to those of families."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a judge learns from and how. copies: how often each note is rendered, each time otherwise."""

    learned: tuple[Path, ...]
    copies: int
    also_as_rendered: bool
    epochs: int
    width: int
    stride: tuple[int, int]
    """Of the first convolution, over bands and frames: the instrument judge has twice the frames."""
    balance: float
    """Weight of a class: its number of notes to the power of minus this."""
    varied: "Varied"
    mixed: float
    """Share of batches in which two notes sound, one louder (Zhang et al. 2018)."""


Varied = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Otherwise at every look: [n, n_mels, frames] -> the same."""


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
    """mel [B, n_mels, frames] -> logits [B, parts]. Frequency is kept to the end: where it lies is what is asked."""

    def __init__(self, n_mels: int, parts: int, width: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width // 2, (5, 3), stride=stride, padding=(2, 1)), nn.BatchNorm2d(width // 2), nn.ReLU(),
            Inception(width // 2, width), nn.MaxPool2d(2),
            Inception(width, width), nn.MaxPool2d(2),
            Inception(width, 2 * width), nn.MaxPool2d((2, 1)),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * width * (n_mels // 16), parts))

    def forward(self, mel: Tensor) -> Tensor:
        return self.head(self.body(mel[:, None] * 2 - 1).mean(3).flatten(1))


class OfClasses(nn.Module):
    """The same judge, asked for classes: the odds of a class are the sum of those of its parts."""

    outside: Tensor

    def __init__(self, judge: Judge, class_of: np.ndarray) -> None:
        super().__init__()
        self.judge = judge
        members = class_of[:, None] == np.arange(class_of.max() + 1)
        self.register_buffer("outside", torch.from_numpy(np.where(members, 0.0, -60.0).astype(np.float32)))

    def forward(self, mel: Tensor) -> Tensor:
        return self.added(self.judge(mel))

    def added(self, logits: Tensor) -> Tensor:
        """[B, parts] -> [B, classes]."""
        return torch.logsumexp(logits[:, :, None] + self.outside, 1)


@dataclass(frozen=True, eq=False)
class Notes:
    """What one judge sees of a set of notes, and what it should say: float16 [n, n_mels, frames], [n], programs [n]."""

    seen: np.ndarray
    parts: np.ndarray
    programs: np.ndarray


def class_of(name: str) -> np.ndarray:
    """The class of every part."""
    families = [CLASSES["instrument"].index(FAMILY_OF[program]) for program in PARTS["instrument"]]
    return np.array(families) if name == "instrument" else np.arange(len(PARTS[name]))


def named(soundfont: Path) -> str:
    return "freepats" if soundfont == FREEPATS else soundfont.name


def rendered(soundfont: Path, velocities: tuple[int, ...], seed: Sequence[int], stretch: int) -> list[Note]:
    """Every note of a soundfont that shares no samples with those of the test."""
    rng = np.random.default_rng(seed)
    return [n for n in notes(soundfont, velocities, rng, stretch) if n.program not in SHARED.get(soundfont, ())]


def in_recordings(notes: list[Note], seed: int) -> list[np.ndarray]:
    """Each note once as it may sound in a recording, each with its own seed."""
    drawn = [np.random.default_rng([seed, number]) for number in range(len(notes))]
    return [
        recorded(n.samples, notes[int(rng.integers(len(notes)))].samples, rng)
        for n, rng in zip(notes, drawn, strict=True)
    ]


def shown(name: str, notes: list[Note], seconds: list[np.ndarray]) -> Notes:
    """What the judge `name` sees of these notes, [SAMPLES] each; without those that it has no answer for."""
    kept = [k for k, note in enumerate(notes) if _has_answer(name, note)]
    parts = [PARTS[name].index(notes[k].pitch if name == "pitch" else notes[k].program) for k in kept]
    seen = np.stack([levels_of(seconds[k], MELS[name]).astype(np.float16) for k in kept])
    return Notes(seen, np.array(parts), np.array([notes[k].program for k in kept]))


def _has_answer(name: str, note: Note) -> bool:
    if name == "instrument":
        return note.program in FAMILY_OF
    return note.program in PITCHED and note.program not in OCTAVES_AT_ONCE


def to_learn(name: str) -> Notes:
    """All that the judge `name` learns from."""
    recipe, sets = RECIPES[name], []
    for number, soundfont in enumerate(recipe.learned):
        for copy in range(recipe.copies):
            its = rendered(soundfont, VELOCITIES, (copy, number), STRETCH_SEMITONES)
            sets.append(shown(name, its, in_recordings(its, seed=copy)))
            if recipe.also_as_rendered:
                sets.append(shown(name, its, [as_rendered(note.samples) for note in its]))
            print(f"{named(soundfont)}: {len(its)} notes, {time.process_time():.0f} s", flush=True)
    return Notes(*(np.concatenate([getattr(one, key) for one in sets]) for key in ("seen", "parts", "programs")))


def trained(name: str, learned: Notes, seed: int = 0) -> OfClasses:
    """One pass over the notes an epoch, the learning rate annealed to nothing."""
    torch.manual_seed(seed)
    rng, recipe = np.random.default_rng(seed), RECIPES[name]
    judge = Judge(MELS[name].n_mels, len(PARTS[name]), recipe.width, recipe.stride)
    judge = judge.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] (torch lacks this overload)
    asked = OfClasses(judge, class_of(name))
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.05)
    whole = len(learned.parts) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=recipe.epochs * whole)
    classes = torch.from_numpy(class_of(name))
    weights = balance(class_of(name)[learned.parts], recipe.balance)

    def loss_of(logits: Tensor, parts: Tensor) -> Tensor:
        of_classes = nn.functional.cross_entropy(
            asked.added(logits), classes[parts], weight=weights, label_smoothing=0.05
        )
        if len(classes) == len(CLASSES[name]):
            return of_classes
        return of_classes + 0.3 * nn.functional.cross_entropy(logits, parts, label_smoothing=0.1)

    began, step, running = time.process_time(), 0, 0.0
    for epoch in range(recipe.epochs):
        for places in rng.permutation(len(learned.parts))[: whole * BATCH].reshape(-1, BATCH):
            seen = torch.from_numpy(recipe.varied(learned.seen[places].astype(np.float32), rng))
            parts, behind = torch.from_numpy(learned.parts[places]), torch.randperm(BATCH)
            share = float(rng.uniform(0.6, 1)) if rng.random() < recipe.mixed else 1.0
            logits = judge(share * seen + (1 - share) * seen[behind] if share < 1 else seen)
            loss = loss_of(logits, parts)
            if share < 1:
                loss = share * loss + (1 - share) * loss_of(logits, parts[behind])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            step += 1
            running += (float(loss.detach()) - running) / min(step, 100)
        print(
            f"{name} epoch {epoch + 1}/{recipe.epochs}: loss {running:.3f}, {time.process_time() - began:.0f} s",
            flush=True,
        )
    return asked.eval()


def balance(classes: np.ndarray, power: float) -> Tensor:
    """Weights of the classes, more for the rarer; at a power of 1 every class counts alike, at 0 every note."""
    counts = np.bincount(classes).astype(np.float32)
    return torch.from_numpy((counts.mean() / np.maximum(counts, 1)) ** power)


def tilted(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another loudspeaker at every look: a smooth curve over the bands, up to 15 dB, and the loudest at 1 again."""
    bands = np.linspace(0, 1, seen.shape[1], dtype=np.float32)
    wave = rng.uniform(-0.1, 0.1, (len(seen), 3, 1)) * np.cos(np.pi * np.arange(1, 4)[:, None] * bands)
    curve = wave.sum(1).astype(np.float32)[:, :, None]
    lifted = np.where(seen > 0, seen + curve, 0)
    return np.clip(lifted - lifted.max((1, 2), keepdims=True) + 1, 0, 1)


def disguised(seen: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another loudspeaker, and now and then another noise floor, more or less compression, bands gone."""
    seen, size = tilted(seen, rng), len(seen)
    bands = np.linspace(0, 1, seen.shape[1], dtype=np.float32)
    wave = rng.uniform(-0.15, 0.15, (size, 3, 1)) * np.cos(np.pi * np.arange(1, 4)[:, None] * bands)
    floor = (rng.uniform(-0.2, 0.45, (size, 1)) + wave.sum(1)).astype(np.float32)[:, :, None]
    seen = np.where(rng.random((size, 1, 1)) < 0.5, np.maximum(seen, floor), seen)
    steeper = rng.uniform(0.8, 1.25, (size, 1, 1)).astype(np.float32)
    seen = np.where(seen > 0, np.clip(1 - (1 - seen) * steeper, 0, 1), 0)
    for place in np.flatnonzero(rng.random(size) < 0.4):
        wide = int(rng.integers(4, 24))
        low = int(rng.integers(0, seen.shape[1] - wide))
        seen[place, low : low + wide] = seen[place, low : low + wide].min()
    return seen


RECIPES = {
    "pitch": Recipe(
        learned=(FLUID, MUSESCORE), copies=2, also_as_rendered=False, epochs=3, width=48, stride=(2, 1), balance=1.0,
        varied=tilted, mixed=0.0,
    ),
    "instrument": Recipe(
        learned=(FLUID, MUSESCORE, GENERAL_USER, FREEPATS, A320U), copies=1, also_as_rendered=True, epochs=3, width=64,
        stride=(2, 2), balance=0.5, varied=disguised, mixed=0.2,
    ),
}  # fmt: skip


def answers(path: Path, asked: Notes) -> np.ndarray:
    """The most likely class of each note, by the network as it is shipped."""
    session = onnx_session(path)
    parts = []
    for at in range(0, len(asked.seen), 256):
        (logits,) = session.run(None, {"mel": asked.seen[at : at + 256].astype(np.float32)})
        parts.append(np.asarray(logits).argmax(1))
    return np.concatenate(parts)


def apart(soundfont: Path, name: str) -> list[int]:
    """Programs of a soundfont that sound like none that the judge `name` learned from (`shared_samples.py`)."""
    fonts = RECIPES[name].learned
    alike = {program for font in fonts for program, much in by_sound(soundfont, font).items() if much > ALIKE}
    return [program for program in FAMILY_OF if program not in alike]


def card(name: str, said: np.ndarray, asked: Notes, without: list[int]) -> dict[str, object]:
    """Accuracy over all, by program and by class, of the programs that are `apart`, and the confusion matrix (rows:
    what it is).
    """
    size, labels = len(CLASSES[name]), class_of(name)[asked.parts]
    confusion = np.zeros((size, size), int)
    np.add.at(confusion, (labels, said), 1)
    right = said == labels
    strict = np.isin(asked.programs, without)
    by_program = {str(p): round(float(right[asked.programs == p].mean()), 4) for p in np.unique(asked.programs)}
    facts: dict[str, object] = {
        "notes": len(said), "accuracy": round(float(right.mean()), 4), "by_program": by_program,
        "mean_of_classes": round(float(np.mean([c[k] / c.sum() for k, c in enumerate(confusion) if c.sum()])), 4),
        "apart": {
            "programs": without, "notes": int(strict.sum()), "accuracy": round(float(right[strict].mean()), 4),
        },
        "confusion": confusion.tolist(),
    }  # fmt: skip
    if name == "pitch":
        off = said - labels
        facts["octave_errors"] = round(float(((off % 12 == 0) & (off != 0)).mean()), 4)
        facts["within_a_semitone"] = round(float((np.abs(off) <= 1).mean()), 4)
    return facts


def save(judge: OfClasses, name: str, path: Path) -> None:
    """As ONNX in inference mode, its weights as float16."""
    mel = MELS[name]
    example = torch.zeros(2, mel.n_mels, -(-SAMPLES // mel.hop_length))
    batch = {0: "batch"}
    write_onnx(judge, {"mel": example}, ("logits",), {"mel": batch, "logits": batch}, path, "fp16")


def tested(path: Path, name: str, unseen: dict[Path, list[Note]]) -> dict[str, dict[str, object]]:
    """The cards of the network at `path`, on every soundfont, as rendered and as in recordings."""
    cards = {}
    for font, its in unseen.items():
        plain, without = [as_rendered(note.samples) for note in its], apart(font, name)
        for kind, seconds in (("as rendered", plain), ("as in recordings", in_recordings(its, seed=100))):
            asked = shown(name, its, seconds)
            cards[f"{named(font)}, {kind}"] = card(name, answers(path, asked), asked, without)
            short = {key: value for key, value in cards[f"{named(font)}, {kind}"].items() if key != "confusion"}
            print(name, named(font), kind, short, flush=True)
    return cards


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--only", choices=MELS, help="make this one; the other, and what is said of it, stay")
    parser.add_argument("--test", action="store_true", help="train none: measure what lies in OUT")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    written = asked.out / "notes.json"
    kept = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
    unseen = {path: rendered(path, UNSEEN_VELOCITIES, (100, 0), stretch=0) for path in UNSEEN}
    cards: dict[str, object] = {}
    for name in MELS:
        if asked.only not in (None, name):
            cards[name] = kept[name]
            continue
        path = asked.out / f"{name}.onnx"
        if not asked.test:
            learned = to_learn(name)
            save(trained(name, learned), name, path)
            kept[name] = {
                "classes": CLASSES[name], "learned_from": [named(font) for font in RECIPES[name].learned],
                "notes_learned": len(learned.parts),
            }  # fmt: skip
        cards[name] = kept[name] | {"tests": tested(path, name, unseen)}
    write_json(written, cards)
    print(f"{time.process_time():.0f} processor seconds", flush=True)


if __name__ == "__main__":
    main()
