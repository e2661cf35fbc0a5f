"""How far a waveform is from the one it was made from: spectra, log-mel, level, pitch. numpy alone, but for BS.1770.

Signals are [n] or [channels, n]; two that are compared have one shape, and all their channels count as one measure.
A spectrogram's frame f is centred at sample f * hop, the signal mirrored at its ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from halfstep.arrays import Float, Float32
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.audio.stft import framed, hann

Samples = Float[np.ndarray, "..."]

LEAST_MAGNITUDE = 1e-4
"""Below it a spectral line counts as this: -134 dB of a sine at full scale where the window has 2048 samples."""
LSD_N_FFT, LSD_HOP = 2048, 512
FRAMES_AT_ONCE = 1024
PITCH_WINDOW_SECONDS = 2048 / 44100
HOPS_A_WINDOW = 8


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """A spectrogram's grid: a Hann window of `window` samples, zero-padded around to n_fft."""

    n_fft: int
    hop: int
    window: int


PARALLEL_WAVEGAN = (
    Resolution(n_fft=1024, hop=120, window=600),
    Resolution(n_fft=2048, hop=240, window=1200),
    Resolution(n_fft=512, hop=50, window=240),
)


def multi_resolution_stft_distance(
    estimate: Samples, reference: Samples, resolutions: tuple[Resolution, ...] = PARALLEL_WAVEGAN
) -> float:
    """Spectral convergence + mean |difference of natural log magnitudes|, averaged over three resolutions.

    Yamamoto et al. 2020 (arXiv:1910.11480), eq. 4 to 6. Of g * reference it is |g - 1| + |ln g|. The convergence is
    |found - reference| / |reference| over all of a spectrogram, so it is not symmetric. ValueError: shapes differ.
    """
    pair = _pair(estimate, reference)
    return float(np.mean([_convergence_and_log(pair, resolution) for resolution in resolutions]))


def log_spectral_distance(estimate: Samples, reference: Samples) -> float:
    """In dB: RMS over the bins of a frame, mean over frames (2048 samples, 512 apart). ValueError: shapes differ."""
    estimate, reference = _pair(estimate, reference)
    total, frames = 0.0, 0
    grid = Resolution(n_fft=LSD_N_FFT, hop=LSD_HOP, window=LSD_N_FFT)
    for a, b in zip(_magnitudes(estimate, grid), _magnitudes(reference, grid), strict=True):
        decibels = 20 * np.log10(a / b)
        total += float(np.sqrt((decibels**2).mean(axis=-1)).sum())
        frames += len(decibels)
    return total / frames


def mel_l1(estimate: Samples, reference: Samples, config: MelConfig | None = None) -> float:
    """Mean |difference| of halfstep's own log-mels, in nepers. ValueError: shapes differ."""
    estimate, reference = _pair(estimate, reference)
    config = config or MelConfig()
    return float(np.abs(log_mel(estimate, config) - log_mel(reference, config)).mean(dtype=np.float64))


def loudness_matched(estimate: Samples, reference: Samples, sample_rate: int | None = None) -> Samples:
    """`found` at the reference's level: equal RMS, or equal loudness by BS.1770 if a sample rate is given.

    BS.1770 needs .4 s of sound. What is silent (by BS.1770, below -70 LUFS), or is to become so, stays as it is.
    """
    if sample_rate is None:
        level, wanted = (float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) for part in (estimate, reference))
        gain = wanted / level if level and wanted else 1.0
    else:
        level, wanted = (integrated_lufs(part, sample_rate) for part in (estimate, reference))
        gain = 10 ** ((wanted - level) / 20) if np.isfinite([level, wanted]).all() else 1.0
    return estimate * estimate.dtype.type(gain)


@dataclass(frozen=True, kw_only=True)
class Pitch:
    """Of a tone that should be steady, against the frequency it should have."""

    cents: float
    """Median |deviation|."""
    flutter_cents: float
    """Standard deviation from frame to frame (5.8 ms)."""


def pitch_of_tone(samples: Samples, sample_rate: int, frequency_hz: float) -> Pitch:
    """How far from `frequency_hz`, and how unsteady, a tone within half a semitone of it is; meant for 220-880 Hz.

    From the phase that a Hann window of 46 ms, tuned to `frequency_hz`, gains from frame to frame: harmonics and
    level do not matter. Only whole windows count. ValueError if there are fewer than two, or nothing sounds.
    """
    window = round(PITCH_WINDOW_SECONDS * sample_rate / HOPS_A_WINDOW) * HOPS_A_WINDOW
    hop, turn = window // HOPS_A_WINDOW, 2 * np.pi * frequency_hz / sample_rate
    signals = np.atleast_2d(samples).astype(np.float64)
    if signals.shape[1] < window + hop:
        raise ValueError(f"a tone of {signals.shape[1]} samples: at least {window + hop} were expected")
    probe = hann(window) * np.exp(-1j * turn * np.arange(window))
    phasors = sliding_window_view(signals, window, axis=1)[:, ::hop] @ probe
    if not np.abs(phasors).min() > 0:
        raise ValueError(f"nothing sounds near {frequency_hz:g} Hz in some frame: a steady tone was expected")
    ahead = np.angle(phasors[:, 1:] * np.conj(phasors[:, :-1]) * np.exp(-1j * turn * hop))
    cents = 1200 * np.log2(1 + ahead / (turn * hop))
    return Pitch(cents=float(np.median(np.abs(cents))), flutter_cents=float(cents.std(axis=1).mean()))


def _pair(estimate: Samples, reference: Samples) -> tuple[Any, Any]:
    """Both as [channels, n] float32."""
    if estimate.shape != reference.shape or estimate.ndim not in (1, 2) or estimate.size == 0:
        raise ValueError(f"shapes {estimate.shape} and {reference.shape}: twice [n] or [channels, n] was expected")
    first, second = (np.atleast_2d(part).astype(np.float32, copy=False) for part in (estimate, reference))
    return first, second


def _convergence_and_log(pair: tuple[Samples, Samples], resolution: Resolution) -> float:
    difference = energy = logs = 0.0
    count = 0
    for a, b in zip(*(_magnitudes(part, resolution) for part in pair), strict=True):
        difference += float(np.square(a - b, dtype=np.float64).sum())
        energy += float(np.square(b, dtype=np.float64).sum())
        logs += float(np.abs(np.log(a / b)).sum(dtype=np.float64))
        count += a.size
    return (difference / energy) ** 0.5 + logs / count


def _magnitudes(signals: Samples, grid: Resolution) -> Iterator[Float32[np.ndarray, "..."]]:
    """Magnitudes [k, bins], at least LEAST_MAGNITUDE, of all frames of [channels, n], some at a time."""
    window = _padded_hann(grid)
    for signal in signals:
        padded = np.pad(signal, grid.n_fft // 2, mode="reflect")
        frames = framed(padded, grid.n_fft, grid.hop)
        for start in range(0, len(frames), FRAMES_AT_ONCE):
            spectra = np.fft.rfft(frames[start : start + FRAMES_AT_ONCE] * window)
            yield np.maximum(np.abs(spectra), np.float32(LEAST_MAGNITUDE)).astype(np.float32, copy=False)


@lru_cache(maxsize=16)
def _padded_hann(grid: Resolution) -> Float32[np.ndarray, "..."]:
    before = (grid.n_fft - grid.window) // 2
    return np.pad(hann(grid.window), (before, grid.n_fft - grid.window - before))


def integrated_lufs(samples: Samples, sample_rate: int) -> float:
    """By BS.1770, of at least .4 s; -inf for silence."""
    # Late: it brings scipy, and most callers match by RMS.
    import pyloudnorm

    return float(pyloudnorm.Meter(sample_rate).integrated_loudness(np.atleast_2d(samples).astype(np.float64).T))
