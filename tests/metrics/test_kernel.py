"""Kernel distances: known answers, no bias, and what is left out."""

import numpy as np
import pytest

from halfstep.metrics.kernel import (
    inverse_multiquadratic,
    kernel_audio_distance,
    kernel_inception_distance,
    kernel_means,
    squared_distances,
)


def test_imq_kernel_at_distance_four_is_a_half():
    np.testing.assert_allclose(inverse_multiquadratic(np.array([0.0, 16.0])), [1, 0.5])


@pytest.mark.parametrize(("x", "y", "wanted"), [([0, 4], [0, 4], -0.5), ([0, 4], [8, 12], 0.5)])
def test_kid_of_two_numbers_each(x: list[float], y: list[float], wanted: float):
    rows = [np.array(values, float)[:, None] for values in (x, y)]
    np.testing.assert_allclose(kernel_inception_distance(*rows).distance, wanted, atol=1e-15)


def test_kid_of_one_distribution_is_zero_on_average_and_often_negative():
    rng = np.random.default_rng(0)
    draws = [kernel_inception_distance(*rng.standard_normal((2, 100, 8))).distance for _ in range(300)]
    error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws)) < 3 * error
    assert 0.5 < np.mean(np.array(draws) < 0) < 0.68


def test_a_far_offset_changes_nothing():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 50, 5)) + np.array([[[0.0]], [[0.5]]])
    plain = kernel_inception_distance(x, y).distance
    far = kernel_inception_distance((x + 1e5).astype(np.float32), (y + 1e5).astype(np.float32)).distance
    np.testing.assert_allclose(far, plain, atol=1e-3)  # float32 itself keeps 1/128 at 1e5


def test_squared_distances_are_never_negative():
    x = np.random.default_rng(2).standard_normal((30, 4)) * 1e4
    assert squared_distances(x, x).min() >= 0


def test_pieces_of_a_window_are_no_pairs():
    """Windows of two equal pieces say what windows of one piece say; were they pairs, the distance would rise."""
    x, y = np.random.default_rng(3).standard_normal((2, 20, 1, 3))
    once = kernel_inception_distance(x, y).distance
    np.testing.assert_allclose(kernel_inception_distance(x.repeat(2, 1), y.repeat(2, 1)).distance, once, atol=1e-12)
    as_windows = kernel_inception_distance(x.repeat(2, 0), y.repeat(2, 0)).distance
    assert as_windows > once + 0.005


def test_resampled_counts_are_repeated_windows_less_their_own_pairs():
    x, y = np.random.default_rng(4).standard_normal((2, 12, 3))
    means = kernel_means(x, y, inverse_multiquadratic)
    assert means.resampled(np.ones(12), np.ones(12)) == means.distance
    counts = np.array([0, 2, 1, 1, 3, 0, 1, 1, 1, 0, 1, 1])
    rows = np.repeat(np.arange(12), counts)
    kernel = inverse_multiquadratic(squared_distances(x[rows], x[rows]))
    pairs = rows[:, None] != rows
    across = inverse_multiquadratic(squared_distances(x[rows], y)).mean()
    other = inverse_multiquadratic(squared_distances(y, y))[~np.eye(12, dtype=bool)].mean()
    np.testing.assert_allclose(means.resampled(counts, np.ones(12)), kernel[pairs].mean() + other - 2 * across)


def test_median_warns_where_the_kernel_sees_nothing():
    rows = np.random.default_rng(5).standard_normal((2, 30, 4))
    assert kernel_inception_distance(*rows).warning is None
    assert "median" in (kernel_inception_distance(*(rows * 1e-3)).warning or "")
    assert "median" in (kernel_inception_distance(*(rows * 1e3)).warning or "")


def test_kad_grows_with_the_shift_and_does_not_depend_on_the_scale():
    rng = np.random.default_rng(6)
    reference, x = rng.standard_normal((2, 200, 20))
    near, far = (kernel_audio_distance(x + shift, reference).distance for shift in (0.2, 0.6))
    assert abs(kernel_audio_distance(x, reference).distance) < near < far
    np.testing.assert_allclose(kernel_audio_distance(7 * (x + 0.2), 7 * reference).distance, near)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite_are_refused(bad: float):
    rows = np.random.default_rng(7).standard_normal((2, 6, 3))
    rows[0, 2, 1] = bad
    for x, y in (rows, rows[::-1]):
        with pytest.raises(ValueError, match="not finite"):
            kernel_inception_distance(x, y)


def test_one_window_is_refused():
    with pytest.raises(ValueError, match="1 and 5 windows"):
        kernel_inception_distance(np.zeros((1, 2)), np.zeros((5, 2)))
