"""Pulse: does what sets in come back after the same time, again and again?"""

import numpy as np
import scipy.ndimage

from halfstep.arrays import Float32, Float64
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.audio.onsets import LEAST_NEPERS, RANGE_NEPERS, onset_rises

SECTION_SECONDS = 10.0
SHORTEST_SECONDS, LONGEST_SECONDS = 0.25, 2.0
HOP_SECONDS, BANDS = 0.0116, 40
EDGE_FRAMES = 3
"""Frames that reach beyond the samples."""
TREND_SECONDS = 1.0
WIDTH_SECONDS = 0.02
"""Onsets so far apart still fall together: people are not exact, nor are frames."""
LEAST_SECONDS = 4.0


def pulse(samples: Float32[np.ndarray, "samples"], sample_rate: int) -> float:
    """The best autocorrelation of onset strength at lags of .25 to 2 s, median over sections of 10 s of samples [n].

    1 where every onset returns; 0 where nothing sets in; NaN for less than LEAST_SECONDS.
    """
    size = round(SECTION_SECONDS * sample_rate)
    count = max(1, round(len(samples) / size))
    sections = [samples[k * size : (k + 1) * size] for k in range(count)]
    pulses = [_pulse_of(one, sample_rate) for one in sections if len(one) >= LEAST_SECONDS * sample_rate]
    return float(np.median(pulses)) if pulses else float("nan")


def onset_strength(
    samples: Float32[np.ndarray, "samples"], sample_rate: int
) -> tuple[Float64[np.ndarray, "onsets"], float]:
    """Rises of the log-mel, mean over bands, [frames]; and frames a second. The ends are no rise nor fall."""
    hop = 2 * round(HOP_SECONDS * sample_rate / 2)
    levels = log_mel(samples, MelConfig(sample_rate=sample_rate, n_fft=4 * hop, hop_length=hop, n_mels=BANDS))
    floor = levels.max() - RANGE_NEPERS
    return onset_rises(np.maximum(levels, floor)[:, EDGE_FRAMES:-EDGE_FRAMES]), sample_rate / hop


def _pulse_of(section: Float32[np.ndarray, "samples"], sample_rate: int) -> float:
    rises, rate = onset_strength(section, sample_rate)
    if rises.max(initial=0) < LEAST_NEPERS / BANDS:
        return 0.0
    smooth = scipy.ndimage.gaussian_filter1d(rises, WIDTH_SECONDS * rate)
    around = smooth - scipy.ndimage.uniform_filter1d(smooth, round(TREND_SECONDS * rate), mode="nearest")
    longest = min(round(LONGEST_SECONDS * rate), len(around) // 2)
    lags = range(round(SHORTEST_SECONDS * rate), longest + 1)
    return max(0.0, max(_correlation(around[lag:], around[:-lag]) for lag in lags))


def _correlation(a: Float64[np.ndarray, "n"], b: Float64[np.ndarray, "n"]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / max(np.sqrt((a @ a) * (b @ b)), 1e-12))
