"""From one sound to another that renders the same music, in level and in phase."""

import numpy as np

from halfstep.arrays import Complex, Float32
from halfstep.audio.stft import Ends, griffin_lim

LONGEST_FFT, SHORTEST_FFT = 2048, 8
HOPS = 4
LEAST_FFTS = 3
"""Transforms that fit into what is joined: one at either end is all of one sound."""
ITERATIONS = 24
TINY = 1e-12


def joined(
    left: Float32[np.ndarray, "samples"], right: Float32[np.ndarray, "samples"]
) -> Float32[np.ndarray, "samples"]:
    """[n] that begins as `left` [n], ends as `right` [n] and passes over in between; the two sound at the same time.

    Every line of the spectrum passes from one level to the other, evenly in dB, and its phase on the shorter way
    round: a cross-fade of two tones that agree in pitch but not in phase would fall silent in its middle. Griffin &
    Lim's iteration then makes neighbouring frames agree, without which what has no pitch would lose 3 dB.
    """
    if len(left) < LEAST_FFTS * SHORTEST_FFT:
        return right.copy()
    n_fft = _fft_for(len(left))
    hop = n_fft // HOPS
    count = (len(left) - n_fft) // hop + 1
    covered = (count - 1) * hop + n_fft
    ends = Ends(count, n_fft, hop)
    spectra_left, spectra_right = (ends.spectra(part[:covered]) for part in (left, right))
    # The first frames and the last are all of one sound: only they reach the edges.
    rise = np.clip((np.arange(count) - (HOPS - 1)) / max(1, count - 2 * HOPS + 1), 0, 1).astype(np.float32)[:, None]
    magnitude = _between(np.abs(spectra_left), np.abs(spectra_right), rise)
    turn = np.unwrap(np.angle(spectra_right * np.conj(spectra_left)), axis=0)
    spectra = magnitude * np.exp(1j * (np.angle(spectra_left) + rise * turn))
    begun = spectra.copy()
    between = ((np.arange(count) >= HOPS) & (np.arange(count) < count - HOPS))[:, None]

    def project(ahead: Complex[np.ndarray, "frames bins"], at: slice) -> Complex[np.ndarray, "frames bins"]:
        """The magnitudes between, and at either end the sound itself."""
        with_magnitude = magnitude[at] * ahead / np.maximum(np.abs(ahead), TINY)
        return np.where(between[at], with_magnitude, begun[at])

    spectra = griffin_lim(spectra, ends, ITERATIONS, project)
    mixed = ends.signal(spectra)
    edge = HOPS // 2 * hop
    mixed[:edge], mixed[covered - edge :] = left[:edge], right[covered - edge : covered]
    return np.concatenate([mixed, right[covered:]])


def _between(left: np.ndarray, right: np.ndarray, rise: np.ndarray) -> np.ndarray:
    """Magnitudes [frames, bins] that pass evenly in dB line by line, each frame as loud as it is between the two."""
    lines = (left + TINY) ** (1 - rise) * (right + TINY) ** rise
    power = (1 - rise) * np.square(left).sum(axis=1, keepdims=True) + rise * np.square(right).sum(axis=1, keepdims=True)
    return lines * np.sqrt(power / np.maximum(np.square(lines).sum(axis=1, keepdims=True), TINY))


def _fft_for(count: int) -> int:
    """The longest power of two that fits into `count` samples often enough."""
    n_fft = LONGEST_FFT
    while LEAST_FFTS * n_fft > count:
        n_fft //= 2
    return n_fft
