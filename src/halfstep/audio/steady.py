"""Phases from magnitudes alone, as if every peak of the spectrum were a steady tone.

Beauregard, Harish & Wyse 2015, "Single pass spectrogram inversion". Arrays are time-major: [..., frames, bins].
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Complex64, Float32, Float64, Int
from halfstep.audio.mel import MelConfig
from halfstep.audio.stft import TINY


def steady_tones(
    magnitude: Float32[np.ndarray, "*batch frames bins"], before: Float32[np.ndarray, "... bins"], config: MelConfig
) -> Complex64[np.ndarray, "*batch frames bins"]:
    """Spectra [..., frames, bins] of that magnitude, every peak a steady tone that continues the phases `before`
    [..., bins], in radians.
    """
    return scaled(steady_units(magnitude, before, config), magnitude)


def scaled(
    units: Complex64[np.ndarray, "*shape"], magnitude: Float32[np.ndarray, "*shape"]
) -> Complex64[np.ndarray, "*shape"]:
    """units * magnitude, in its two parts: twice as fast as numpy's product of a complex and a real number."""
    spectra = np.empty(units.shape, np.complex64)
    np.multiply(np.real(units), magnitude, out=spectra.real)
    np.multiply(np.imag(units), magnitude, out=spectra.imag)
    return spectra


def steady_units(
    magnitude: Float32[np.ndarray, "*batch frames bins"], before: Float32[np.ndarray, "... bins"], config: MelConfig
) -> Complex64[np.ndarray, "*batch frames bins"]:
    """exp(i phase) of `steady_tones`, [..., frames, bins].

    A peak's frequency lies where a parabola through its log magnitudes has its top; the bins that are nearest to it
    turn with it, their signs alternating as those of a window centred in its frame do.
    """
    frames = magnitude.shape[-2]
    clips = math.prod(magnitude.shape[:-2])
    # Rows of one frame follow each other, so that the peaks of a frame, of all clips, are one slice.
    rows = np.moveaxis(magnitude.reshape(clips, frames, config.bins), 1, 0).reshape(frames * clips, config.bins)
    maxima = _peaks(rows, config)
    phases = _running(maxima, np.broadcast_to(before, (*magnitude.shape[:-2], config.bins)).reshape(-1), clips, frames)
    phases += np.float32(np.pi) * (maxima.bins & 1).astype(np.float32)
    peaks = np.empty(len(phases), np.complex64)  # sines in single precision are many times faster than a complex exp
    np.cos(phases, out=peaks.real)
    np.sin(phases, out=peaks.imag)
    units = peaks[maxima.nearest]
    np.negative(units[:, 1::2], out=units[:, 1::2])
    return np.moveaxis(units.reshape(frames, clips, config.bins), 0, 1).reshape(magnitude.shape)


@dataclass(frozen=True)
class _Peaks:
    """All peaks of rows of magnitudes, in order. ends: of each row, how many there are up to its end. bins: where they
    are. nearest [rows, bins]: which of them is nearest. turns: by how much each turns in a hop, in radians.
    """

    ends: Int[np.ndarray, "rows"]
    bins: Int[np.ndarray, "peaks"]
    nearest: Int[np.ndarray, "rows bins"]
    turns: Float64[np.ndarray, "peaks"]


def _peaks(rows: Float32[np.ndarray, "rows bins"], config: MelConfig) -> _Peaks:
    """Of magnitudes [rows, bins]; a row without any has one at bin 0."""
    falling = rows[:, :-1] > rows[:, 1:]
    is_peak = np.zeros(rows.shape, bool)
    np.greater(falling[:, 1:], falling[:, :-1], out=is_peak[:, 1:-1])
    counts = np.count_nonzero(is_peak, axis=1)
    is_peak[:, 0] = counts == 0
    counts = np.maximum(counts, 1)
    ends = np.cumsum(counts)
    places = np.flatnonzero(is_peak)
    peak = places - np.repeat(np.arange(len(rows)) * config.bins, counts)

    # Half-way between two peaks of a row belongs to the lower one.
    starts = places.copy()
    starts[1:] = (places[1:] + places[:-1]) // 2 + 1
    starts[ends - counts] = np.arange(len(rows)) * config.bins
    nearest = np.repeat(np.arange(len(places)), np.diff(starts, append=rows.size)).reshape(rows.shape)

    flat = rows.reshape(-1)
    around = (flat[np.maximum(places - 1, 0)], flat[places], flat[np.minimum(places + 1, rows.size - 1)])
    left, middle, right = (np.log(part + TINY) for part in around)
    curve = np.maximum(2 * middle - left - right, TINY)
    offset = np.clip(np.float32(0.5) * (right - left) / curve, -0.5, 0.5)
    offset[peak == 0] = 0
    hops = (peak + offset.astype(np.float64)) * (config.hop_length / config.n_fft)  # whole turns take many digits
    return _Peaks(ends, peak, nearest, 2 * np.pi * (hops - np.floor(hops)))


def _running(
    maxima: _Peaks, before: Float32[np.ndarray, "phases"], clips: int, frames: int
) -> Float32[np.ndarray, "peaks"]:
    """The phase of every peak: that which its bin had a hop earlier, turned on; in float64, since it grows."""
    bins = maxima.nearest.shape[1]
    ends = maxima.ends[clips - 1 :: clips]  # of all clips' peaks of each frame
    if frames == 0:
        return np.zeros(0, np.float32)
    places = maxima.bins + np.repeat(np.arange(clips * frames) * bins, np.diff(maxima.ends, prepend=0))
    first, phases = ends[0], maxima.turns.copy()
    phases[:first] += before[places[:first]]
    # Which peak each bin of the frame before belonged to, and whether it stood an odd number of bins from it.
    parents = maxima.nearest.reshape(-1)[places[first:] - clips * bins]
    phases[first:] += np.pi * ((maxima.bins[first:] - maxima.bins[parents]) & 1)
    for start, end in itertools.pairwise(ends):
        phases[start:end] += phases[parents[start - first : end - first]]
    return (phases - 2 * np.pi * np.floor(phases / (2 * np.pi))).astype(np.float32)
