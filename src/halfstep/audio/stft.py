"""The short-time Fourier transform: frames, their spectra under a Hann window, and a signal from spectra.

A signal begins and ends somehow, and frames overlap accordingly: `OverlapStream` gives a signal hop by hop as its
spectra come, `Circle` has one that repeats, `Ends` one that is no longer than its frames. Whatever the boundary, frames
are added by `add_frames`, and `griffin_lim` moves phases towards those of a signal. Spectra are time-major:
[frames, bins].
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from halfstep.arrays import Complex, Complex64, Float, Float32

Array: TypeAlias = Any  # numpy array or torch tensor: arithmetic alone, so both pass through

FRAMES_AT_ONCE = 32  # of spectra worked on together: what they need stays in the cache of a core
LEAST_OVERLAP = np.float32(0.1)  # of squared windows; where there is less, a frame has only its own edge
TINY = np.float32(1e-12)


class Framing(Protocol):
    """How frames lie on a signal, as a `MelConfig` says: samples of a frame, of its transform, between two frames."""

    @property
    def window(self) -> int: ...
    @property
    def n_fft(self) -> int: ...
    @property
    def hop_length(self) -> int: ...
    @property
    def reach(self) -> int: ...


@lru_cache(maxsize=16)
def hann(n_fft: int) -> Float32[np.ndarray, "{n_fft}"]:
    """The periodic Hann window, [n_fft]; read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)).astype(np.float32)
    window.flags.writeable = False
    return window


def in_padding(window: int, n_fft: int) -> slice:
    """Where a frame of `window` samples lies in the middle of n_fft."""
    start = (n_fft - window) // 2
    return slice(start, start + window)


def chunks(count: int) -> list[slice]:
    """`count` frames, FRAMES_AT_ONCE at a time."""
    return [slice(at, min(at + FRAMES_AT_ONCE, count)) for at in range(0, count, FRAMES_AT_ONCE)]


def framed(samples: Float32[np.ndarray, "samples"], window: int, hop: int) -> Float32[np.ndarray, "frames {window}"]:
    """Samples [n] -> the frames [frames, window] that lie in them, a hop apart; a view."""
    return sliding_window_view(samples, window)[::hop]


def windowed_spectra(
    frames: Float32[np.ndarray, "*batch window"], n_fft: int | None = None
) -> Complex64[np.ndarray, "*batch bins"]:
    """Frames [..., window] -> their spectra under a Hann window, [..., bins], padded evenly with zeros to n_fft (None:
    not at all).

    numpy's "forward" norm divides by n_fft, which the window makes up for; without it the transform takes three times
    as long, since its factor, an integer, leads numpy to double precision.
    """
    window = frames.shape[-1]
    size = window if n_fft is None else n_fft
    shaped = frames * (hann(window) * np.float32(size))
    if size > window:
        padded = np.zeros((*frames.shape[:-1], size), np.float32)
        padded[..., in_padding(window, size)] = shaped
        shaped = padded
    return np.fft.rfft(shaped, norm="forward").astype(np.complex64, copy=False)


def windowed_frames(
    spectra: Complex[np.ndarray, "frames bins"], window: int, n_fft: int
) -> Float32[np.ndarray, "frames {window}"]:
    """Spectra [frames, bins] -> frames [frames, window] under the window once more, to be added to each other."""
    frames = np.fft.irfft(spectra, n_fft).astype(np.float32, copy=False)
    return frames[:, in_padding(window, n_fft)] * hann(window)


def add_frames(hops: Float[Any, "*batch hops hop"], frames: Float[Any, "*batch frames window"]) -> None:
    """Add frame f to the hops from f on, in place."""
    hop, count = hops.shape[-1], frames.shape[-2]
    for shift, start in enumerate(range(0, frames.shape[-1], hop)):
        part = frames[..., start : start + hop]
        hops[..., shift : shift + count, : part.shape[-1]] += part


def add_spectra(
    hops: Float32[np.ndarray, "hops hop"], spectra: Complex[np.ndarray, "frames bins"], window: int, n_fft: int
) -> None:
    """Add the frame of spectra[f] to the hops [n, hop] from f on, in place."""
    for at in chunks(len(spectra)):
        add_frames(hops[at.start :], windowed_frames(spectra[at], window, n_fft))


def added_round(frames: Float32[np.ndarray, "frames window"], hop: int) -> Float32[np.ndarray, "frames {hop}"]:
    """Frames [frames, window] added to each other round a circle: hops [frames, hop]."""
    hops = np.zeros((len(frames), hop), np.float32)
    for shift, start in enumerate(range(0, frames.shape[1], hop)):
        part = frames[:, start : start + hop]
        hops[:, : part.shape[1]] += np.roll(part, shift, axis=0)
    return hops


def window_overlap(count: int, window: int, hop: int) -> Float32[np.ndarray, "hops {hop}"]:
    """The squares of `count` windows, added: [hops, hop]."""
    hops = np.zeros((count - 1 + -(-window // hop), hop), np.float32)
    add_frames(hops, squares(count, window))
    return hops


def reciprocal(overlap: Float32[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """1 / overlap, held where there is hardly any."""
    return np.reciprocal(np.maximum(overlap, LEAST_OVERLAP, dtype=np.float32))


def squares(count: int, window: int) -> Float32[np.ndarray, "{count} {window}"]:
    """Of `count` windows, [count, window]; read-only."""
    return np.broadcast_to(np.square(hann(window)), (count, window))


class OverlapStream:
    """The signal whose frames are nearest to given spectra (least squares: Griffin & Lim 1984), hop by hop.

    Its first sample is the first that frame 0 reaches. Memory does not grow.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        reach = framing.reach + 1
        # Window overlap of the first hops; from the last of these on it is the same.
        self._gain = reciprocal(window_overlap(reach, framing.window, framing.hop_length)[:reach])
        self._tail = np.zeros((reach - 1, framing.hop_length), np.float32)
        self._given = 0

    def add(self, spectra: Complex64[np.ndarray, "frames bins"]) -> Float32[np.ndarray, "samples"]:
        """The next spectra [k, bins] -> the next k * hop samples, to which no later frame adds."""
        count, hop = len(spectra), self._framing.hop_length
        signal = np.zeros((count + len(self._tail), hop), np.float32)
        signal[: len(self._tail)] = self._tail
        add_spectra(signal, spectra, self._framing.window, self._framing.n_fft)
        self._tail = signal[count:].copy()
        which = np.minimum(np.arange(self._given, self._given + count), len(self._gain) - 1)
        self._given = min(self._given + count, len(self._gain))
        return (signal[:count] * self._gain[which]).reshape(count * hop)


class Circle:
    """A signal of frames * hop samples whose frames of `window` samples, a hop apart, run round it."""

    def __init__(self, frames: int, framing: Framing) -> None:
        self._hop, self._n_fft, self._window = framing.hop_length, framing.n_fft, framing.window
        overlap = added_round(squares(frames, self._window), self._hop)
        self._gain = np.reciprocal(np.maximum(overlap, TINY)).reshape(-1)

    def signal(self, spectra: Complex[np.ndarray, "frames bins"]) -> Float32[np.ndarray, "samples"]:
        """[frames * hop]; its first sample is the first of frame 0."""
        frames = [windowed_frames(spectra[at], self._window, self._n_fft) for at in chunks(len(spectra))]
        return added_round(np.concatenate(frames), self._hop).reshape(-1) * self._gain

    def spectra(self, signal: Float32[np.ndarray, "samples"], at: slice) -> Complex64[np.ndarray, "frames bins"]:
        """Of the frames `at`, [k, bins]."""
        starts = np.arange(at.start, at.stop) * self._hop
        places = (starts[:, None] + np.arange(self._window)) % len(signal)
        return windowed_spectra(signal[places], self._n_fft)


class Ends:
    """A signal of (frames - 1) * hop + n_fft samples: it begins with its first frame and ends with its last.

    Its spectra, few as they are, are in double precision.
    """

    def __init__(self, frames: int, n_fft: int, hop: int) -> None:
        self._n_fft, self._hop = n_fft, hop
        self._overlap = np.maximum(window_overlap(frames, n_fft, hop), np.float32(1e-6))

    def signal(self, spectra: Complex[np.ndarray, "frames bins"]) -> Float32[np.ndarray, "samples"]:
        hops = np.zeros(self._overlap.shape, np.float32)
        add_spectra(hops, spectra, self._n_fft, self._n_fft)
        return (hops / self._overlap).reshape(-1)

    def spectra(
        self, signal: Float32[np.ndarray, "samples"], at: slice = slice(None)
    ) -> Complex[np.ndarray, "frames bins"]:
        """Of the frames `at`, [k, bins]."""
        return np.fft.rfft(framed(signal, self._n_fft, self._hop)[at] * hann(self._n_fft))


class Boundary(Protocol):
    """From spectra to the signal they make, and back to the spectra it has."""

    def signal(self, spectra: Array, /) -> Array: ...

    def spectra(self, signal: Array, at: slice, /) -> Array: ...


Projection: TypeAlias = Callable[[Array, slice], Array]
"""(spectra of a signal, of the frames `at`) -> the nearest ones that are wanted of these frames."""


def griffin_lim(
    spectra: Array, boundary: Boundary, iterations: int, project: Projection, momentum: float = 0.0,
    parts: Sequence[slice] | None = None,
) -> Array:  # fmt: skip
    """Spectra [frames, bins] moved towards those of a signal among all that `project` gives.

    The fast iteration of Perraudin, Balazs & Sondergaard 2013; without momentum, that of Griffin & Lim 1984. parts:
    the frames that are worked on together, `chunks` by default; of tensors, all at once.
    """
    parts = chunks(len(spectra)) if parts is None else parts
    beta = momentum / (1 + momentum)
    last: list[Array] = [None] * len(parts)
    for _ in range(iterations if parts else 0):
        signal, nearest = boundary.signal(spectra), []
        for number, at in enumerate(parts):
            consistent = boundary.spectra(signal, at)
            ahead = consistent if last[number] is None else consistent - beta * last[number]
            nearest.append(project(ahead, at))
            last[number] = consistent if momentum else None
        spectra = nearest[0] if len(nearest) == 1 else np.concatenate(nearest)
    return spectra


def imposing(magnitude: Float32[np.ndarray, "frames bins"]) -> Projection:
    """The projection onto spectra of that magnitude [frames, bins]; phases stay."""

    def project(ahead: Complex[np.ndarray, "frames bins"], at: slice) -> Complex[np.ndarray, "frames bins"]:
        return ahead * (magnitude[at] / np.maximum(np.abs(ahead), TINY))

    return project
