"""The student's target: golden gains, the paper's own formula, and what it is for."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.diffusion.forms import x_from_v
from halfstep.diffusion.rates import cosine_rates
from halfstep.diffusion.schedule import SCHEDULES, angle_between
from halfstep.diffusion.steps import ddim_step
from halfstep.diffusion.target import TwoStepWeights, step_angle, two_step_target, two_step_weights

number = st.floats(-5, 5).map(np.float64)


def halves(num_steps: int) -> TwoStepWeights:
    """Of two equal angles that make one of N steps."""
    return two_step_weights(step_angle(2 * num_steps), step_angle(2 * num_steps))


def test_equal_angles_give_the_form_of_salimans_and_ho():
    half = step_angle(8)
    result = two_step_target(np.float64(0.7), np.float64(-0.4), np.float64(1.3), halves(4))
    assert result == pytest.approx(0.5 * (0.7 - 0.4 / math.cos(half) - math.tan(half) * 1.3), abs=1e-15)


def test_float32_stays_float32_and_every_clip_may_have_angles_of_its_own():
    row = np.ones(2, np.float32)
    assert two_step_target(row, row, row, halves(4)).dtype == np.float32
    both = np.array([step_angle(4), step_angle(8)])
    np.testing.assert_allclose(np.stack(two_step_weights(both, both), 1), [halves(2), halves(4)])


@pytest.mark.parametrize("name", SCHEDULES)
@given(v_first=number, v_second=number, z_t=number, i=st.integers(1, 64), doublings=st.integers(0, 5))
def test_the_target_is_exact_under_every_schedule(name, v_first, v_second, z_t, i, doublings):
    """Two steps turn by different angles there, and the student's one still lands where they do."""
    num_steps, schedule = 2**doublings, SCHEDULES[name]()
    t = (1 + (i - 1) % num_steps) / num_steps
    at_t, at_mid, at_s = (schedule.rates(np.array(u)) for u in (t, t - 0.5 / num_steps, t - 1 / num_steps))
    two = ddim_step(ddim_step(z_t, v_first, at_t, at_mid), v_second, at_mid, at_s)
    weights = two_step_weights(angle_between(at_t, at_mid), angle_between(at_mid, at_s))
    one = ddim_step(z_t, two_step_target(v_first, v_second, z_t, weights), at_t, at_s)
    assert one == pytest.approx(two, abs=1e-10)


@pytest.mark.parametrize(
    ("num_steps", "t", "gain"),
    [(1, 1, 0.5), (2, 0.5, 0.8535533906), (2, 1, 0.2071067812), (4, 0.25, 0.9619397663), (4, 1, 0.0994561837)],
)
def test_target_gain_on_unit_gaussian(num_steps, t, gain):
    """The best teacher has v = 0: x~ / z_t is known."""
    v = two_step_target(np.float64(0), np.float64(0), np.float64(1), halves(num_steps))
    assert x_from_v(v, np.float64(1.0), cosine_rates(t)) == pytest.approx(gain, abs=1e-10)


@given(v_first=number, v_second=number, z_t=number, i=st.integers(1, 64), doublings=st.integers(0, 10))
def test_one_student_step_on_the_target_is_two_teacher_steps(v_first, v_second, z_t, i, doublings):
    """For any teacher at all, at every i of 1..N, both ends included."""
    num_steps = 2**doublings
    t = (1 + (i - 1) % num_steps) / num_steps
    at_t, at_mid, at_s = (cosine_rates(time) for time in (t, t - 0.5 / num_steps, t - 1 / num_steps))
    two = ddim_step(ddim_step(z_t, v_first, at_t, at_mid), v_second, at_mid, at_s)
    one = ddim_step(z_t, two_step_target(v_first, v_second, z_t, halves(num_steps)), at_t, at_s)
    assert one == pytest.approx(two, abs=1e-12)


@given(x_first=number, x_second=number, z_t=number, i=st.integers(2, 16))
def test_target_is_algorithm_1(x_first, x_second, z_t, i):
    """The quotient of Algorithm 1, in its own letters, away from the end where it divides by nothing."""
    num_steps = 16
    t = i / num_steps
    (a_t, s_t), (a_m, s_m), (a_s, s_s) = (cosine_rates(u) for u in (t, t - 0.5 / num_steps, t - 1 / num_steps))
    z_m = a_m * x_first + s_m / s_t * (z_t - a_t * x_first)
    z_s = a_s * x_second + s_s / s_m * (z_m - a_m * x_second)
    x_tilde = (z_s - s_s / s_t * z_t) / (a_s - s_s / s_t * a_t)
    v_first, v_second = (a_t * z_t - x_first) / s_t, (a_m * z_m - x_second) / s_m
    v = two_step_target(v_first, v_second, z_t, halves(num_steps))
    assert x_from_v(v, z_t, (cosine_rates(t))) == pytest.approx(x_tilde, rel=1e-7, abs=1e-7)


def test_target_in_half_precision_keeps_its_digits_at_1024_steps():
    """Why the v form: float16 throughout, N = 1024, against float64."""
    rng = np.random.default_rng(0)
    v_first, v_second, z_t = rng.standard_normal((3, 1000))
    exact = two_step_target(v_first, v_second, z_t, halves(1024))
    low = [array.astype(np.float16) for array in (v_first, v_second, z_t)]
    half = two_step_target(low[0], low[1], low[2], halves(1024))
    assert np.abs(half - exact).max() < 0.005
