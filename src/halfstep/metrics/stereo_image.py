"""The stereo image of recordings and of what a model makes: level difference and coherence of left and right.

    measured = measure_stereo(pairs, 44100)                         # waveforms [n, 2, samples]
    figures = judge_stereo(measured, measure_stereo(real, 44100))   # {"coherence": Figure(...), ...}

Both are taken in BANDS bands of frames of 93 ms; each counts as loud as it is (Stevens's power law), and what lies
RANGE_DB below the loudest of its window not at all. Coherence is the real part of the normalised cross-spectrum.
"""

from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float, Float32, Float64, Int
from halfstep.audio.image import powers
from halfstep.audio.mel import MelConfig, SpectraStream
from halfstep.metrics.bootstrap import RESAMPLES, spread
from halfstep.metrics.judge import Figure

BANDS = 20
FRAME_SECONDS = 4096 / 44100
RANGE_DB = 60.0
STEVENS = 0.3
MOST_DB = 30.0
LEVELS, COHERENCES = 60, 40
"""Bins of the histograms: of 1 dB, from -MOST_DB to MOST_DB, and of .05, from -1 to 1."""


@dataclass(frozen=True, eq=False)
class StereoMeasured:
    """Of n windows, each share of loudness a bin: levels [n, LEVELS], coherences [n, COHERENCES]; of silence zeros.

    means [n, 2]: of |level difference| in dB, and of coherence; NaN in silence.
    """

    means: Float64[np.ndarray, "windows 2"]
    levels: Float64[np.ndarray, "windows levels"]
    coherences: Float64[np.ndarray, "windows coherences"]

    def __len__(self) -> int:
        return len(self.means)


def measure_stereo(pairs: Float32[np.ndarray, "windows 2 samples"], sample_rate: int) -> StereoMeasured:
    """Of waveforms [n, 2, samples]: left and right."""
    measured = [_measured(pair, sample_rate) for pair in pairs]
    return StereoMeasured(*(np.stack([one[part] for one in measured]) for part in range(3)))


def level_and_coherence(
    pair: Float32[np.ndarray, "2 samples"], sample_rate: int
) -> tuple[
    Float64[np.ndarray, "bands frames"], Float64[np.ndarray, "bands frames"], Float64[np.ndarray, "bands frames"]
]:
    """Level of left over right in dB, within MOST_DB, coherence, and how much each counts; the last sums to 1, or to 0
    in silence.
    """
    window = 4 * round(FRAME_SECONDS * sample_rate / 4)
    config = MelConfig(
        sample_rate=sample_rate, n_fft=window, hop_length=window // 2, n_mels=BANDS, spacing="log", fmin_hz=30.0
    )
    streams = [SpectraStream(config) for _ in pair]
    spectra = [
        np.concatenate([*stream.push(channel), *stream.finish()]) for stream, channel in zip(streams, pair, strict=True)
    ]
    left, right, both = (part.astype(np.float64) for part in powers(spectra[0], spectra[1], config))
    level = np.clip(10 * np.log10(left / right), -MOST_DB, MOST_DB)
    coherence = np.clip(both / np.sqrt(left * right), -1, 1)
    power = left + right
    floor, loudest = 2 * np.finfo(np.float32).eps, power.max(initial=0)
    weights = np.where(power > loudest * 10 ** (-RANGE_DB / 10), power**STEVENS, 0)
    silent = np.abs(pair).max(initial=0) <= floor
    return level, coherence, 0 * weights if silent else weights / weights.sum()


def _measured(
    pair: Float32[np.ndarray, "2 samples"], sample_rate: int
) -> tuple[Float64[np.ndarray, "2"], Float64[np.ndarray, "levels"], Float64[np.ndarray, "coherences"]]:
    level, coherence, weights = level_and_coherence(pair, sample_rate)
    levels, _ = np.histogram(level, LEVELS, (-MOST_DB, MOST_DB), weights=weights)
    coherences, _ = np.histogram(coherence, COHERENCES, (-1, 1), weights=weights)
    means = np.array([(weights * np.abs(level)).sum(), (weights * coherence).sum()])
    return means if weights.any() else np.full(2, np.nan), levels, coherences


def judge_stereo(
    measured: StereoMeasured, reference: StereoMeasured | None, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Figure]:
    """level_difference_db and coherence, means over the windows; and level_distance_db and coherence_distance, how far
    their distributions must be moved to be those of the reference (Wasserstein's first distance), which are left out
    without one. Each with its interval from resampled windows, the reference resampled too.
    """
    rng = np.random.default_rng(seed)
    figures = {
        name: _mean(measured.means[:, k], rng, resamples) for k, name in enumerate(("level_difference_db", "coherence"))
    }
    if reference is not None:
        pairs = (
            ("level_distance_db", measured.levels, reference.levels, 2 * MOST_DB / LEVELS),
            ("coherence_distance", measured.coherences, reference.coherences, 2 / COHERENCES),
        )
        figures |= {name: _distance(x, y, width, rng, resamples) for name, x, y, width in pairs}
    return figures


def _mean(values: Float64[np.ndarray, "windows"], rng: np.random.Generator, resamples: int) -> Figure:
    there = np.isfinite(values)
    if not there.any():
        return Figure(value=float("nan"), windows=len(values), note="silent")
    estimate = float(values[there].mean())

    def statistic(counts: Int[np.ndarray, "windows"]) -> float:
        kept = counts[there]
        return float(values[there] @ kept / kept.sum()) if kept.any() else estimate

    return Figure.of(estimate, spread(statistic, len(values), rng, resamples), len(values))


def _distance(
    x: Float64[np.ndarray, "windows bins"], y: Float64[np.ndarray, "others bins"], width: float,
    rng: np.random.Generator, resamples: int,
) -> Figure:  # fmt: skip
    estimate = moved(x.sum(0), y.sum(0), width)
    if not np.isfinite(estimate):
        return Figure(value=estimate, windows=len(x), note="silent")

    def statistic(counts: Int[np.ndarray, "windows"]) -> float:
        of_reference = rng.multinomial(len(y), np.full(len(y), 1 / len(y)))
        distance = moved(counts @ x, of_reference @ y, width)
        return distance if np.isfinite(distance) else estimate

    return Figure.of(estimate, spread(statistic, len(x), rng, resamples), len(x))


def moved(one: Float[np.ndarray, "bins"], other: Float[np.ndarray, "bins"], width: float) -> float:
    """How far, in the mean, what one histogram counts must be moved to give the other; bins are `width` wide. NaN where
    one is empty.
    """
    if not (one.any() and other.any()):
        return float("nan")
    return float(np.abs(np.cumsum(one / one.sum() - other / other.sum())).sum() * width)
