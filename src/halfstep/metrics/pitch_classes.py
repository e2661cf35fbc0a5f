"""How evenly music uses the twelve pitch classes: a key prefers some, a wash has them all."""

import numpy as np

from halfstep.arrays import Float64
from halfstep.metrics.partials import Peaks
from halfstep.metrics.tuning import SEMITONE_CENTS

SECTION_SECONDS = 10.0
UNIFORM_BITS = float(np.log2(12))
"""3.585: all twelve alike."""


def pitch_class_entropy(peaks: Peaks, reference_cents: float = 0.0) -> float:
    """Bits of the histogram of 12 classes, by magnitude, mean over sections of 10 s; NaN in silence.

    A rest of less than half a section at the end is left out, unless there is nothing else.
    """
    if not len(peaks):
        return float("nan")
    section = (peaks.frame / peaks.frames_per_second // SECTION_SECONDS).astype(np.int64)
    seconds = peaks.frame.max() / peaks.frames_per_second
    count = max(1, round(seconds / SECTION_SECONDS))
    pitch_class = np.round((peaks.cents - reference_cents) / SEMITONE_CENTS).astype(np.int64) % 12
    inside = section < count
    at = section[inside] * 12 + pitch_class[inside]
    shares = np.bincount(at, peaks.magnitude[inside], 12 * count).reshape(count, 12)
    sounding = shares[shares.sum(1) > 0]
    return float(np.mean([_entropy(one / one.sum()) for one in sounding]))


def _entropy(shares: Float64[np.ndarray, "..."]) -> float:
    present = shares[shares > 0]
    return float(-(present * np.log2(present)).sum())
