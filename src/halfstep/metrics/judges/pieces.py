"""How a window of music is cut into the pieces that a judge hears: whole ones, spread evenly, none overlapping."""

import numpy as np

from halfstep.arrays import Float32

SAMPLE_RATE = 16000
"""Every judge in the package hears music at this rate, resampled by soxr."""


def pieces(samples: Float32[np.ndarray, "*clips samples"], size: int) -> Float32[np.ndarray, "*clips pieces {size}"]:
    """Windows [n, samples] -> [n, k, size], k = samples // size; a shorter window is repeated to fill one piece.

    ValueError for an empty window.
    """
    length = samples.shape[1]
    if length == 0:
        raise ValueError("windows of 0 samples: at least 1 was expected")
    if length < size:
        samples = np.tile(samples, (1, -(-size // length)))[:, :size]
    count = max(1, length // size)
    gap = (samples.shape[1] - count * size) // (count + 1)
    starts = [gap + k * (size + gap) for k in range(count)]
    return np.stack([samples[:, start : start + size] for start in starts], axis=1)
