"""Waveform -> log-mel spectrogram, whole or block by block, by one rule everywhere.

The convention is BigVGAN v2's: magnitude of an STFT with a periodic Hann window, Slaney's mel scale and
normalisation, natural logarithm of max(mel, floor). Frame f is centred at sample f * hop + hop / 2: it covers
n_fft samples from f * hop - (n_fft - hop) / 2 on, with zeros outside the signal.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

BANDS_AT_ONCE = 16
FRAMES_AT_ONCE = 32  # of spectra worked on together: what they need stays in the cache of a core


@dataclass(frozen=True, kw_only=True)
class MelConfig:
    """How a waveform becomes a mel. Raises ValueError where a value makes no sense."""

    sample_rate: int = 44100
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    fmin_hz: float = 0.0
    fmax_hz: float | None = None
    """Upper edge of the highest band; None is half the sample rate."""
    floor: float = 1e-5
    """The smallest mel magnitude told apart from silence."""

    def __post_init__(self) -> None:
        _expect(1000 <= self.sample_rate <= 768_000, "sample_rate", self.sample_rate, "1000 to 768000 Hz")
        _expect(16 <= self.n_fft <= 65536 and self.n_fft % 2 == 0, "n_fft", self.n_fft, "even, 16 to 65536")
        whole_hops = 1 <= self.hop_length <= self.n_fft and (self.n_fft - self.hop_length) % 2 == 0
        _expect(whole_hops, "hop_length", self.hop_length, "even and at most n_fft")
        _expect(1 <= self.n_mels <= self.n_fft // 2, "n_mels", self.n_mels, "1 to n_fft / 2")
        _expect(0 <= self.fmin_hz < self.top_hz, "fmin_hz", self.fmin_hz, "0 or more and below fmax_hz")
        _expect(self.top_hz <= self.sample_rate / 2, "fmax_hz", self.fmax_hz, "at most half the sample rate")
        _expect(0 < self.floor < 1, "floor", self.floor, "between 0 and 1")

    @property
    def top_hz(self) -> float:
        return self.sample_rate / 2 if self.fmax_hz is None else self.fmax_hz

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def lead(self) -> int:
        """Samples that frame 0 reaches before the start of the signal."""
        return (self.n_fft - self.hop_length) // 2

    @property
    def reach(self) -> int:
        """How many frames after its own a frame's samples lie in."""
        return -(-self.n_fft // self.hop_length) - 1

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.hop_length


def _expect(holds: bool, name: str, value: object, wanted: str) -> None:
    if not holds:
        raise ValueError(f"{name} is {value}, expected {wanted}")


def frames_for(seconds: float, config: MelConfig) -> int:
    """Frames that cover `seconds` of sound."""
    return math.ceil(round(seconds * config.sample_rate) / config.hop_length)


@lru_cache(maxsize=16)
def hann(n_fft: int) -> Float32:
    """The periodic Hann window, [n_fft]; read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    window.flags.writeable = False
    return window


def windowed_spectra(framed: Float32) -> NDArray[np.complex64]:
    """Frames [..., n_fft] -> their spectra under a Hann window, [..., bins].

    numpy's "forward" norm divides by n_fft, which the window makes up for; without it the transform takes three times
    as long, since its factor, an integer, leads numpy to double precision.
    """
    n_fft = framed.shape[-1]
    return np.fft.rfft(framed * (hann(n_fft) * np.float32(n_fft)), norm="forward").astype(np.complex64, copy=False)


@lru_cache(maxsize=16)
def filterbank(config: MelConfig) -> Float32:
    """Slaney's triangular filters of equal area, [n_mels, bins]; read-only."""
    edges_hz = band_edges_hz(config)
    bins_hz = np.linspace(0, config.sample_rate / 2, config.bins)
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    filters = (triangles * (2 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).astype(np.float32)
    filters.flags.writeable = False
    return filters


def tiles(matrix: Float32, rows_at_once: int) -> list[tuple[slice, slice]]:
    """Groups of rows, each with the only columns that it has use for, one at least: a filterbank is a narrow band along
    a diagonal, so that few of its products need be made.
    """
    groups = []
    for start in range(0, len(matrix), rows_at_once):
        rows = slice(start, min(start + rows_at_once, len(matrix)))
        used = np.flatnonzero(matrix[rows].any(axis=0))
        groups.append((rows, slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)))
    return groups


@lru_cache(maxsize=16)
def _tiles(config: MelConfig) -> tuple[tuple[slice, slice, Float32], ...]:
    """The filterbank in `tiles`: a sixth of the products."""
    filters = filterbank(config)
    cut = tiles(filters, BANDS_AT_ONCE)
    return tuple((bands, bins, np.ascontiguousarray(filters[bands, bins])) for bands, bins in cut)


def bands_of(spectrum: NDArray[np.floating], config: MelConfig) -> Float32:
    """filterbank @ spectrum: [bins, frames] -> [n_mels, frames]."""
    result = np.empty((config.n_mels, spectrum.shape[1]), np.float32)
    for bands, bins, filters in _tiles(config):
        np.matmul(filters, spectrum[bins], out=result[bands])
    return result


def spread_over_bins(levels: NDArray[np.floating], config: MelConfig) -> Float32:
    """filterbank.T @ levels: [n_mels, frames] -> [bins, frames]."""
    result = np.zeros((config.bins, levels.shape[1]), np.float32)
    for bands, bins, filters in _tiles(config):
        result[bins] += filters.T @ levels[bands]
    return result


def band_edges_hz(config: MelConfig) -> NDArray[np.float64]:
    """Lower edge, centre and upper edge of band b are entries b, b + 1 and b + 2; [n_mels + 2]."""
    low, high = _hz_to_mel(config.fmin_hz), _hz_to_mel(config.top_hz)
    return _mel_to_hz(np.linspace(low, high, config.n_mels + 2))


# Slaney's scale (Auditory Toolbox, 1998): linear to 1 kHz, 27 steps to each factor of 6.4 above.
_HZ_A_MEL = 200 / 3
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_A_MEL
_LOG_STEP = math.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    return hz / _HZ_A_MEL if hz < _BREAK_HZ else _BREAK_MEL + math.log(hz / _BREAK_HZ) / _LOG_STEP


def _mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    above = _BREAK_HZ * np.exp(_LOG_STEP * np.maximum(mel - _BREAK_MEL, 0))
    return np.where(mel < _BREAK_MEL, mel * _HZ_A_MEL, above)


def log_mel(samples: Float32, config: MelConfig) -> Float32:
    """Log-mel of a whole signal: samples [..., n] -> [..., n_mels, ceil(n / hop)] float32."""
    signals = samples.reshape(math.prod(samples.shape[:-1]), samples.shape[-1])
    mels = np.stack([_log_mel_of_one(signal, config) for signal in signals])
    return mels.reshape(*samples.shape[:-1], *mels.shape[1:])


def _log_mel_of_one(samples: Float32, config: MelConfig) -> Float32:
    stream = LogMelStream(config)
    return np.concatenate([stream.push(samples), stream.finish()], axis=1)


def magnitude_to_log_mel(magnitude: Float32, config: MelConfig) -> Float32:
    """[bins, frames] -> [n_mels, frames]."""
    return np.log(np.maximum(bands_of(magnitude, config), np.float32(config.floor)))


class MagnitudeStream:
    """Magnitude spectra of a signal that arrives in blocks; memory does not grow with its length."""

    def __init__(self, config: MelConfig) -> None:
        self.config = config
        self._waiting = np.zeros(config.lead, np.float32)
        self._samples = 0
        self._frames = 0

    def push(self, samples: Float32) -> Float32:
        """samples [n] -> the spectra that are now complete, [bins, k], k may be 0."""
        assert samples.ndim == 1, f"one channel expected, got shape {samples.shape}"
        self._samples += len(samples)
        return self._take(np.concatenate([self._waiting, samples.astype(np.float32, copy=False)]))

    def finish(self) -> Float32:
        """The last spectra [bins, k], which reach past the end of the signal."""
        hop, n_fft = self.config.hop_length, self.config.n_fft
        missing = -(-self._samples // hop) - self._frames
        wanted = (missing - 1) * hop + n_fft if missing else 0
        padding = np.zeros(max(0, wanted - len(self._waiting)), np.float32)
        return self._take(np.concatenate([self._waiting, padding])[:wanted])

    def _take(self, samples: Float32) -> Float32:
        hop, n_fft = self.config.hop_length, self.config.n_fft
        count = max(0, (len(samples) - n_fft) // hop + 1)
        self._frames += count
        self._waiting = samples[count * hop :].copy()
        if count == 0:
            return np.zeros((self.config.bins, 0), np.float32)
        framed = sliding_window_view(samples, n_fft)[::hop][:count]
        parts = [_magnitude(framed[i : i + FRAMES_AT_ONCE]) for i in range(0, count, FRAMES_AT_ONCE)]
        return np.concatenate(parts).T


def _magnitude(framed: Float32) -> Float32:
    """[k, n_fft] -> [k, bins]."""
    return np.abs(windowed_spectra(framed))


class LogMelStream:
    """Log-mel of a signal that arrives in blocks: equal to `log_mel` of the whole, in constant memory."""

    def __init__(self, config: MelConfig) -> None:
        self.config = config
        self._magnitudes = MagnitudeStream(config)

    def push(self, block: Float32) -> Float32:
        """block [n] -> the frames that are now complete, [n_mels, k], k may be 0."""
        return magnitude_to_log_mel(self._magnitudes.push(block), self.config)

    def finish(self) -> Float32:
        """The last frames, [n_mels, k]."""
        return magnitude_to_log_mel(self._magnitudes.finish(), self.config)
