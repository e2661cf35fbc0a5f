"""Spectral peaks of music, and the partials they make: tuning, pitch classes, held notes and decay are read from them.

A peak is a local maximum of a frame's magnitude between LOW_HZ and HIGH_HZ, within RANGE_DB of the frame's loudest.
Its frequency and level are those of the parabola through the logarithm of three bins.
"""

from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float32, Float64, Int64
from halfstep.audio.parabola import vertex
from halfstep.audio.stft import framed

LOW_HZ, HIGH_HZ = 110.0, 2000.0
RANGE_DB = 30.0
SILENT_DB = 60.0
"""A frame whose loudest peak lies so far below the loudest of all is silent: it has no peaks."""
WINDOW_SECONDS, HOP_SECONDS = 0.093, 0.0232
"""4096 and 1024 samples at 44.1 kHz."""
FRAMES_AT_ONCE = 256


@dataclass(frozen=True, eq=False, kw_only=True)
class Peaks:
    """Peaks ordered by frame, then frequency: frame [n], cents above 440 Hz [n], magnitude [n]."""

    frame: Int64[np.ndarray, "peaks"]
    cents: Float64[np.ndarray, "peaks"]
    magnitude: Float64[np.ndarray, "peaks"]
    frames_per_second: float

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def energy(self) -> Float64[np.ndarray, "peaks"]:
        return np.square(self.magnitude)


def find_peaks(samples: Float32[np.ndarray, "samples"], sample_rate: int) -> Peaks:
    """Of mono samples [n]: none in silence, nor where there is less sound than a window."""
    size = 2 ** round(np.log2(WINDOW_SECONDS * sample_rate))
    hop, n_fft = round(HOP_SECONDS * sample_rate), 2 * size
    bins = slice(int(LOW_HZ * n_fft / sample_rate), int(np.ceil(HIGH_HZ * n_fft / sample_rate)) + 1)
    frames = framed(samples, size, hop) if len(samples) >= size else np.zeros((0, size))
    hamming = np.hamming(size + 1)[:-1].astype(np.float32)  # as narrow as Hann's, no side lobe within RANGE_DB
    window = 2 * hamming / hamming.sum()
    parts = [(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))]
    for first in range(0, len(frames), FRAMES_AT_ONCE):
        spectrum = np.fft.rfft(frames[first : first + FRAMES_AT_ONCE] * window, n_fft)
        frame, bin_, magnitude = _maxima(np.abs(spectrum[:, bins]).astype(np.float64))
        hz = (bin_ + bins.start) * sample_rate / n_fft
        inside = (hz >= LOW_HZ) & (hz <= HIGH_HZ)
        parts.append((frame[inside] + first, 1200 * np.log2(hz[inside] / 440), magnitude[inside]))
    frame, cents, magnitude = (np.concatenate(part) for part in zip(*parts, strict=True))
    loudest = np.zeros(len(frames))
    np.maximum.at(loudest, frame, magnitude)
    quietest = np.maximum(loudest * 10 ** (-RANGE_DB / 20), 1e-9)
    quietest[loudest < loudest.max(initial=0) * 10 ** (-SILENT_DB / 20)] = np.inf
    kept = magnitude > quietest[frame]
    return Peaks(
        frame=frame[kept], cents=cents[kept], magnitude=magnitude[kept], frames_per_second=sample_rate / hop
    )  # fmt: skip


def _maxima(
    magnitude: Float64[np.ndarray, "frames bins"],
) -> tuple[Int64[np.ndarray, "peaks"], Float64[np.ndarray, "peaks"], Float64[np.ndarray, "peaks"]]:
    """Of spectra [frames, bins]: frame, bin (fractional) and height of every local maximum."""
    left, middle, right = magnitude[:, :-2], magnitude[:, 1:-1], magnitude[:, 2:]
    frame, at = np.nonzero((middle > left) & (middle >= right))
    a, b, c = (np.log(np.maximum(one[frame, at], 1e-12)) for one in (left, middle, right))
    offset, height = vertex(a, b, c)
    return frame, (at + 1 + offset).astype(np.float64), np.exp(height).astype(np.float64)


def next_of(peaks: Peaks, within_cents: float) -> Int64[np.ndarray, "peaks"]:
    """[n]: the index of the peak that goes on with each in the next frame, -1 where none does.

    Two peaks go together if each is the other's nearest, and they are at most `within_cents` apart.
    """
    after, before = _nearest(peaks, 1), _nearest(peaks, -1)
    index = np.arange(len(peaks))
    mutual = (after >= 0) & (before[after] == index)
    near = np.abs(peaks.cents[after] - peaks.cents) <= within_cents
    return np.where(mutual & near, after, -1)


def _nearest(peaks: Peaks, step: int) -> Int64[np.ndarray, "peaks"]:
    """[n]: the peak nearest in cents among those `step` frames on, -1 if that frame has none."""
    if not len(peaks):
        return np.zeros(0, np.int64)
    far = 1e5  # more cents than there are
    key = peaks.frame * far + peaks.cents
    wanted = key + step * far
    right = np.searchsorted(key, wanted).clip(0, len(key) - 1)
    left = (right - 1).clip(0)
    nearest = np.where(np.abs(key[left] - wanted) <= np.abs(key[right] - wanted), left, right)
    return np.where(peaks.frame[nearest] == peaks.frame + step, nearest, -1)
