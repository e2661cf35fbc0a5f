"""Waveform -> log of spectral bands, whole or block by block, by one rule everywhere.

The usual bands are a mel spectrogram in BigVGAN v2's convention: magnitude of an STFT with a periodic Hann window,
Slaney's mel scale and normalisation, natural logarithm of max(mel, floor). Bands that hold pitch lie evenly in
log(1 + f / break_hz) instead (`spacing`), of a window that is longer than a mel's. Frame f is centred at sample
f * hop + hop / 2: it covers `window` samples from f * hop - (window - hop) / 2 on, with zeros outside the signal.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from halfstep.arrays import Complex64, Float, Float32, Float64
from halfstep.audio.scales import SPACINGS
from halfstep.audio.stft import chunks, framed, windowed_spectra

BANDS_AT_ONCE = 16
MOST_IMAGE_BANDS = 64


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
    spacing: str = "slaney"
    """How the bands lie, a key of SPACINGS."""
    break_hz: float = 150.0
    """With the spacing "log": below it bands are nearly as wide as each other, above it they grow with frequency."""
    window_length: int | None = None
    """Samples of the window, padded with zeros to n_fft; None is n_fft."""
    image_bands: int = 0
    """Of the stereo image that is kept beside the bands of the mid (`audio/image.py`); 0: there is one channel."""

    def __post_init__(self) -> None:
        _expect(1000 <= self.sample_rate <= 768_000, "sample_rate", self.sample_rate, "1000 to 768000 Hz")
        _expect(16 <= self.n_fft <= 65536 and self.n_fft % 2 == 0, "n_fft", self.n_fft, "even, 16 to 65536")
        _expect(16 <= self.window <= self.n_fft, "window_length", self.window_length, "16 to n_fft")
        whole_hops = 1 <= self.hop_length <= self.window and (self.window - self.hop_length) % 2 == 0
        _expect(whole_hops, "hop_length", self.hop_length, "even and at most the window's length")
        _expect(self.spacing in SPACINGS, "spacing", self.spacing, f"one of {', '.join(SPACINGS)}")
        _expect(1 <= self.break_hz <= 20_000, "break_hz", self.break_hz, "1 to 20000 Hz")
        _expect(1 <= self.n_mels <= self.n_fft // 2, "n_mels", self.n_mels, "1 to n_fft / 2")
        _expect(0 <= self.fmin_hz < self.top_hz, "fmin_hz", self.fmin_hz, "0 or more and below fmax_hz")
        _expect(self.top_hz <= self.sample_rate / 2, "fmax_hz", self.fmax_hz, "at most half the sample rate")
        _expect(0 < self.floor < 1, "floor", self.floor, "between 0 and 1")
        few = min(MOST_IMAGE_BANDS, self.n_mels)
        _expect(0 <= self.image_bands <= few, "image_bands", self.image_bands, f"0 to {few}")

    @property
    def top_hz(self) -> float:
        return self.sample_rate / 2 if self.fmax_hz is None else self.fmax_hz

    @property
    def channels(self) -> int:
        """Of the sound that it describes: 2 with an image."""
        return 2 if self.image_bands else 1

    @property
    def rows(self) -> int:
        """Values of a frame: the bands, and two for each band of the image."""
        return self.n_mels + 2 * self.image_bands

    @property
    def mid(self) -> "MelConfig":
        """The same of one channel."""
        return replace(self, image_bands=0)

    @property
    def window(self) -> int:
        """Samples of a frame."""
        return self.n_fft if self.window_length is None else self.window_length

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def lead(self) -> int:
        """Samples that frame 0 reaches before the start of the signal."""
        return (self.window - self.hop_length) // 2

    @property
    def reach(self) -> int:
        """How many frames after its own a frame's samples lie in."""
        return -(-self.window // self.hop_length) - 1

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
def filterbank(config: MelConfig) -> Float32[np.ndarray, "{config.n_mels} {config.bins}"]:
    """Triangular filters [n_mels, bins], read-only: Slaney's of equal area, those spaced in log of unit sum."""
    edges_hz = band_edges_hz(config)
    bins_hz = np.linspace(0, config.sample_rate / 2, config.bins)
    rising = (bins_hz - edges_hz[:-2, None]) / np.diff(edges_hz)[:-1, None]
    falling = (edges_hz[2:, None] - bins_hz) / np.diff(edges_hz)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    gain = SPACINGS[config.spacing].gain(triangles, edges_hz)
    filters = (triangles * gain[:, None]).astype(np.float32)
    filters.flags.writeable = False
    return filters


def tiles(matrix: Float32[np.ndarray, "rows columns"], rows_at_once: int) -> list[tuple[slice, slice]]:
    """Groups of rows, each with the only columns that it has use for, one at least: a filterbank is a narrow band along
    a diagonal, so that few of its products need be made.
    """
    groups: list[tuple[slice, slice]] = []
    for start in range(0, len(matrix), rows_at_once):
        rows = slice(start, min(start + rows_at_once, len(matrix)))
        used = np.flatnonzero(matrix[rows].any(axis=0))
        groups.append((rows, slice(int(used[0]), int(used[-1]) + 1) if len(used) else slice(0, 1)))
    return groups


@lru_cache(maxsize=16)
def _tiles(config: MelConfig) -> tuple[tuple[slice, slice, Float32[np.ndarray, "bands bins"]], ...]:
    """The filterbank in `tiles`: a sixth of the products."""
    filters = filterbank(config)
    cut = tiles(filters, BANDS_AT_ONCE)
    return tuple((bands, bins, np.ascontiguousarray(filters[bands, bins])) for bands, bins in cut)


def bands_of(spectrum: Float[np.ndarray, "bins frames"], config: MelConfig) -> Float32[np.ndarray, "bands frames"]:
    """filterbank @ spectrum: [bins, frames] -> [n_mels, frames]."""
    return np.concatenate([filters @ spectrum[bins] for _, bins, filters in _tiles(config)])


def spread_over_bins(
    levels: Float[np.ndarray, "bands frames"], config: MelConfig
) -> Float32[np.ndarray, "bins frames"]:
    """filterbank.T @ levels: [n_mels, frames] -> [bins, frames]."""
    result = np.zeros((config.bins, levels.shape[1]), np.float32)
    for bands, bins, filters in _tiles(config):
        result[bins] += filters.T @ levels[bands]
    return result


def band_edges_hz(config: MelConfig) -> Float64[np.ndarray, "{config.n_mels+2}"]:
    """Lower edge, centre and upper edge of band b are entries b, b + 1 and b + 2; [n_mels + 2]."""
    spacing = SPACINGS[config.spacing]
    low, high = (spacing.from_hz(hz, config.break_hz) for hz in (config.fmin_hz, config.top_hz))
    return spacing.to_hz(np.linspace(low, high, config.n_mels + 2), config.break_hz)


def log_mel(
    samples: Float32[np.ndarray, "*channels samples"], config: MelConfig
) -> Float32[np.ndarray, "*channels bands frames"]:
    """Log-mel of a whole signal: samples [..., n] -> [..., n_mels, ceil(n / hop)] float32."""
    signals = samples.reshape(math.prod(samples.shape[:-1]), samples.shape[-1])
    mels = np.stack([_log_mel_of_one(signal, config) for signal in signals])
    return mels.reshape(*samples.shape[:-1], *mels.shape[1:])


def _log_mel_of_one(samples: Float32[np.ndarray, "samples"], config: MelConfig) -> Float32[np.ndarray, "bands frames"]:
    stream = LogMelStream(config)
    return np.concatenate([stream.push(samples), stream.finish()], axis=1)


def magnitude_to_log_mel(
    magnitude: Float32[np.ndarray, "bins frames"], config: MelConfig
) -> Float32[np.ndarray, "bands frames"]:
    """[bins, frames] -> [n_mels, frames]."""
    return np.log(np.maximum(bands_of(magnitude, config), np.float32(config.floor)))


class SpectraStream:
    """Spectra of a signal that arrives in blocks; memory does not grow with its length."""

    def __init__(self, config: MelConfig) -> None:
        self.config = config
        self._waiting = np.zeros(config.lead, np.float32)
        self._samples = 0
        self._frames = 0

    def push(self, samples: Float32[np.ndarray, "samples"]) -> Iterator[Complex64[np.ndarray, "frames bins"]]:
        """samples [n] -> the spectra that are now complete, some frames at a time; all are to be taken."""
        assert samples.ndim == 1, f"one channel expected, got shape {samples.shape}"
        self._samples += len(samples)
        return self._take(np.concatenate([self._waiting, samples.astype(np.float32, copy=False)]))

    def finish(self) -> Iterator[Complex64[np.ndarray, "frames bins"]]:
        """The last spectra, which reach past the end of the signal."""
        hop, window = self.config.hop_length, self.config.window
        missing = -(-self._samples // hop) - self._frames
        wanted = (missing - 1) * hop + window if missing else 0
        padding = np.zeros(max(0, wanted - len(self._waiting)), np.float32)
        return self._take(np.concatenate([self._waiting, padding])[:wanted])

    def _take(self, samples: Float32[np.ndarray, "samples"]) -> Iterator[Complex64[np.ndarray, "frames bins"]]:
        hop, window = self.config.hop_length, self.config.window
        count = max(0, (len(samples) - window) // hop + 1)
        self._frames += count
        self._waiting = samples[count * hop :].copy()
        if count == 0:
            return iter(())
        frames = framed(samples, window, hop)
        return (windowed_spectra(frames[at], self.config.n_fft) for at in chunks(count))


class MagnitudeStream:
    """Magnitude spectra of a signal that arrives in blocks; memory does not grow with its length."""

    def __init__(self, config: MelConfig) -> None:
        self.config = config
        self._spectra = SpectraStream(config)

    def push(self, samples: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "bins frames"]:
        """samples [n] -> the spectra that are now complete, [bins, k], k may be 0."""
        return self._joined(self._spectra.push(samples))

    def finish(self) -> Float32[np.ndarray, "bins frames"]:
        """The last spectra [bins, k], which reach past the end of the signal."""
        return self._joined(self._spectra.finish())

    def _joined(self, spectra: Iterator[Complex64[np.ndarray, "frames bins"]]) -> Float32[np.ndarray, "bins frames"]:
        parts = [np.abs(part) for part in spectra]
        return np.concatenate(parts).T if parts else np.zeros((self.config.bins, 0), np.float32)


class LogMelStream:
    """Log-mel of a signal that arrives in blocks: equal to `log_mel` of the whole, in constant memory."""

    def __init__(self, config: MelConfig) -> None:
        self.config = config
        self._magnitudes = MagnitudeStream(config)

    def push(self, block: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "bands frames"]:
        """block [n] -> the frames that are now complete, [n_mels, k], k may be 0."""
        return magnitude_to_log_mel(self._magnitudes.push(block), self.config)

    def finish(self) -> Float32[np.ndarray, "bands frames"]:
        """The last frames, [n_mels, k]."""
        return magnitude_to_log_mel(self._magnitudes.finish(), self.config)
