"""Strokes that lead music to a tempo, a density, or both: the rhythm that drums would give, of which nothing else is
heard. Browsers lay the same shapes in the same places (`app/page/site/strokes.js`).
"""

import math
from functools import cache

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.files.midi import Note
from halfstep.audio.guide import as_shares, group_rises
from halfstep.audio.mel import MelConfig
from halfstep.audio.onsets import LEAST_NEPERS
from halfstep.audio.tones import DRUM_SECONDS, tone_bands

STROKES = 32
"""Beats of a pulse, or strokes without one, before they come again."""
DRUMS = (36, 38, 42)
"""One of each kind, struck together (General MIDI): which stroke is the first of a bar is left to the music."""
LOUDEST = 127
UNEVEN = 0.5
"""Without a tempo, gaps are this share shorter to longer than their mean: no pulse is suggested."""
EVEN, OF_A_BAR = (1.0,), (1.0, 0.4, 0.7, 0.4)
"""Accents: all alike, and of a bar of four beats, which is nearer to a pulse that nobody asked for
(docs/experiments/soundtrack.md).
"""
PHASES = 8
"""Parts of a frame: a stroke sets in at the nearest of them."""


def stroke_gaps(tempo: float | None, density: float | None) -> Float64[np.ndarray, "strokes"]:
    """Seconds from each stroke to the next: one on each beat of a tempo, in beats a minute, and between them as many as
    bring them nearest to the density, in onsets a second; without a tempo at uneven gaps.
    """
    if tempo is not None:
        parts = 1 if density is None else max(1, math.floor(density * 60 / tempo + 0.5))
        return np.full(STROKES * parts, 60 / tempo / parts)
    assert density is not None, "a tempo or a density was expected"
    return uneven_gaps() / density


def uneven_gaps() -> Float64[np.ndarray, "strokes"]:
    """1 on average."""
    drawn = np.random.default_rng(0).uniform(1 - UNEVEN, 1 + UNEVEN, STROKES)
    return drawn / drawn.mean()


@cache
def stroke_shapes(mel: MelConfig) -> Float64[np.ndarray, "{PHASES} groups frames"]:
    """What sets in with one stroke, in nepers, at each part of the frame in the middle: as long before it as a window
    sees it coming, and as long after.
    """
    reach = reach_of(mel)
    shapes = list[Float64[np.ndarray, "groups frames"]]()
    for phase in range(PHASES):
        start = (reach + phase / PHASES) / mel.frames_per_second
        end = start + DRUM_SECONDS  # where it breaks off something sets in, which is cut off
        notes = [Note(start=start, end=end, pitch=pitch, velocity=LOUDEST, drum=True) for pitch in DRUMS]
        shapes.append(group_rises(tone_bands(notes, end, mel)[:, : 2 * reach], mel))
    return np.stack(shapes)


@cache
def unit_shapes(mel: MelConfig) -> Float64[np.ndarray, "{PHASES} groups frames"]:
    """The same, every group 1 where it is strongest."""
    shapes = stroke_shapes(mel)
    return shapes / np.maximum(shapes.max(axis=2, keepdims=True), LEAST_NEPERS)


def reach_of(mel: MelConfig) -> int:
    """Frames before a stroke, and after it, in which it sets something in."""
    return math.ceil(mel.window / mel.hop_length) + 2


def laid(place: float, start: int, stop: int, reach: int) -> tuple[int, slice, slice]:
    """Of a stroke at a place among the frames of a piece: its phase, which frames of its shape lie from `start` up to
    `stop`, and where these are, counted from `start`.
    """
    part = math.floor(place * PHASES + 0.5)
    first = part // PHASES - reach - start
    begin, end = max(0, first), max(0, first, min(stop - start, first + 2 * reach))
    return part % PHASES, slice(begin - first, end - first), slice(begin, end)


def stroke_rows(
    tempo: float | None, density: float | None, mel: MelConfig, accents: tuple[float, ...] = EVEN
) -> tuple[Float32[np.ndarray, "groups frames"], float]:
    """Their rhythm, and after how many frames it begins again. accents: how strong each is, from the first on, and
    again: as many as divide STROKES.
    """
    shapes, reach = stroke_shapes(mel), reach_of(mel)
    ends = np.cumsum(stroke_gaps(tempo, density)) * mel.frames_per_second
    rows, strength = np.zeros((shapes.shape[1], math.ceil(ends[-1]))), np.zeros(math.ceil(ends[-1]))
    for number, place in enumerate((0.0, *ends.tolist())):  # the last is the first of the next round, seen coming
        phase, own, there = laid(place, 0, rows.shape[1], reach)
        rows[:, there] = np.maximum(rows[:, there], shapes[phase][:, own])
        strength[there] = np.maximum(strength[there], accents[number % len(accents)])
    return as_shares(rows) * strength.astype(np.float32), float(ends[-1])
