"""The Frechet distance against closed forms: clouds with exactly the moments asked for."""

import numpy as np
import pytest

from halfstep.metrics.frechet import frechet_distance

RNG = np.random.default_rng(0)


def cloud(mean, covariance, n: int = 200) -> np.ndarray:
    """n points whose sample mean and (n - 1) covariance are these to rounding."""
    mean, covariance = np.atleast_1d(mean), np.atleast_2d(covariance)
    points = RNG.standard_normal((n, len(mean)))
    points -= points.mean(0)
    points = points @ np.linalg.inv(np.linalg.cholesky(np.cov(points, rowvar=False).reshape(covariance.shape))).T
    return points @ np.linalg.cholesky(covariance).T + mean


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


TURN = turned(30)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [
        ((0, 1), (1, 4), 2),
        (([0, 0], np.diag([1, 4])), ([3, 4], np.diag([9, 16])), 33),
        (([0, 0], np.diag([4, 1])), ([0, 0], TURN @ np.diag([4, 1]) @ TURN.T), 0.46060798583054),
    ],
)
def test_known_answers(a, b, distance):
    """Also with clouds of two sizes, and either way round."""
    left, right = cloud(*a), cloud(*b, n=150)
    assert frechet_distance(left, right) == pytest.approx(distance, abs=1e-9)
    assert frechet_distance(right, left) == pytest.approx(distance, abs=1e-9)


@pytest.mark.parametrize(("n", "d"), [(50, 4), (5, 40)])
def test_zero_with_itself_also_with_fewer_rows_than_columns(n: int, d: int):
    points = RNG.standard_normal((n, d)) * 10 + 100
    assert frechet_distance(points, points[::-1]) == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(("n", "m", "d"), [(60, 40, 6), (4, 7, 12)])
def test_a_common_rotation_and_shift_change_nothing(n: int, m: int, d: int):
    a, b = RNG.standard_normal((n, d)), 2 * RNG.standard_normal((m, d)) + 1
    rotation, _ = np.linalg.qr(RNG.standard_normal((d, d)))
    moved = frechet_distance(a @ rotation + 7, b @ rotation + 7)
    assert frechet_distance(a, b) == pytest.approx(moved, rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)
    assert frechet_distance(a, b) > 1


def test_fewer_rows_than_columns_is_the_answer_in_the_plane_they_span():
    """Three points a cloud in 50 dimensions, all in one plane: as in the plane alone."""
    plane, _ = np.linalg.qr(RNG.standard_normal((50, 2)))
    a, b = RNG.standard_normal((3, 2)), RNG.standard_normal((3, 2)) + 1
    assert frechet_distance(a @ plane.T, b @ plane.T) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_one_row_is_refused():
    with pytest.raises(ValueError, match="1 and 5 rows"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
