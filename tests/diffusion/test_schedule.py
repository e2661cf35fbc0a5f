"""Schedules: what they promise at the ends, and which times training draws."""

import itertools
import math
from typing import Any

import numpy as np
import pytest

from halfstep.diffusion.schedule import (
    SCHEDULES,
    CosineSchedule,
    DdpmSchedule,
    angle_between,
    draw_student_times,
    draw_times,
)


def test_cosine_times_are_uniform_and_reach_one():
    times = np.concatenate([draw_times(CosineSchedule(), np.random.default_rng(k), 32) for k in range(2000)])
    assert times.min() > 0
    assert times.max() <= 1
    counts = np.histogram(times, 10, (0, 1))[0]
    np.testing.assert_allclose(counts, len(times) / 10, rtol=0.02)


def test_one_time_from_each_part_of_a_batch():
    times = np.sort(draw_times(CosineSchedule(), np.random.default_rng(0), 8))
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


@pytest.mark.parametrize(("count", "k"), [(1000, [1, 500, 1000]), (49, [1, 48, 49])])
def test_ddpm_rates_at_a_time_are_those_of_its_step(count: int, k: list[int]):
    """Of 49 steps the first is at a time that is .9999999999999999 of them."""
    schedule = DdpmSchedule(num_train_steps=count)
    at_t, alpha_bar = schedule.rates(np.array(k) / count), schedule.alpha_bar()[k]
    np.testing.assert_array_equal(at_t.alpha, np.sqrt(alpha_bar))
    np.testing.assert_array_equal(at_t.sigma, np.sqrt(1 - alpha_bar))


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_falls_from_data_to_noise(name: str):
    schedule = SCHEDULES[name]()
    alpha, sigma = schedule.rates(np.linspace(0, 1, 1001))
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, atol=1e-12)
    assert (alpha[0], sigma[0]) == (1, 0)
    assert alpha[-1] < 0.01
    assert (np.diff(alpha) < 0).all()
    assert (alpha[-1] == 0) == (name in ("cosine", "shifted", "sigmoid"))


def log_snr(name: str, t: float, **settings: Any) -> float:
    alpha, sigma = SCHEDULES[name](**settings).rates(np.array(t))
    return 2 * math.log(alpha / sigma)


@pytest.mark.parametrize("t", [0.1, 0.5, 0.9])
def test_a_shift_moves_log_snr_by_twice_its_logarithm(t: float):
    assert log_snr("shifted", t, shift=0.25) == pytest.approx(log_snr("cosine", t) + 2 * math.log(0.25), abs=1e-9)
    assert log_snr("shifted", t, shift=1.0) == pytest.approx(log_snr("cosine", t), abs=1e-9)


def test_the_linear_chain_has_ddpm_s_betas():
    """alpha_bar_1000 of beta = 1e-4 ... .02 is 4.0358e-5; a chain of other length ends near it."""
    alpha, _ = SCHEDULES["linear"]().rates(np.array([0.001, 0.002, 1.0]))
    np.testing.assert_allclose(alpha[:2] ** 2, [1 - 1e-4, (1 - 1e-4) * (1 - 1e-4 - 0.0199 / 999)], rtol=1e-12)
    assert alpha[2] ** 2 == pytest.approx(4.0358e-5, rel=1e-4)
    few, _ = SCHEDULES["linear"](train_steps=250).rates(np.array([1.0]))
    assert few[0] ** 2 == pytest.approx(4.0358e-5, rel=0.3)
    eight, _ = SCHEDULES["linear"](train_steps=8).rates(np.array([0.875, 1.0]))  # the last beta would be 2.5
    assert eight[1] ** 2 == pytest.approx(0.001 * eight[0] ** 2, rel=1e-9)


@pytest.mark.parametrize(("t", "ratio"), [(1.0, 160.0), (0.5, 5.0305), (1e-9, 0.004)])
def test_edm_has_its_noise_levels_over_the_deviation_of_its_data(t: float, ratio: float):
    """sigma = 80, (80^(1/7) / 2 + .002^(1/7) / 2)^7 = 2.5152 and .002, over .5."""
    alpha, sigma = SCHEDULES["edm"]().rates(np.array(t))
    assert sigma / alpha == pytest.approx(ratio, rel=1e-3)


@pytest.mark.parametrize(("t", "alpha_squared"), [(0.5, 0.5), (0.25, 0.8508535), (0.75, 0.1491465)])
def test_the_sigmoid_schedule_is_its_sigmoid(t: float, alpha_squared: float):
    """(sigmoid(3 - 6 t) - sigmoid(-3)) / (sigmoid(3) - sigmoid(-3))."""
    assert SCHEDULES["sigmoid"]().rates(np.array(t)).alpha ** 2 == pytest.approx(alpha_squared, abs=1e-6)


def test_angles_of_steps_add_up_to_a_right_one():
    grid = np.linspace(0, 1, 9)
    for name in ("cosine", "shifted", "sigmoid"):
        ends = [SCHEDULES[name]().rates(np.array(t)) for t in grid]
        turned = [float(angle_between(b, a)) for a, b in itertools.pairwise(ends)]
        assert sum(turned) == pytest.approx(math.pi / 2)
        assert (np.ptp(turned) < 1e-12) == (name == "cosine")


def test_ddpm_draws_its_thousand_steps_evenly():
    k = np.rint(draw_times(DdpmSchedule(), np.random.default_rng(0), 200_000) * 1000).astype(int)
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
