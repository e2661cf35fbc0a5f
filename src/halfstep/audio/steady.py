"""Phases from magnitudes alone, as if every peak of the spectrum were a steady tone.

Beauregard, Harish & Wyse 2015, "Single pass spectrogram inversion". Arrays are time-major: [..., frames, bins].
"""

import numpy as np
from numpy.typing import NDArray

from halfstep.audio.mel import Float32, MelConfig

Complex64 = NDArray[np.complex64]

TURN = np.float32(2 * np.pi)
TINY = np.float32(1e-12)


def steady_tones(magnitude: Float32, before: Float32, config: MelConfig) -> Complex64:
    """Spectra [..., frames, bins] of that magnitude, every peak a steady tone that continues the phases `before`
    [..., bins].

    A peak's frequency lies where a parabola through its log magnitudes has its top; bins around it turn with
    it, their signs alternating as those of a window centred in its frame do.
    """
    peak, turn = _peaks(magnitude, config)
    phases = np.empty(magnitude.shape, np.float32)
    for frame in range(magnitude.shape[-2]):
        before = _within_a_turn(np.take_along_axis(before, peak[..., frame, :], axis=-1) + turn[..., frame, :])
        phases[..., frame, :] = before
    return _with_phases(magnitude, phases)


def _with_phases(magnitude: Float32, phases: Float32) -> Complex64:
    """magnitude * exp(i phases); sines in single precision are many times faster than a complex exponential."""
    spectra = np.empty(magnitude.shape, np.complex64)
    np.multiply(magnitude, np.cos(phases), out=spectra.real)
    np.multiply(magnitude, np.sin(phases), out=spectra.imag)
    return spectra


def _within_a_turn(angle: Float32) -> Float32:
    """Modulo 2 pi, so that single precision suffices however long the music is."""
    return angle - TURN * np.floor(angle * (1 / TURN))


def _peaks(magnitude: Float32, config: MelConfig) -> tuple[NDArray[np.int32], Float32]:
    """For each bin: the nearest peak's bin, and how far its phase is ahead of that bin's a hop earlier."""
    left, middle, right = magnitude[..., :-2], magnitude[..., 1:-1], magnitude[..., 2:]
    is_peak = np.zeros(magnitude.shape, bool)
    is_peak[..., 1:-1] = (middle >= left) & (middle > right)
    is_peak[..., 0] |= ~is_peak.any(axis=-1)
    bins = np.arange(config.bins, dtype=np.int32)
    none = np.int32(2 * config.bins)
    below = np.maximum.accumulate(np.where(is_peak, bins, -none), axis=-1)
    above = np.minimum.accumulate(np.where(is_peak, bins, none)[..., ::-1], axis=-1)[..., ::-1]
    peak = np.where(bins - below <= above - bins, below, above)

    offset = np.zeros(magnitude.shape, np.float32)
    left, middle, right = (np.log(part + TINY) for part in (left, middle, right))
    curve = np.maximum(2 * middle - left - right, TINY)
    offset[..., 1:-1] = np.clip(0.5 * (right - left) / curve, -0.5, 0.5)
    tone = peak + np.take_along_axis(offset, peak, axis=-1)
    a_hop = np.float32(2 * np.pi * config.hop_length / config.n_fft)
    turn = tone * a_hop + np.float32(np.pi) * ((bins - peak) & 1)
    return peak, _within_a_turn(turn.astype(np.float32, copy=False))
