"""One step: DDIM's and the ancestral one by hand, and which steps of a chain are taken."""

import math

import numpy as np
import pytest

from halfstep.diffusion.forms import v_from_x
from halfstep.diffusion.process import Process
from halfstep.diffusion.rates import cosine_rates
from halfstep.diffusion.steps import (
    RESPACINGS,
    ancestral_step,
    ddim_step,
    respaced,
    step_times,
)

NOISE = np.random.default_rng(0).standard_normal((2, 3, 5))


def test_steps_meet_and_end_at_data():
    steps = step_times(5)
    assert [t for t, _ in steps[1:]] == [s for _, s in steps[:-1]]
    assert steps[-1][1] == 0.0
    with pytest.raises(ValueError, match="num_steps is 0"):
        step_times(0)


def test_last_step_returns_the_prediction_itself():
    z, x_hat = NOISE, np.ones_like(NOISE)
    at_t = cosine_rates(0.25)
    np.testing.assert_allclose(ddim_step(z, v_from_x(x_hat, z, at_t), at_t, cosine_rates(0.0)), x_hat, atol=1e-14)


def test_ancestral_step_has_the_posterior_moments():
    """Given the true x, a step back from z_t leaves (x, z_s) as the forward process has them."""
    rng = np.random.default_rng(1)
    at_t, at_s = cosine_rates(0.8), cosine_rates(0.4)
    x = rng.standard_normal(200_000)
    z_t = at_t.alpha * x + at_t.sigma * rng.standard_normal(x.shape)
    z_s = ancestral_step(z_t, x, rng.standard_normal(x.shape), at_t, at_s)
    # With the true x the pair (x, z_s) must be that of the forward process: covariance alpha_s, variance 1.
    assert np.mean(x * z_s) == pytest.approx(at_s.alpha, abs=0.01)
    assert np.var(z_s) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("noise", [-1.5, 0.0, 2.0])
def test_an_ancestral_step_is_the_product_of_two_gaussians(noise: float):
    """Of what x says of z_s, and what z_t does: precisions add, and the noise moves z_s its own way."""
    at_t, at_s, x, z_t = cosine_rates(0.7), cosine_rates(0.3), 0.8, -0.4
    kept = at_t.alpha / at_s.alpha
    added = at_t.sigma**2 - kept**2 * at_s.sigma**2  # variance of z_t, given z_s
    variance = 1 / (1 / at_s.sigma**2 + kept**2 / added)
    mean = variance * (at_s.alpha * x / at_s.sigma**2 + kept * z_t / added)
    z_s = ancestral_step(np.array([z_t]), np.array([x]), np.array([noise]), at_t, at_s)
    assert z_s[0] == pytest.approx(mean + math.sqrt(variance) * noise, rel=1e-12)


@pytest.mark.parametrize("fraction", [0.0, 0.5, 1.0])
def test_the_last_ancestral_step_ends_at_x_hat_without_noise(fraction: float):
    at_t, at_s = (Process(schedule="ddpm-cosine").at(t) for t in (0.25, 0.0))
    x_hat = 0.5 * NOISE
    np.testing.assert_allclose(ancestral_step(NOISE, x_hat, NOISE, at_t, at_s, fraction), x_hat, atol=1e-12)


@pytest.mark.parametrize("respacing", RESPACINGS)
@pytest.mark.parametrize("chain", [1, 7, 41, 1000])
def test_a_respaced_chain_goes_down_from_noise_and_all_of_it_is_every_step(chain: int, respacing: str):
    for num_steps in {1, 2, min(5, chain), chain} - {2 if chain == 1 else 0} | set(range(1, min(chain, 50))):
        times = respaced(num_steps, chain, respacing)
        assert len(times) == num_steps
        assert times[0][0] <= 1
        assert all(t * chain == pytest.approx(round(t * chain)) for t, _ in times)
        assert times[-1][1] == 0
        assert [s for _, s in times[:-1]] == [t for t, _ in times[1:]]
        assert all(t > s for t, s in times)
    assert [round(t * chain) for t, _ in respaced(chain, chain, respacing)] == list(range(chain, 0, -1))


@pytest.mark.parametrize(
    ("respacing", "ks"),
    [("trailing", (1000, 750, 500, 250)), ("linspace", (1000, 667, 334, 1)), ("leading", (751, 501, 251, 1)),
     ("quadratic", (1000, 459, 126, 1))],
)  # fmt: skip
def test_respaced_steps_are_these(respacing: str, ks: tuple[int, ...]):
    assert [round(t * 1000) for t, _ in respaced(4, 1000, respacing)] == list(ks)


@pytest.mark.parametrize(("respacing", "k"), [("trailing", 10), ("linspace", 10), ("leading", 1), ("quadratic", 10)])
def test_a_single_step_begins_with_noise_unless_it_leads(respacing: str, k: int):
    assert respaced(1, 10, respacing) == [(k / 10, 0)]


def test_leading_steps_are_the_floor_of_their_share_apart():
    assert [round(t * 11) for t, _ in respaced(3, 11, "leading")] == [7, 4, 1]


@pytest.mark.parametrize("num_steps", [0, 1001])
def test_more_steps_than_there_are_is_refused(num_steps: int):
    with pytest.raises(ValueError, match=f"num_steps is {num_steps}: 1 to 1000"):
        respaced(num_steps, 1000)
