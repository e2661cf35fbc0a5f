"""The same sound at another rate, block by block."""

from collections.abc import Iterable, Iterator

import numpy as np
import soxr

from halfstep.arrays import Float


def resampled(
    blocks: Iterable[Float[np.ndarray, "channels samples"]], from_rate: int, to_rate: int
) -> Iterator[Float[np.ndarray, "channels samples"]]:
    """The same sound at another rate, block by block."""
    if from_rate == to_rate:
        yield from blocks
        return
    resampler, channels = None, 1
    for block in blocks:
        channels = len(block)
        if resampler is None:
            resampler = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32")
        yield resampler.resample_chunk(np.ascontiguousarray(block.T)).reshape(-1, channels).T
    if resampler is not None:
        nothing = np.zeros((0, channels), np.float32)
        yield resampler.resample_chunk(nothing, last=True).reshape(-1, channels).T
