"""Schedules: what they promise at the ends, and which times training draws."""

import numpy as np
import pytest

from halfstep.diffusion.schedule import CosineSchedule, DdpmSchedule, draw_student_times


def test_cosine_times_are_uniform_and_reach_one():
    times = np.concatenate([CosineSchedule().draw_times(np.random.default_rng(k), 32) for k in range(2000)])
    assert times.min() > 0
    assert times.max() <= 1
    counts = np.histogram(times, 10, (0, 1))[0]
    np.testing.assert_allclose(counts, len(times) / 10, rtol=0.02)


def test_one_time_from_each_part_of_a_batch():
    times = np.sort(CosineSchedule().draw_times(np.random.default_rng(0), 8))
    np.testing.assert_array_equal(np.ceil(times * 8), np.arange(1, 9))


def test_ddpm_is_the_cosine_chain_of_1000_steps():
    """alpha_bar follows cos^2 to 1e-9 until the cap of .999 bites at the last step."""
    schedule = DdpmSchedule()
    alpha_bar = schedule.alpha_bar()
    k = np.arange(1001)
    f = np.cos((k / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(alpha_bar[:999], (f / f[0])[:999], rtol=1e-9)
    betas = 1 - alpha_bar[1:] / alpha_bar[:-1]
    assert betas[-1] == pytest.approx(0.999)
    assert 0 < alpha_bar[-1] < 1e-5
    at_t = schedule.rates(np.array([0.0, 0.5, 1.0]))
    np.testing.assert_allclose(at_t.alpha**2 + at_t.sigma**2, 1)
    assert at_t.alpha[0] == 1


def test_ddpm_rates_at_a_time_are_those_of_its_step():
    """.57 is 569.9999999999999 thousandths."""
    schedule = DdpmSchedule()
    at_t, alpha_bar = schedule.rates(np.array([0.001, 0.5, 0.57, 1.0])), schedule.alpha_bar()[[1, 500, 570, 1000]]
    np.testing.assert_array_equal(at_t.alpha, np.sqrt(alpha_bar))
    np.testing.assert_array_equal(at_t.sigma, np.sqrt(1 - alpha_bar))


def test_ddpm_draws_its_thousand_steps_evenly():
    k = np.rint(DdpmSchedule().draw_times(np.random.default_rng(0), 200_000) * 1000).astype(int)
    assert k.min() == 1
    assert k.max() == 1000
    assert np.bincount(k)[1:].std() < 30


@pytest.mark.parametrize("num_steps", [1, 2, 8])
def test_student_times_hit_both_ends_evenly(num_steps):
    """i = 1 and i = N both occur, i is uniform, and no time is 0."""
    times = draw_student_times(np.random.default_rng(0), 40_000, num_steps)
    i, counts = np.unique(np.rint(times * num_steps).astype(int), return_counts=True)
    np.testing.assert_array_equal(i, np.arange(1, num_steps + 1))
    np.testing.assert_allclose(counts, 40_000 / num_steps, rtol=0.05)
    np.testing.assert_array_equal(times * num_steps, np.rint(times * num_steps))
