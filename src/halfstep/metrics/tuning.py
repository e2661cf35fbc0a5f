"""Tuning: do all pitches lie on one grid of semitones, and where does it lie?"""

from dataclasses import dataclass

import numpy as np

from halfstep.metrics.partials import Peaks

SEMITONE_CENTS = 100.0


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """strength: 1 if every peak is on the grid, near 0 if they lie anywhere; reference_cents: of A above 440 Hz."""

    strength: float
    reference_cents: float


def tuning(peaks: Peaks) -> Tuning:
    """Length and angle of the mean of exp(2 pi i 12 log2 f) over peaks, by magnitude; NaN in silence.

    The magnitude is the root of the energy: else the loudest partial would speak alone.
    """
    if not len(peaks):
        return Tuning(strength=float("nan"), reference_cents=float("nan"))
    on_circle = np.exp(2j * np.pi * peaks.cents / SEMITONE_CENTS)
    mean = (on_circle * peaks.magnitude).sum() / peaks.magnitude.sum()
    return Tuning(strength=float(abs(mean)), reference_cents=float(np.angle(mean) / (2 * np.pi) * SEMITONE_CENTS))
