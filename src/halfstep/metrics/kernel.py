"""Unbiased kernel distances: KID on a judge's logits (PKID, IKID), KAD on an embedding.

MMD^2 = mean k(x_i, x_j) + mean k(y_i, y_j) - 2 mean k(x_i, y_j), i != j (Gretton et al. 2012, Lemma 6). It may be
negative: for equal distributions it is 0 on average, and below 0 in more than half of all draws.

Rows come in windows [n, pieces, d]; pieces of one window resemble each other, so pairs within a window are left out
as a piece and itself are, and whole windows are resampled. [n, d] are windows of one piece.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float, Float64, Num

Kernel = Callable[[Float64[np.ndarray, "n m"]], Float64[np.ndarray, "n m"]]
"""Squared distances -> similarities."""

IMQ_GAMMA_SQUARED = 8.0
MEDIAN_RANGE = (0.02, 0.98)
ROWS_AT_ONCE = 512
KAD_SCALE = 100.0


def inverse_multiquadratic(squared: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """k = 1 / (1 + d^2 / 2 gamma^2), gamma^2 = 8 (the paper's; Binkowski et al. 2018): at d = 4, 1/2."""
    return 1 / (1 + squared / (2 * IMQ_GAMMA_SQUARED))


def gaussian(bandwidth: float) -> Kernel:
    """k = exp(-d^2 / 2 bandwidth^2)."""
    return lambda squared: np.exp(-squared / (2 * bandwidth**2))


@dataclass(frozen=True, eq=False)
class KernelMeans:
    """The mean kernel between windows: within [n, n] and [m, m], across [n, m]. All a distance needs."""

    xx: Float64[np.ndarray, "n n"]
    yy: Float64[np.ndarray, "m m"]
    xy: Float64[np.ndarray, "n m"]

    @property
    def distance(self) -> float:
        """MMD^2, unbiased."""
        return self.resampled(np.ones(len(self.xx)), np.ones(len(self.yy)))

    def resampled(self, x_counts: Num[np.ndarray, "n"], y_counts: Num[np.ndarray, "m"]) -> float:
        """The same where window i counts x_counts[i] times; copies of a window are no pair."""
        across = x_counts @ self.xy @ y_counts / (x_counts.sum() * y_counts.sum())
        return float(_between(self.xx, x_counts) + _between(self.yy, y_counts) - 2 * across)

    @property
    def median(self) -> float:
        """Of the kernel across: near 0 or 1 it sees nothing."""
        return float(np.median(self.xy))

    @property
    def warning(self) -> str | None:
        low, high = MEDIAN_RANGE
        if low <= self.median <= high:
            return None
        return f"the kernel's median is {self.median:.3f}, outside {low} to {high}: its width does not fit the features"


def _between(kernel: np.ndarray, counts: np.ndarray) -> float:
    """The mean over pairs of different windows."""
    own = (counts**2 * np.diag(kernel)).sum()
    return float((counts @ kernel @ counts - own) / (counts.sum() ** 2 - (counts**2).sum()))


def kernel_means(
    x: Float[np.ndarray, "n *pieces d"], y: Float[np.ndarray, "m *others d"], kernel: Kernel
) -> KernelMeans:
    """Of windows x [n, pieces, d] or [n, d] and y likewise. ValueError below two windows of either, or for features
    that are not finite.
    """
    if min(len(x), len(y)) < 2:
        raise ValueError(f"{len(x)} and {len(y)} windows: at least 2 of each were expected")
    x, y = (np.asarray(rows, np.float64).reshape(len(rows), -1, rows.shape[-1]) for rows in (x, y))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("features that are not finite: numbers were expected")
    centre = x.mean((0, 1))  # differences of large numbers lose their digits: centre first
    x, y = x - centre, y - centre
    return KernelMeans(_window_means(x, x, kernel), _window_means(y, y, kernel), _window_means(x, y, kernel))


def _window_means(x: np.ndarray, y: np.ndarray, kernel: Kernel) -> np.ndarray:
    (n, p, d), (m, q, _) = x.shape, y.shape
    flat = y.reshape(-1, d)
    at_once = max(1, ROWS_AT_ONCE // p)
    parts = [kernel(squared_distances(x[at : at + at_once].reshape(-1, d), flat)) for at in range(0, n, at_once)]
    return np.concatenate([part.reshape(-1, p, m, q).mean((1, 3)) for part in parts])


def squared_distances(x: Float64[np.ndarray, "n d"], y: Float64[np.ndarray, "m d"]) -> Float64[np.ndarray, "n m"]:
    """|x_i - y_j|^2 of x [n, d] and y [m, d], centred by the caller; never below 0."""
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1)
    return np.maximum(squares - 2 * x @ y.T, 0)


def kernel_inception_distance(x: Float[np.ndarray, "n *pieces d"], y: Float[np.ndarray, "m *others d"]) -> KernelMeans:
    """PKID, IKID: the paper's kernel on logits."""
    return kernel_means(x, y, inverse_multiquadratic)


def kernel_audio_distance(
    x: Float[np.ndarray, "n *pieces d"], reference: Float[np.ndarray, "m *others d"]
) -> KernelMeans:
    """KAD (Chung et al. 2025, arXiv:2502.15602): a Gaussian kernel as wide as the reference's median distance.

    `KAD_SCALE` times its distance is what is usually printed.
    """
    rows = np.asarray(reference, np.float64).reshape(len(reference), -1, reference.shape[-1])[:, 0]
    apart = squared_distances(rows - rows.mean(0), rows - rows.mean(0))[np.triu_indices(len(rows), 1)]
    return kernel_means(x, reference, gaussian(max(float(np.sqrt(np.median(apart))), 1e-9)))
