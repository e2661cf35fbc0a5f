"""Where a peak lies between its samples, and how high it is."""

import numpy as np

from halfstep.arrays import Float64


def vertex(
    before: Float64[np.ndarray, "peaks"], at: Float64[np.ndarray, "peaks"], after: Float64[np.ndarray, "peaks"]
) -> tuple[Float64[np.ndarray, "peaks"], Float64[np.ndarray, "peaks"]]:
    """Of the parabola through three samples of which the middle one is the largest: how far after that one its vertex
    lies, -.5 to .5, and how high it is.
    """
    curvature = before - 2 * at + after
    offset = np.where(curvature < 0, (before - after) / (2 * np.minimum(curvature, -1e-12)), 0.0)
    return offset, at - (before - after) * offset / 4
