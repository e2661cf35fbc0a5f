"""Spectra back to a signal by overlap and add, as they come."""

import numpy as np

from halfstep.audio.mel import FRAMES_AT_ONCE, Float32, MelConfig, hann, in_padding
from halfstep.audio.steady import Complex64

LEAST_OVERLAP = np.float32(0.1)  # of squared windows; where there is less, a frame has only its own edge


class Overlap:
    """The signal whose frames are nearest to given spectra (least squares: Griffin & Lim 1984), hop by hop.

    Its first sample is the first that frame 0 reaches. Memory does not grow.
    """

    def __init__(self, config: MelConfig) -> None:
        self._config = config
        self._window = hann(config.window)
        self._place = in_padding(config.window, config.n_fft)
        reach = config.reach + 1
        # Window overlap of the first hops; from the last of these on it is the same.
        self._gain = np.zeros((2 * reach - 1, config.hop_length), np.float32)
        add_frames(self._gain, np.broadcast_to(np.square(self._window), (reach, config.window)))
        self._gain = reciprocal(self._gain[:reach])
        self._tail = np.zeros((reach - 1, config.hop_length), np.float32)
        self._given = 0

    def add(self, spectra: Complex64) -> Float32:
        """The next spectra [k, bins] -> the next k * hop samples, to which no later frame adds."""
        count, hop = len(spectra), self._config.hop_length
        signal = np.zeros((count + len(self._tail), hop), np.float32)
        signal[: len(self._tail)] = self._tail
        for start in range(0, count, FRAMES_AT_ONCE):
            frames = np.fft.irfft(spectra[start : start + FRAMES_AT_ONCE], self._config.n_fft)[:, self._place]
            frames *= self._window
            add_frames(signal[start:], frames.astype(np.float32, copy=False))
        self._tail = signal[count:].copy()
        which = np.minimum(np.arange(self._given, self._given + count), len(self._gain) - 1)
        self._given = min(self._given + count, len(self._gain))
        return (signal[:count] * self._gain[which]).reshape(count * hop)


def add_frames(hops: Float32, frames: Float32) -> None:
    """Add frame f [window] to the hops [n, hop] from f on, in place."""
    hop = hops.shape[1]
    for shift, start in enumerate(range(0, frames.shape[1], hop)):
        part = frames[:, start : start + hop]
        hops[shift : shift + len(frames), : part.shape[1]] += part


def reciprocal(overlap: Float32) -> Float32:
    """1 / overlap, held where there is hardly any."""
    return np.reciprocal(np.maximum(overlap, LEAST_OVERLAP, dtype=np.float32))
