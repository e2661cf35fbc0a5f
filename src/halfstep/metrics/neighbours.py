"""Density and coverage: how much of it lies among the real, how much of the real it reaches (Naeem et al. 2020)."""

from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Bool, Float, Num
from halfstep.metrics.kernel import squared_distances

NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Reach:
    """Row i, column j: whether x_i lies within y_j's distance to its k-th neighbour among the other y."""

    within: Bool[np.ndarray, "n m"]
    neighbours: int

    def density(self, counts: Num[np.ndarray, "n"] | None = None) -> float:
        """How many such balls a row of x lies in, over k: 1 for equal distributions, more near the modes."""
        counts = np.ones(len(self.within)) if counts is None else counts
        return float(counts @ self.within.sum(1) / (self.neighbours * counts.sum()))

    def coverage(self, counts: Num[np.ndarray, "n"] | None = None) -> float:
        """Share of y whose ball holds a row of x: 0 to 1; .969 for equal distributions, n = m = 1000, k = 5."""
        used = self.within if counts is None else self.within[counts > 0]
        return float(used.any(0).mean())


def reach(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "m d"], neighbours: int = NEIGHBOURS) -> Reach:
    """Of generated x [n, d] among real y [m, d]. ValueError unless there are more y than neighbours."""
    if len(y) <= neighbours or not len(x):
        raise ValueError(f"{len(x)} and {len(y)} rows: at least 1 and {neighbours + 1} were expected")
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    centre = y.mean(0)
    x, y = x - centre, y - centre
    between = squared_distances(y, y)
    np.fill_diagonal(between, np.inf)
    radius = np.partition(between, neighbours - 1, axis=1)[:, neighbours - 1]
    return Reach(squared_distances(x, y) <= radius, neighbours)
