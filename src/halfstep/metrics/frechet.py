"""Frechet distance between two clouds of features, each taken as a Gaussian (Dowson & Landau 1982)."""

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^1/2) of a [n, d] and b [m, d]; not below 0 but for rounding.

    tr (S_a S_b)^1/2 is the sum of the singular values of the cross-Gram Xc Yc^T / sqrt((n - 1)(m - 1)): real for any
    n and d, where sqrtm leaves imaginary dust. ValueError below two rows. Biased upwards by about d / n.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(len(a), len(b)) < 2:
        raise ValueError(f"{len(a)} and {len(b)} rows: at least 2 of each were expected")
    mean_a, mean_b = a.mean(0), b.mean(0)
    a, b = (a - mean_a) / np.sqrt(len(a) - 1), (b - mean_b) / np.sqrt(len(b) - 1)
    # Both Gram roots are at most d x d: R^T R = S, and the singular values of R_a R_b^T are those of the cross-Gram.
    root_a, root_b = (np.asarray(np.linalg.qr(rows, mode="r")) for rows in (a, b))
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(((mean_a - mean_b) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * shared)
