"""95 % intervals from resampling windows (Efron 1979), free of the bias that resampling itself brings."""

from collections.abc import Callable

import numpy as np

from halfstep.arrays import Float, Int

RESAMPLES = 200
LEVEL = 0.95


def spread(
    statistic: Callable[[Int[np.ndarray, "windows"]], float],
    size: int,
    rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Float[np.ndarray, "{resamples}"]:
    """`statistic(counts)`, where window i counts counts[i] times, of every resampling, less their mean.

    Windows that come twice narrow a cloud and raise a distance: without their mean the values say how far an estimate
    may be off, where by themselves they would exceed it. Counts are drawn first of all: two statistics of as many
    windows, under generators of the same state, meet the same resamplings, and the spread of their difference is the
    difference of their spreads.
    """
    counts = rng.multinomial(size, np.full(size, 1 / size), resamples)
    values = np.array([statistic(row) for row in counts])
    return values - values.mean()


def ends(estimate: float, around: Float[np.ndarray, "resamples"]) -> tuple[float, float]:
    """The interval of an estimate whose resampled values lie `around` it."""
    low, high = np.quantile(around, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return estimate + float(low), estimate + float(high)


def interval(
    estimate: float, statistic: Callable[[Int[np.ndarray, "windows"]], float], size: int, rng: np.random.Generator,
    resamples: int = RESAMPLES,
) -> tuple[float, float]:  # fmt: skip
    """Lower and upper end around `estimate`, from `statistic(counts)` of resampled windows (`spread`)."""
    return ends(estimate, spread(statistic, size, rng, resamples))
