"""Music in boxes, means over a few frames, smoothed in time: what two places are compared by, wherever they fall."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from halfstep.arrays import Float32


def smoothed(boxes: Float32[np.ndarray, "boxes bands"], over: int) -> Float32[np.ndarray, "boxes bands"]:
    """Boxes under a Hann window of `over` of them, an odd number; beyond the ends the first and the last go on."""
    weights = np.hanning(over + 2)[1:-1].astype(np.float32)
    padded = np.pad(boxes, ((over // 2, over // 2), (0, 0)), mode="edge")
    smooth = np.zeros_like(boxes)
    for place, weight in enumerate(weights / weights.sum()):
        smooth += weight * padded[place : place + len(boxes)]
    return smooth


def places(
    smooth: Float32[np.ndarray, "boxes bands"], size: int, every: int
) -> Float32[np.ndarray, "places bands thinned"]:
    """The `size` boxes that begin at each place, a view of every so many of them: [n - size + 1, bands, m]."""
    return sliding_window_view(smooth, size, axis=0)[:, :, ::every]
