"""What leads a piece, frame by frame: a guide that goes round, chords, or several as one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.chord_names import Chord
from halfstep.audio.guide import CHORDS, guide_rows, rows_of_kind
from halfstep.bundle import Manifest
from halfstep.generation.harmony import chord_rows


class Leader(Protocol):
    """A guide along a piece."""

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """[rows, stop - start] of a piece that it leads from frame 0 on."""
        ...

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """The same at any places, in frames; before 0 there is nothing to follow."""
        ...


@dataclass(frozen=True, eq=False)
class Guide:
    """rows [rows, n]: a frame of the guide each. frames: how long it is, in frames of the model: beyond its end it
    begins again, so that a bar goes round without drifting. Before frame 0 there is nothing to follow.
    """

    rows: Float32[np.ndarray, "rows guide"]
    frames: float

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """[rows, stop - start] of a piece that it leads from frame 0 on."""
        return self.at(np.arange(start, stop, dtype=np.float64))

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """The same at any places, in frames."""
        nearest = np.minimum((places % self.frames).astype(np.int64), self.rows.shape[1] - 1)
        return np.where(places >= 0, self.rows[:, nearest], np.float32(0))


@dataclass(frozen=True, eq=False)
class Harmony:
    """Chords along a piece, each for so many frames; after `count` of them the first comes again."""

    chord_at: Callable[[int], Chord]
    chord_frames: float
    manifest: Manifest
    count: int | None = None

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """As a `Leader`."""
        return self.at(np.arange(start, stop, dtype=np.float64))

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """As a `Leader`."""
        rows = np.zeros((guide_rows(self.manifest.guide), len(places)), np.float32)
        begun = places >= 0
        if begun.any():
            sounding = chord_rows(self.chord_at, places[begun], self.chord_frames, self.manifest.mel, self.count)
            at = rows_of_kind(CHORDS, self.manifest.guide)
            rows[at, begun] = np.concatenate([sounding, np.ones((1, sounding.shape[1]), np.float32)])
        return rows


@dataclass(frozen=True, eq=False)
class Together:
    """Guides of different kinds as one."""

    parts: tuple[Leader, ...]

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """As a `Leader`."""
        return np.stack([part(start, stop) for part in self.parts]).sum(axis=0)

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """As a `Leader`."""
        return np.stack([part.at(places) for part in self.parts]).sum(axis=0)
