"""The noise of a piece: a function of its frame's number, so that windows that overlap share it.

Where two windows share noise they render nearly the same music, whatever else is their context (log-mel correlation
above .99 from the second window on, docs/experiments/seams.md): that is what hides their joins, closes loops, and lets
a piece drift from one seed to another.
"""

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from halfstep.arrays import Float32


class Noise(Protocol):
    """Unit noise [n_mels, stop - start] of these frames of a piece; start is 0 or more.

    step: 0 for what sampling begins with; from 1 on, what its step of that number adds (DDPM's sampler alone).
    """

    def __call__(self, start: int, stop: int, step: int = 0, /) -> Float32[np.ndarray, "bands frames"]: ...


CHUNK_FRAMES = 64
SEEDS = 2**64
"""From 0 on."""
PIECE, BOUNDARY, PLAN = 0, 1, 2
"""Streams of one seed: its piece; boundary noise, for recorded frames, which are no part of it; its plan, and from
there on others that it could have.
"""


def seed_noise(n_mels: int, seed: int, stream: int = PIECE) -> Noise:
    """The noise of the piece `seed`: each frame's own at each step, whatever is asked for first."""

    def chunk(index: int, step: int) -> Float32[np.ndarray, "bands frames"]:
        bits = np.random.Philox(key=seed, counter=[0, step, stream, index])
        return np.random.Generator(bits).standard_normal((n_mels, CHUNK_FRAMES), np.float32)

    def noise(start: int, stop: int, step: int = 0) -> Float32[np.ndarray, "bands frames"]:
        first = start // CHUNK_FRAMES
        chunks = [chunk(index, step) for index in range(first, max(first + 1, math.ceil(stop / CHUNK_FRAMES)))]
        skipped = first * CHUNK_FRAMES
        return np.concatenate(chunks, axis=1)[:, start - skipped : stop - skipped]

    return noise


def window_noise(
    n_mels: int, seed: int, window: int, frames: int, step: int = 0
) -> Float32[np.ndarray, "bands frames"]:
    """The noise [n_mels, frames] of window number `window` of those that are judged apart: its stretch of `seed`'s.

    Every network that is asked for window k under one seed begins from it, teacher and students alike.
    """
    return seed_noise(n_mels, seed)(window * frames, (window + 1) * frames, step)


def repeating(noise: Noise, period: int) -> Noise:
    """The first `period` frames of `noise`, again and again."""

    def repeated(start: int, stop: int, step: int = 0) -> Float32[np.ndarray, "bands frames"]:
        return np.take(noise(0, period, step), np.arange(start, stop) % period, axis=1)

    return repeated


def shifted(noise: Noise, frames: int) -> Noise:
    """The same noise from its frame `frames` on."""

    def later(start: int, stop: int, step: int = 0) -> Float32[np.ndarray, "bands frames"]:
        return noise(start + frames, stop + frames, step)

    return later


def between(
    one: Noise, other: Noise, share: Callable[[Float32[np.ndarray, "frames"]], Float32[np.ndarray, "frames"]]
) -> Noise:
    """On the great circle from one noise to the other: unit noise everywhere, as both are.

    share: frame numbers [k] -> how far along, 0 (exactly `one`) to 1 (exactly `other`), [k].
    """

    def noise(start: int, stop: int, step: int = 0) -> Float32[np.ndarray, "bands frames"]:
        along = share(np.arange(start, stop, dtype=np.float32)).astype(np.float64)
        near = np.where(along == 1, 0.0, np.cos(np.pi / 2 * along)).astype(np.float32)
        far = np.where(along == 0, 0.0, np.sin(np.pi / 2 * along)).astype(np.float32)
        return (near * one(start, stop, step) + far * other(start, stop, step)).astype(np.float32, copy=False)

    return noise


def piece_noise(
    n_mels: int, seed: int, toward: int | None, variation: float | None, frames: float, stream: int = PIECE
) -> Noise:
    """The noise of a piece: `seed`'s own, or so far from it on the way to that of `toward` (None: the next seed).

    Toward a seed without variation it drifts, to arrive after `frames`.
    """
    own = seed_noise(n_mels, seed, stream)
    if variation is None and toward is None:
        return own
    other = seed_noise(n_mels, (seed + 1) % SEEDS if toward is None else toward, stream)
    arrival = np.float32(max(1, frames))
    share: Callable[[Float32[np.ndarray, "frames"]], Float32[np.ndarray, "frames"]] = (
        (lambda frame: np.minimum(frame / arrival, 1))
        if variation is None
        else (lambda frame: np.full_like(frame, variation))
    )
    return between(own, other, share)
