"""What sets in, and how often: from log bands alone."""

import numpy as np

from halfstep.arrays import Float32, Float64

RANGE_NEPERS = 7.0
"""60 dB below the loudest band there is nothing to set in."""
LEAST_NEPERS = 0.05
"""A band that rises by less from one frame to the next is as good as steady."""
FASTEST_BPM, SLOWEST_BPM = 200.0, 50.0
USUAL_BPM, OCTAVES = 110.0, 0.9
"""Of two tempi that fit alike, one twice the other, the nearer to the usual counts: by a bell of so many octaves."""
LEAST_CORRELATION = 0.15
"""Where what sets in comes back less than so, there is no tempo."""
ONSET_SECONDS = 0.1
"""Onsets less far apart are one."""
LEAST_ONSET = 2.0
"""Of an onset, above the mean of what rises."""


def onset_rises(levels: Float32[np.ndarray, "bands frames"]) -> Float64[np.ndarray, "onsets"]:
    """Rises of the log bands [bands, frames] from each frame to the next, mean over bands, [frames - 1]."""
    return np.maximum(np.diff(np.maximum(levels, levels.max() - RANGE_NEPERS), axis=1) - LEAST_NEPERS, 0).mean(
        0, dtype=np.float64
    )


def tempo_bpm(rises: Float64[np.ndarray, "onsets"], rate: float) -> float:
    """Beats a minute: the lag at which rises [frames], `rate` a second, come back best; NaN where nothing does."""
    around = rises - rises.mean()
    energy = float(around @ around)
    lags = np.arange(round(60 / FASTEST_BPM * rate), min(round(60 / SLOWEST_BPM * rate), len(around) // 2) + 1)
    if energy <= 1e-12 or not len(lags):
        return float("nan")
    size = 2 ** int(np.ceil(np.log2(2 * len(around))))
    products = np.fft.irfft(np.abs(np.fft.rfft(around, size)) ** 2)[: lags[-1] + 2] / energy
    bell = np.exp(-0.5 * (np.log2(60 * rate / lags / USUAL_BPM) / OCTAVES) ** 2)
    best = int(lags[np.argmax(products[lags] * bell)])
    if products[best] < LEAST_CORRELATION:
        return float("nan")
    before, at, after = products[best - 1 : best + 2]
    bend = before - 2 * at + after
    return 60 * rate / (best + (0.5 * (before - after) / bend if bend < 0 else 0.0))


def onsets_a_second(rises: Float64[np.ndarray, "onsets"], rate: float) -> float:
    """Peaks of rises [frames], `rate` a second, that stand out of their mean; 0 where nothing sets in."""
    reach = max(1, round(ONSET_SECONDS / 2 * rate))
    padded = np.pad(rises, reach, mode="constant")
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(axis=1)
    peaks = (rises >= around) & (rises > LEAST_ONSET * rises.mean()) & (rises > LEAST_NEPERS / 10)
    return float(np.count_nonzero(peaks[1:] & ~peaks[:-1]) + peaks[0]) * rate / len(rises)
