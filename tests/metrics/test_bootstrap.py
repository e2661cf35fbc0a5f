"""Intervals: as often right as they say, and without the bias of rows that come twice."""

from functools import partial

import numpy as np

from halfstep.metrics.bootstrap import interval
from halfstep.metrics.frechet import frechet_distance


def _mean(rows: np.ndarray, counts: np.ndarray) -> float:
    return float(counts @ rows / len(rows))


def test_nineteen_of_twenty_intervals_hold_the_mean():
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        rows = rng.exponential(size=80)
        low, high = interval(rows.mean(), partial(_mean, rows), 80, rng)
        held += low < 1 < high
    assert 0.89 <= held / 200 <= 0.98


def test_an_interval_of_a_frechet_distance_is_as_wide_as_distances_differ():
    """Plain resampling would put all of it above the estimate."""
    rng = np.random.default_rng(1)
    draws = [frechet_distance(*rng.standard_normal((2, 60, 20))) for _ in range(60)]
    a, b = rng.standard_normal((2, 60, 20))
    value = frechet_distance(a, b)
    low, high = interval(value, lambda counts: frechet_distance(a.repeat(counts, 0), b), 60, rng)
    assert low < value < high
    # Only one of the two sets is resampled here: 1 / sqrt 2 of the spread, about.
    assert 0.4 < (high - low) / (3.92 * np.std(draws)) < 1.4
