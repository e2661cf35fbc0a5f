"""Spectra back to a signal by overlap and add, as they come."""

import numpy as np

from halfstep.audio.mel import FRAMES_AT_ONCE, Float32, MelConfig, hann
from halfstep.audio.steady import Complex64

LEAST_OVERLAP = np.float32(0.1)  # of squared windows; where there is less, a frame has only its own edge


class Overlap:
    """The signal whose frames are nearest to given spectra (least squares: Griffin & Lim 1984), hop by hop.

    Its first sample is the first that frame 0 reaches. Memory does not grow.
    """

    def __init__(self, config: MelConfig) -> None:
        self._config = config
        self._window = hann(config.n_fft)
        self._tail = np.zeros((0, config.hop_length), np.float32)
        self._weight = np.zeros((0, config.hop_length), np.float32)

    def add(self, spectra: Complex64) -> Float32:
        """The next spectra [k, bins] -> the next k * hop samples, to which no later frame adds."""
        count, hop = len(spectra), self._config.hop_length
        signal, weight = _room(count, self._tail, self._config), _room(count, self._weight, self._config)
        for start in range(0, count, FRAMES_AT_ONCE):
            part = spectra[start : start + FRAMES_AT_ONCE]
            frames = np.fft.irfft(part, self._config.n_fft).astype(np.float32, copy=False)
            add_frames(signal[start:], frames * self._window)
        add_frames(weight, np.broadcast_to(np.square(self._window), (count, len(self._window))))
        self._tail, self._weight = signal[count:], weight[count:]
        return (signal[:count] * reciprocal(weight[:count])).reshape(count * hop)


def add_frames(hops: Float32, frames: Float32) -> None:
    """Add frame f [n_fft] to the hops [n, hop] from f on, in place."""
    hop = hops.shape[1]
    for shift, start in enumerate(range(0, frames.shape[1], hop)):
        part = frames[:, start : start + hop]
        hops[shift : shift + len(frames), : part.shape[1]] += part


def reciprocal(overlap: Float32) -> Float32:
    """1 / overlap, held where there is hardly any."""
    return np.reciprocal(np.maximum(overlap, LEAST_OVERLAP, dtype=np.float32))


def _room(count: int, tail: Float32, config: MelConfig) -> Float32:
    """Hops [count + n_fft / hop - 1, hop] that begin with `tail`."""
    hops = np.zeros((count + -(-config.n_fft // config.hop_length) - 1, config.hop_length), np.float32)
    hops[: len(tail)] = tail
    return hops
