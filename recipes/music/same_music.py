"""Whether two scores are the same music, in another key, at another tempo or in another edition. Needs numpy.

A split by piece is one by music only if no piece is there under two names.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LENGTH = 8
"""Intervals in a row that are one feature of a score."""
SHARED = 0.3
"""The share of the shorter score's features from which on two scores are one piece."""


def features(onset: NDArray[np.float64], pitch: NDArray[np.int64]) -> frozenset[tuple[int, ...]]:
    """Every run of LENGTH intervals, in semitones, of the highest of the notes [n] that begin together."""
    order = np.lexsort((-pitch, np.round(onset, 3)))
    first = np.concatenate([[True], np.diff(np.round(onset, 3)[order]) > 0])
    intervals = np.diff(pitch[order][first]).tolist()
    return frozenset(tuple(intervals[at : at + LENGTH]) for at in range(len(intervals) - LENGTH + 1))


class KnownMusic:
    """The pieces met so far."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[tuple[int, ...]]] = {}

    def add(self, piece: str, result: frozenset[tuple[int, ...]]) -> str | None:
        """The piece that `piece` is another copy of, by its features; or None, and it is known from now on."""
        for other, theirs in self._known.items():
            if len(result & theirs) > SHARED * max(min(len(result), len(theirs)), 1):
                return other
        self._known[piece] = result
        return None
