"""Does a model copy what it learned from? python studies/copies.py MODEL DATA [--windows 12] [--steps K]

Bands of windows of 12 s, each less its mean over time, slid over every training track: the highest correlation of each
beside that of held-out windows. A copy of a passage, at any level, has nearly 1; music that shares a key and a
beat with some passage has more than music that does not. Where the model has styles, by style. DATA is what it learned
from, in its own bands. Of a model that plans, likewise the pitch classes of its plans, slid over those of every track
in all twelve keys.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.signal import fftconvolve

import halfstep
from halfstep.audio.guide import BOTH, GUIDES, measured_guide
from halfstep.audio.mel import log_mel
from halfstep.data.dataset import Library, Track
from halfstep.generation.planning import classes_of
from halfstep.generation.requests import USUAL_SECONDS, Piece

BANDS, FRAMES = 3, 8
"""Bands and frames that are averaged: a copy is one though a note be off by a few milliseconds."""
LENGTH = 128
"""Of a window, in such frames."""


def coarse(bands: np.ndarray) -> np.ndarray:
    """Log bands [n_mels, frames] as means over BANDS and FRAMES, each column less its mean: of any level."""
    rows, columns = bands.shape[0] // BANDS, bands.shape[1] // FRAMES
    boxes = bands[: rows * BANDS, : columns * FRAMES].reshape(rows, BANDS, columns, FRAMES).mean(axis=(1, 3))
    return boxes - boxes.mean(axis=0)


def likest(window: np.ndarray, tracks: Sequence[np.ndarray]) -> float:
    """The highest correlation of a window [rows, LENGTH] with any passage of the tracks."""
    own = window - window.mean(axis=1, keepdims=True)
    best = -1.0
    for track in tracks:
        if track.shape[1] < LENGTH:
            continue
        shared = fftconvolve(track, own[:, ::-1], mode="valid", axes=1).sum(axis=0)
        sums, squares = (np.cumsum(np.pad(one, ((0, 0), (1, 0))), axis=1) for one in (track, np.square(track)))
        mean, power = (one[:, LENGTH:] - one[:, :-LENGTH] for one in (sums, squares))
        spread = (power - np.square(mean) / LENGTH).sum(axis=0)
        best = max(best, float((shared / np.sqrt(np.square(own).sum() * np.maximum(spread, 1e-9))).max()))
    return best


def pitch_classes(rows: np.ndarray) -> np.ndarray:
    """Of a guide, [12, frames], as means over FRAMES."""
    classes = rows[classes_of(BOTH)]
    columns = classes.shape[1] // FRAMES
    return classes[:, : columns * FRAMES].reshape(len(classes), columns, FRAMES).mean(axis=2)


def likest_in_any_key(window: np.ndarray, tracks: Sequence[np.ndarray]) -> float:
    """The highest correlation of pitch classes [12, LENGTH] with any passage of the tracks, turned into any key."""
    return max(likest(np.roll(window, by, axis=0), tracks) for by in range(len(window)))


def say(style: str, name: str, figures: Sequence[float]) -> None:
    print(style, name, *(f"{one:.2f}" for one in sorted(figures, reverse=True)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--windows", type=int, default=12, help="of the model, and at most so many of held-out tracks")
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    model, library = halfstep.load(options.model), Library(options.data)
    mel, asks = model.manifest.mel, model.manifest.asks
    size = LENGTH * FRAMES

    def standardised(bands: np.ndarray) -> np.ndarray:
        """Of the mid, where there are two channels."""
        mean, std = (one[: mel.n_mels, None] for one in (library.band_mean, library.band_std))
        return (bands - mean) / std

    def of_track(track: Track, first: int = 0, last: int | None = None) -> np.ndarray:
        return coarse(standardised(np.asarray(library.array(track)[first:last], np.float32).T[: mel.n_mels]))

    def measured(track: Track) -> np.ndarray:
        bands = np.asarray(library.array(track)[0 : track.frames], np.float32).T[: mel.n_mels]
        return measured_guide(BOTH, dict.fromkeys(GUIDES[BOTH], bands), mel)

    for style in asks.condition("style", model.manifest.id).values if asks.has("style") else [None]:
        learned, others = (
            [one for one in library.split(split) if style is None or style in one.labels.get("style", ())]
            for split in ("train", "heldout")
        )
        tracks = [of_track(track) for track in learned]
        long = [track for track in others if track.frames >= 2 * size][: options.windows]
        asked: dict[str, Any] = {} if style is None else {"style": style}
        made = []
        for seed in range(options.windows):
            sound = model.generate(model.manifest.seconds, seed=seed, steps=options.steps, **asked).samples.mean(axis=0)
            made.append(coarse(standardised(log_mel(sound, mel)[:, :size]))[:, :LENGTH])
        rows = {"held out": [of_track(one, size // 2, size // 2 + size) for one in long], "made": made}
        of = str(style or model.manifest.id)
        for name, windows in rows.items():
            say(of, name, [likest(window, tracks) for window in windows])
        if model.manifest.plan is None or model.manifest.guide != BOTH or style in model.manifest.unplanned:
            continue
        chords = [pitch_classes(measured(track)) for track in learned]
        pieces = [Piece(seconds=USUAL_SECONDS, seed=seed, asked=asked) for seed in range(options.windows)]
        plans = [guide(0, size) for piece in pieces if (guide := model.engine.guide(piece)) is not None]
        guides = {"held out": [measured(one)[:, size // 2 : size // 2 + size] for one in long], "made": plans}
        for name, windows in guides.items():
            say(of, f"plan, {name}", [likest_in_any_key(pitch_classes(one), chords) for one in windows])


if __name__ == "__main__":
    main()
