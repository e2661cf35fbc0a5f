"""Frechet distance between two clouds of features, each taken as a Gaussian (Dowson & Landau 1982)."""

from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float

ROWS_A_FEATURE = 10
SHARES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Of the rows, in the nested subsets that frechet_infinity fits."""


def frechet_distance(a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"]) -> float:
    """|mu_a - mu_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^1/2) of a [n, d] and b [m, d]; not below 0 but for rounding.

    tr (S_a S_b)^1/2 is the sum of the singular values of the cross-Gram Xc Yc^T / sqrt((n - 1)(m - 1)): real for any
    n and d, where sqrtm leaves imaginary dust. ValueError below two rows, or for values that are not finite. Biased
    upwards: see `frechet_bias`.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if min(len(a), len(b)) < 2:
        raise ValueError(f"{len(a)} and {len(b)} rows: at least 2 of each were expected")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("features that are not finite: numbers were expected")
    mean_a, mean_b = a.mean(0), b.mean(0)
    a, b = (a - mean_a) / np.sqrt(len(a) - 1), (b - mean_b) / np.sqrt(len(b) - 1)
    # Both Gram roots are at most d x d: R^T R = S, and the singular values of R_a R_b^T are those of the cross-Gram.
    root_a, root_b = (np.asarray(np.linalg.qr(rows, mode="r")) for rows in (a, b))
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    return float(((mean_a - mean_b) ** 2).sum() + (a**2).sum() + (b**2).sum() - 2 * shared)


def frechet_bias(rows: int, features: int) -> float:
    """What `rows` of a standard Gaussian score against that Gaussian itself, about: d/n + d(d + 1)/4n.

    Against other rows of it each set adds its own: twice as much for two of one size. 128 features: 4.3 at 1000 rows.
    """
    return features / rows + features * (features + 1) / (4 * rows)


def few_rows(rows: int, features: int) -> str | None:
    """A warning where a Frechet distance says more of the number of rows than of the music; None from 10 d rows on."""
    if rows >= ROWS_A_FEATURE * features:
        return None
    return f"{rows} rows for {features} features: below {ROWS_A_FEATURE} a feature the distance is mostly bias"


@dataclass(frozen=True, kw_only=True)
class FrechetInfinity:
    """The distance that endless rows would have, as fitted: distance(n) = value + slope / n."""

    value: float
    slope: float
    r_squared: float
    """1 if the distances lie on the line; nan if they are all alike."""


def frechet_infinity(
    a: Float[np.ndarray, "n d"], b: Float[np.ndarray, "m d"], rng: np.random.Generator, repeats: int = 5
) -> FrechetInfinity:
    """Fitted over nested subsets of a [n, d] and b [m, d], drawn without replacement, the same share of both.

    With replacement, rows that come twice make the covariance smaller, and identical distributions differ by .8 in
    128 dimensions. Each of `repeats` orders gives nested subsets of SHARES; distances of a share are averaged.
    Below `ROWS_A_FEATURE` rows a feature the distance does not follow 1 / n: of one isotropic Gaussian in 200
    dimensions 256 and 256 rows come to 19, 48 and 192 to 182, where 0 is true (`few_rows`).
    ValueError below 10 rows. (Chong & Forsyth 2020, arXiv:1911.07023; Gui et al. 2024, arXiv:2311.01616.)
    """
    if min(len(a), len(b)) < 10:
        raise ValueError(f"{len(a)} and {len(b)} rows: at least 10 of each were expected")
    orders = [(rng.permutation(len(a)), rng.permutation(len(b))) for _ in range(repeats)]
    inverse: list[float] = []
    distances: list[float] = []
    for share in SHARES:
        first, second = round(share * len(a)), round(share * len(b))
        of_orders = [frechet_distance(a[order_a[:first]], b[order_b[:second]]) for order_a, order_b in orders]
        inverse.append((1 / first + 1 / second) / 2)
        distances.append(float(np.mean(of_orders)))
    return fitted(np.array(inverse), np.array(distances))


def fitted(inverse_rows: Float[np.ndarray, "n"], distances: Float[np.ndarray, "n"]) -> FrechetInfinity:
    """Least squares of distances on 1 / n."""
    slope, value = np.polyfit(inverse_rows, distances, 1)
    rest = distances - (value + slope * inverse_rows)
    spread = float(((distances - distances.mean()) ** 2).sum())
    r_squared = 1 - float((rest**2).sum()) / spread if spread > 0 else float("nan")
    return FrechetInfinity(value=float(value), slope=float(slope), r_squared=r_squared)
