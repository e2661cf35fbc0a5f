"""The Frechet distance against closed forms: clouds with exactly the moments asked for."""

import numpy as np
import pytest

from halfstep.metrics.frechet import few_rows, fitted, frechet_bias, frechet_distance, frechet_infinity

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


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        frechet_distance(np.full((5, 3), np.nan), np.zeros((5, 3)))


def test_the_bias_of_one_distribution_is_as_large_as_said():
    """Against the Gaussian itself 4.33 at 1000 rows of 128 features and .42 at 10 000; against other rows both add."""
    itself = cloud(np.zeros(128), np.eye(128), n=300)
    a, b = np.random.default_rng(1).standard_normal((2, 1000, 128))
    many = np.random.default_rng(2).standard_normal((10_000, 128))
    assert frechet_distance(a, itself) == pytest.approx(4.33, rel=0.03)
    assert frechet_distance(many, itself) == pytest.approx(0.42, rel=0.03)
    assert frechet_distance(a, b) == pytest.approx(2 * 4.33, rel=0.05)
    assert frechet_bias(1000, 128) == pytest.approx(4.33, rel=0.03)
    assert frechet_bias(10_000, 128) == pytest.approx(0.42, rel=0.03)


def test_few_rows_are_warned_of():
    assert few_rows(1280, 128) is None
    assert "1279 rows for 128" in (few_rows(1279, 128) or "")


def test_a_line_is_fitted_exactly():
    inverse = 1 / np.array([100, 150, 200, 300])
    found = fitted(inverse, 3 + 50 * inverse)
    assert (found.value, found.slope, found.r_squared) == pytest.approx((3, 50, 1))


@pytest.mark.parametrize(("shift", "wanted"), [(0.0, 0.0), (0.25, 8.0)])
def test_endless_rows_have_no_bias(shift: float, wanted: float):
    """Equal distributions come to about 0, where the plain distance is 4.3; a shift of every feature to d shift^2."""
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((2, 1000, 128))
    found = frechet_infinity(a, b + shift, rng)
    assert found.value == pytest.approx(wanted, abs=0.35)
    assert found.r_squared > 0.99


@pytest.mark.parametrize(("n", "m", "found"), [(256, 256, 19), (48, 192, 182)])
def test_too_few_rows_have_a_bias_that_no_line_takes_off(n: int, m: int, found: float):
    """One isotropic Gaussian in 200 dimensions, whose distance from itself is 0."""
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((n, 200)), rng.standard_normal((m, 200))
    assert frechet_infinity(a, b, rng, repeats=2).value == pytest.approx(found, rel=0.1)
    assert few_rows(min(n, m), 200) is not None


def test_with_replacement_equal_distributions_differ():
    """What nested subsets without replacement avoid: rows that come twice leave more than half a unit."""
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 1000, 128))
    sizes = np.array([400, 500, 600, 700, 800, 900, 1000])
    drawn = [frechet_distance(a[rng.integers(0, 1000, n)], b[rng.integers(0, 1000, n)]) for n in sizes]
    assert fitted(1 / sizes, np.array(drawn)).value > 0.5 + frechet_infinity(a, b, rng).value
