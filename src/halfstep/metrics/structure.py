"""How much of a recording's structure is left in what was made of it: when notes set in, and which pitch classes sound.

Both are correlations over time, 1 of a recording with itself and about 0 of two that have nothing to do with another:
what is always so, such as a key, counts for neither.
"""

import numpy as np
import scipy.ndimage

from halfstep.arrays import Float, Float32, Float64
from halfstep.metrics.partials import HOP_SECONDS, find_peaks
from halfstep.metrics.pulse import TREND_SECONDS, WIDTH_SECONDS, onset_strength
from halfstep.metrics.tuning import SEMITONE_CENTS

CONTOUR_SECONDS = 0.1
"""A note that sets in so much later is in its place."""


def onset_correlation(
    one: Float32[np.ndarray, "samples"], other: Float32[np.ndarray, "samples"], sample_rate: int
) -> float:
    """Of the onset strengths of two recordings of one length, without their trends; NaN where nothing sets in."""
    strengths = []
    for samples in (one, other):
        rises, rate = onset_strength(samples, sample_rate)
        smooth = scipy.ndimage.gaussian_filter1d(rises, WIDTH_SECONDS * rate)
        strengths.append(smooth - scipy.ndimage.uniform_filter1d(smooth, round(TREND_SECONDS * rate), mode="nearest"))
    return _correlation(*strengths)


def contour_correlation(
    one: Float32[np.ndarray, "samples"], other: Float32[np.ndarray, "samples"], sample_rate: int
) -> float:
    """Of the shares of the twelve pitch classes as they change; NaN where nothing does."""
    return classes_correlation(chroma(one, sample_rate), chroma(other, sample_rate), HOP_SECONDS)


def classes_correlation(
    one: Float[np.ndarray, "frames classes"], other: Float[np.ndarray, "frames classes"], hop_seconds: float
) -> float:
    """The same of how much of every pitch class sounds, by whoever heard it, every `hop_seconds`."""
    return _correlation(_contour(one, hop_seconds), _contour(other, hop_seconds))


def chroma(samples: Float32[np.ndarray, "samples"], sample_rate: int) -> Float64[np.ndarray, "frames classes"]:
    """Magnitude of the peaks of each pitch class, A first, [frames, 12], every HOP_SECONDS."""
    peaks = find_peaks(samples, sample_rate)
    frames = int(np.ceil(len(samples) / round(HOP_SECONDS * sample_rate)))
    pitch_class = np.round(peaks.cents / SEMITONE_CENTS).astype(np.int64) % 12
    counted = np.bincount(peaks.frame * 12 + pitch_class, peaks.magnitude, 12 * frames)
    return counted.reshape(frames, 12).astype(np.float64, copy=False)


def _contour(classes: Float[np.ndarray, "frames classes"], hop_seconds: float) -> Float64[np.ndarray, "values"]:
    smooth = scipy.ndimage.gaussian_filter1d(classes.astype(np.float64), CONTOUR_SECONDS / hop_seconds, axis=0)
    shares = smooth / np.maximum(smooth.sum(axis=1, keepdims=True), 1e-12)
    return (shares - shares.mean(axis=0)).ravel()


def _correlation(one: Float64[np.ndarray, "n"], other: Float64[np.ndarray, "n"]) -> float:
    one, other = one - one.mean(), other - other.mean()
    power = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / power if power > 1e-12 else float("nan")
