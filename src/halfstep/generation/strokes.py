"""Drums that lead music to a tempo, a density, or both: a score of strokes of which nothing else is heard."""

import numpy as np

from halfstep.audio.files.midi import Note, Score

STROKES = 32
"""Beats of a pulse, or strokes without one, before they come again."""
DRUMS = (36, 38, 42)
"""One of each kind, struck together (General MIDI): which stroke is the first of a bar is left to the music."""
LOUDEST = 127
UNEVEN = 0.5
"""Without a tempo, gaps are this share shorter to longer than their mean: no pulse is suggested."""


def strokes(tempo: float | None, density: float | None) -> Score:
    """On each beat of a tempo, in beats a minute, divided into as many equal parts as come nearest to the density, in
    onsets a second; without a tempo at uneven gaps.
    """
    if tempo is not None:
        parts = 1 if density is None else max(1, round(density * 60 / tempo))
        gaps = np.full(STROKES * parts, 60 / tempo / parts)
    else:
        assert density is not None, "a tempo or a density was expected"
        drawn = np.random.default_rng(0).uniform(1 - UNEVEN, 1 + UNEVEN, STROKES)
        gaps = drawn / drawn.mean() / density
    ends = np.cumsum(gaps)
    notes = (
        Note(start=float(end - gap), end=float(end), pitch=pitch, velocity=LOUDEST, drum=True)
        for gap, end in zip(gaps, ends, strict=True)
        for pitch in DRUMS
    )
    return Score(notes=tuple(notes), seconds=float(ends[-1]))
