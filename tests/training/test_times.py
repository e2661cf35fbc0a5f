"""Which times training draws: their distribution, and that a weighted mean is still the mean."""

import copy
import math

import numpy as np
import pytest
import torch

from halfstep.diffusion.schedule import SCHEDULES
from halfstep.nets.history import LEVELS, REMEMBERED, LossHistory
from halfstep.training.times import LOG_NORMAL_DEVIATION, LOG_NORMAL_MEAN, TIMES


def full(losses: np.ndarray) -> LossHistory:
    """A history in which every level has had the same loss again and again."""
    history = LossHistory()
    for _ in range(REMEMBERED):
        history.remember(np.arange(LEVELS), torch.from_numpy(losses))
    return history


def test_levels_are_drawn_by_the_root_of_the_mean_square_of_their_losses():
    """Nichol & Dhariwal's shares, with a thousandth drawn evenly."""
    losses = np.linspace(0.1, 2, LEVELS)
    expected = 0.999 * losses / losses.sum() + 0.001 / LEVELS
    np.testing.assert_allclose(full(losses).shares(), expected, rtol=1e-6)
    drawn = TIMES["importance"](SCHEDULES["cosine"]()).draw(np.random.default_rng(0), 40_000, full(losses))
    counts = np.histogram(drawn.times, LEVELS, (0, 1))[0] / 40_000
    np.testing.assert_allclose(counts, expected, atol=0.004)


def test_until_every_level_is_known_they_are_drawn_evenly():
    history = LossHistory()
    history.remember(np.array([3, 3]), torch.tensor([1.0, 5.0]))
    np.testing.assert_array_equal(history.shares(), np.full(LEVELS, 1 / LEVELS))
    assert history.losses[3, -2:].tolist() == [1.0, 5.0]
    assert history.counts.sum() == 2


@pytest.mark.parametrize("schedule", ["cosine", "ddpm-cosine"])
def test_a_loss_weighted_by_its_draws_has_the_mean_of_even_draws(schedule: str):
    """Of t^2 over (0, 1]: a third; of k / T, nearly. And twice as precise where the loss is what draws."""
    sampling, rng = TIMES["importance"](SCHEDULES[schedule]()), np.random.default_rng(0)
    history = full((np.arange(LEVELS) + 0.5) ** 2 / LEVELS**2)

    def mean(shares: LossHistory) -> float:
        drawn = sampling.draw(rng, 64, shares)
        with torch.no_grad():
            return sampling.mean(torch.from_numpy(drawn.times**2), drawn, shares).item()

    result, even = ([mean(one) for _ in range(400)] for one in (history, LossHistory()))
    assert np.mean(result) == pytest.approx(1 / 3, abs=0.005)
    assert np.std(result) < 0.5 * np.std(even)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_log_normal_times_have_its_mean_and_deviation_under_every_schedule(schedule: str):
    chosen = SCHEDULES[schedule]()
    times = TIMES["log-normal"](chosen).draw(np.random.default_rng(0), 20_000, None).times
    alpha, sigma = chosen.rates(times)
    drawn = np.log(sigma / np.maximum(alpha, 1e-12))
    assert np.median(drawn) == pytest.approx(LOG_NORMAL_MEAN, abs=0.03)
    wide = np.quantile(drawn, [0.1587, 0.8413])
    np.testing.assert_allclose(
        wide, [LOG_NORMAL_MEAN - LOG_NORMAL_DEVIATION, LOG_NORMAL_MEAN + LOG_NORMAL_DEVIATION], atol=0.06
    )
    assert math.isclose(LOG_NORMAL_MEAN, -0.5069, abs_tol=1e-4)


@pytest.mark.parametrize("name", TIMES)
def test_a_students_times_are_its_steps(name: str):
    drawn = TIMES[name](SCHEDULES["cosine"]()).draw_student(np.random.default_rng(0), 4000, 4, LossHistory())
    steps = np.unique(drawn.times * 4)
    np.testing.assert_array_equal(steps, [1, 2, 3, 4])


def test_losses_are_remembered_while_training_alone_and_with_the_weights():
    sampling, history = TIMES["importance"](SCHEDULES["cosine"]()), LossHistory()
    drawn = sampling.draw(np.random.default_rng(0), 8, history)
    with torch.no_grad():
        sampling.mean(torch.ones(8), drawn, history)
    assert history.counts.sum() == 0
    sampling.mean(torch.ones(8), drawn, history)
    assert history.counts.sum() == 8
    again = copy.deepcopy(LossHistory())
    again.load_state_dict(history.state_dict())
    np.testing.assert_array_equal(again.losses.numpy(), history.losses.numpy())
