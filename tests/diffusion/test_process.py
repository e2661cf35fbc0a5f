"""A process and how it is sampled: what is refused by name, and the path that a sampling takes."""

import math
from typing import Any

import numpy as np
import pytest

from halfstep.diffusion.process import LOUDEST, MOST_STEPS, Process, Sampling
from halfstep.diffusion.rates import Rates, Signal
from halfstep.diffusion.sampler import Prediction
from halfstep.diffusion.steps import (
    forward_variance,
    jumping_times,
    step_times,
)

NOISE = np.random.default_rng(0).standard_normal((2, 3, 5))


def test_a_learned_fraction_is_used_where_the_network_says_one():
    """The same as that number for all: 1 from the network is the upper variance."""
    sampling = Sampling(process=Process(schedule="linear"), sampler="ancestral", variance="learned")
    upper = Sampling(process=Process(schedule="linear"), sampler="ancestral", variance="upper")
    learned = sampling.sample(lambda z, at_t: Prediction(0 * z, np.ones_like(z)), NOISE, 6, lambda step: NOISE)
    fixed = upper.sample(lambda z, at_t: Prediction(0 * z), NOISE, 6, lambda step: NOISE)
    np.testing.assert_allclose(learned, fixed, rtol=1e-12)


def test_a_jump_is_the_last_two_of_one_more_step():
    assert jumping_times(3) == [(1, 0.75), (0.75, 0.5), (0.5, 0)]
    assert jumping_times(1) == step_times(1)
    path = Sampling(respacing="jump").path(7)
    assert path[:-1] == Sampling().path(8)[:6]
    assert path[-1] == (Sampling().path(8)[6][0], Sampling().path(8)[7][1])


def test_a_jump_ends_at_what_the_network_says_at_its_middle():
    """Two calls, the second where the signal and the noise of three steps are those of t = 2 / 3."""
    asked: list[float] = []

    def predict(z: Signal, at_t: Rates) -> Prediction:
        asked.append(float(np.degrees(np.arctan2(at_t.sigma, at_t.alpha))))
        return Prediction(0 * z)

    x = Sampling(respacing="jump").sample(predict, NOISE, 2, lambda step: NOISE)
    np.testing.assert_allclose(asked, [90, 60])
    np.testing.assert_allclose(x, np.cos(np.radians(30)) * np.cos(np.radians(60)) * NOISE)


def test_the_variance_of_a_respaced_chain_is_that_of_the_steps_it_skips():
    """Products of 1 - beta over the steps that are left are those of the whole chain."""
    path = Sampling(process=Process(schedule="linear"), sampler="ancestral", respacing="linspace").path(7)
    kept = np.prod([1 - forward_variance(at_t, at_s) for at_t, at_s in path])
    assert kept == pytest.approx(path[0][0].alpha ** 2, rel=1e-9)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"sampler": "euler"}, "sampler is 'euler': one of ddim, ancestral"),
        ({"respacing": "cubic", "process": Process(schedule="linear")}, "respacing is 'cubic': one of"),
        ({"respacing": "linspace"}, "respacing is 'linspace': .* schedule 'cosine' is continuous"),
        ({"variance": "guessed"}, "variance is 'guessed'"),
        ({"respacing": "jump", "process": Process(schedule="linear")}, "respacing is 'jump': .* 'linear' is a chain"),
    ],
)
def test_a_sampling_that_is_none_is_refused_by_name(settings: dict[str, Any], says: str):
    with pytest.raises(ValueError, match=says):
        Sampling(**settings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"schedule": "sine"}, "schedule is 'sine': one of"),
        ({"parameterization": "score"}, "parameterization is 'score': one of"),
        ({"train_steps": 0}, "train_steps is 0: 1 to 4096"),
        ({"train_steps": 4097}, "train_steps is 4097: 1 to 4096"),
        ({"shift": 0.0}, "shift is 0.0: a number above 0"),
        ({"shift": math.inf}, "shift is inf: a number above 0"),
        ({"parameterization": "eps"}, "parameterization is 'eps' and schedule 'cosine'"),
    ],
)
def test_a_process_that_is_none_is_refused_by_name(settings: dict[str, Any], says: str):
    with pytest.raises(ValueError, match=says):
        Process(**settings)


@pytest.mark.parametrize("train_steps", [1, 1000, MOST_STEPS])
def test_a_chain_has_as_many_steps_as_it_was_trained_for(train_steps: int):
    assert Process(schedule="linear", train_steps=train_steps).most_steps == train_steps
    assert Process(schedule="cosine", train_steps=train_steps).most_steps == MOST_STEPS


def test_x_is_bounded_where_an_error_of_the_prediction_can_be_any_error_of_x():
    chain = Process(schedule="ddpm-cosine")
    assert Sampling(process=chain, widest=2.0).clip == math.inf
    assert Sampling(process=chain, sampler="ancestral", widest=2.0).clip == 2 * LOUDEST
    assert Sampling(process=Process(schedule="ddpm-cosine", parameterization="eps"), widest=2.0).clip == 2 * LOUDEST


def test_the_variance_is_that_which_is_named():
    """All noise alike, of a network that says v = 0: the upper variance adds more of it than the posterior's."""

    def last(variance: str) -> np.ndarray:
        sampling = Sampling(process=Process(schedule="linear"), sampler="ancestral", variance=variance)
        return sampling.sample(lambda z, at_t: Prediction(0 * z), NOISE, 6, lambda step: NOISE)

    assert np.std(last("upper")) > 1.05 * np.std(last("posterior"))
    np.testing.assert_array_equal(last("learned"), last("posterior"))  # where the network says nothing
