"""Mel blocks -> waveform blocks, one vocoder running through, and what is cut of them; constant memory."""

from collections.abc import Iterable, Iterator

import numpy as np

from halfstep.arrays import Float, Float32
from halfstep.vocoders.base import Vocoder


def unlimited(
    mel_blocks: Iterable[Float32[np.ndarray, "bands frames"]], vocoder: Vocoder
) -> Iterator[Float32[np.ndarray, "channels samples"]]:
    """Waveform blocks [channels, n] as loud as the log-mel blocks [n_mels, k] say, and as these allow; the rest when
    they end.
    """
    for block in mel_blocks:
        samples = vocoder.push(block)
        if samples.size:
            yield np.atleast_2d(samples)
    rest = vocoder.finish()
    if rest.size:
        yield np.atleast_2d(rest)


def first_samples(
    blocks: Iterable[Float32[np.ndarray, "channels samples"]], count: int | None
) -> Iterator[Float32[np.ndarray, "channels samples"]]:
    """The first `count` > 0 samples of [channels, n] blocks, all for None; none beyond is asked for."""
    if count is None:
        yield from blocks
        return
    left = count
    for block in blocks:
        yield block[:, :left]
        left -= block.shape[1]
        if left <= 0:
            return


def without_first(
    blocks: Iterable[Float[np.ndarray, "channels samples"]], count: int
) -> Iterator[Float[np.ndarray, "channels samples"]]:
    """The blocks less their first `count` samples, or frames of log-mel blocks [n_mels, k]; none is empty."""
    for block in blocks:
        kept = block[:, count:]
        count = max(0, count - block.shape[1])
        if kept.size:
            yield kept


def equal_blocks(
    blocks: Iterable[Float32[np.ndarray, "channels samples"]], size: int
) -> Iterator[Float32[np.ndarray, "channels {size}"]]:
    """The same samples in blocks [channels, size]; the last may be shorter."""
    held: list[Float32[np.ndarray, "..."]] = []
    have = 0
    for block in blocks:
        held.append(block)
        have += block.shape[1]
        if have >= size:
            joined = np.concatenate(held, axis=1)
            whole = have - have % size
            for start in range(0, whole, size):
                yield joined[:, start : start + size]
            held, have = [joined[:, whole:]], have - whole
    if have:
        yield np.concatenate(held, axis=1)
