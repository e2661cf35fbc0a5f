"""Density and coverage: what equal distributions score, and what they see."""

import numpy as np
import pytest

from halfstep.metrics.neighbours import reach


@pytest.mark.parametrize("features", [2, 16])
def test_equal_distributions(features: int):
    """Expected coverage for n = m = 1000 and k = 5 is .9690, 1 - prod (n - i) / (n + m - 1 - i); density 1."""
    rng = np.random.default_rng(0)
    result = [reach(*rng.standard_normal((2, 1000, features))) for _ in range(4)]
    np.testing.assert_allclose(np.mean([one.coverage() for one in result]), 0.9690, atol=0.006)
    np.testing.assert_allclose(np.mean([one.density() for one in result]), 1, atol=0.08)


def test_one_row_repeated_covers_little_and_far_rows_nothing():
    rng = np.random.default_rng(1)
    real = rng.standard_normal((200, 4))
    assert reach(np.repeat(real[:1], 200, 0), real).coverage() < 0.1
    away = reach(real + 100, real)
    assert away.coverage() == away.density() == 0


def test_counts_choose_rows():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((2, 40, 3))
    counts = rng.integers(0, 3, 40)
    repeated = reach(x.repeat(counts, 0), y)
    result = reach(x, y)
    np.testing.assert_allclose(result.density(counts), repeated.density())
    assert result.coverage(counts) == repeated.coverage()


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="3 and 5 rows"):
        reach(np.zeros((3, 2)), np.zeros((5, 2)))
