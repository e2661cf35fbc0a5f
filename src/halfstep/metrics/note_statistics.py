"""What is played, as a transcriber hears it: how many notes, how many at once, which intervals, how long."""

from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float64
from halfstep.metrics.judges.transcriber import Notes

WIDEST_SEMITONES = 24
NEIGHBOUR_SECONDS = 1.0
"""Two notes make an interval if one sets in no later than this after the other."""
DURATION_EDGES = np.array([0.09, 0.13, 0.18, 0.25, 0.35, 0.5, 0.71, 1.0, 1.41, 2.0, 2.83])
"""Seconds, half an octave apart."""


@dataclass(frozen=True, eq=False, kw_only=True)
class NoteStatistics:
    """notes_per_second; polyphony: notes sounding at once, mean over time in which any does (NaN if none does).

    intervals [25]: pairs of neighbours by semitones between them, 0 to 24; durations [12]: notes by length.
    """

    notes_per_second: float
    polyphony: float
    intervals: Float64[np.ndarray, "..."]
    durations: Float64[np.ndarray, "..."]


def note_statistics(notes: Notes, seconds: float) -> NoteStatistics:
    """Of notes heard in so many seconds."""
    durations = np.bincount(np.digitize(notes.duration, DURATION_EDGES), minlength=len(DURATION_EDGES) + 1)
    return NoteStatistics(
        notes_per_second=len(notes) / seconds, polyphony=_polyphony(notes), intervals=_intervals(notes),
        durations=durations.astype(np.float64),
    )  # fmt: skip


def _polyphony(notes: Notes) -> float:
    if not len(notes):
        return float("nan")
    at = np.concatenate([notes.onset, notes.onset + notes.duration])
    order = np.argsort(at, kind="stable")
    sounding = np.cumsum(np.repeat([1, -1], len(notes))[order])[:-1]
    lasts = np.diff(at[order])
    return float((sounding * lasts).sum() / lasts[sounding > 0].sum())


def _intervals(notes: Notes) -> Float64[np.ndarray, "n"]:
    counts = np.zeros(WIDEST_SEMITONES + 1)
    for ahead in range(1, len(notes)):
        near = notes.onset[ahead:] - notes.onset[:-ahead] <= NEIGHBOUR_SECONDS
        if not near.any():
            break
        semitones = np.abs(notes.key[ahead:] - notes.key[:-ahead])[near]
        counts += np.bincount(semitones[semitones <= WIDEST_SEMITONES], minlength=WIDEST_SEMITONES + 1)
    return counts


def histogram_distance(a: Float64[np.ndarray, "n"], b: Float64[np.ndarray, "n"]) -> float:
    """Half the sum of differences of two histograms' shares: 0 alike, 1 nothing in common. NaN if either is empty.

    It is the share of the notes of one that would have to be others to be as those of the other (total variation).
    """
    if not a.sum() or not b.sum():
        return float("nan")
    return float(np.abs(a / a.sum() - b / b.sum()).sum() / 2)
