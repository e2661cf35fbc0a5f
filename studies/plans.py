"""How do a model's plans differ from the guides of real music? python studies/plans.py MODEL DATA [--pieces 6]

Of a minute of each, by style: how many pitch classes sound in a frame and over the minute (entropy, bits), how much
they change in a tenth of a second, and the pulse of the onsets, the best autocorrelation at .25 to 2 s, median over
10 s. DATA is a prepared set in the model's bands; its training tracks are measured.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

import halfstep
from halfstep.audio.guide import BOTH, CHORDS, GUIDES, RHYTHM, measured_guide, rows_of_kind
from halfstep.data.dataset import Library
from halfstep.generation.requests import Piece

SECONDS, PULSE_SECONDS = 60, 10
QUICKEST, SLOWEST = 0.25, 2.0
TENTH = 0.1


def entropy(classes: np.ndarray) -> np.ndarray:
    """Bits of pitch classes [12, frames], of each frame."""
    shares = classes / np.maximum(classes.sum(axis=0), 1e-9)
    return -(shares * np.log2(np.maximum(shares, 1e-9))).sum(axis=0)


def figures(rows: np.ndarray, frames_per_second: float) -> tuple[float, float, float, float]:
    """Of the rows of a guide [rows, frames]: entropy of a frame, and of the whole, change, pulse."""
    chords, rhythm = (rows[rows_of_kind(kind, BOTH)][:-1] for kind in (CHORDS, RHYTHM))
    step, size = round(TENTH * frames_per_second), round(PULSE_SECONDS * frames_per_second)
    low, high = round(QUICKEST * frames_per_second), round(SLOWEST * frames_per_second)
    onsets, pulses = rhythm.sum(axis=0), list[float]()
    for start in range(0, len(onsets) - size + 1, size // 2):
        part = onsets[start : start + size] - onsets[start : start + size].mean()
        alike = np.correlate(part, part, "full")[size - 1 :]
        pulses.append(float(alike[low:high].max() / max(alike[0], 1e-9)))
    change = np.abs(np.diff(chords[:, ::step], axis=1)).sum(axis=0).mean()
    whole = entropy(chords.mean(axis=1, keepdims=True))[0]
    return float(entropy(chords).mean()), float(whole), float(change), float(np.median(pulses))


def say(style: str, name: str, each: Iterable[tuple[float, ...]]) -> None:
    said = zip(("entropy", "of all", "change", "pulse"), np.median(list(each), axis=0), strict=True)
    print(style, name, *(f"{what} {value:.2f}" for what, value in said), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--pieces", type=int, default=6, help="of the model, and at most so many tracks")
    options = parser.parse_args()
    model, library = halfstep.load(options.model), Library(options.data)
    mel = model.manifest.mel
    frames = round(SECONDS * mel.frames_per_second)
    for style in model.manifest.asks.condition("style", model.manifest.id).values:
        tracks = [
            one for one in library.split("train") if style in one.labels.get("style", ()) and one.frames >= frames
        ]
        real = list[tuple[float, ...]]()
        for track in [one for one in tracks if one.frames >= frames][: options.pieces]:
            bands = np.asarray(library.array(track)[0:frames], np.float32).T[: mel.n_mels]
            real.append(figures(measured_guide(BOTH, dict.fromkeys(GUIDES[BOTH], bands), mel), mel.frames_per_second))
        pieces = [Piece(seconds=SECONDS, seed=seed, asked={"style": str(style)}) for seed in range(options.pieces)]
        leading = [guide(0, frames) for piece in pieces if (guide := model.engine.guide(piece)) is not None]
        say(str(style), "real", real)
        say(str(style), "what leads it", [figures(rows, mel.frames_per_second) for rows in leading])


if __name__ == "__main__":
    main()
