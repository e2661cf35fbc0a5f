"""The sampler against closed forms (Gaussian data) and by order of convergence."""

import math

import numpy as np
import pytest
import torch

from halfstep.diffusion.forms import hold_known, v_from_x, x_from_v
from halfstep.diffusion.process import Process, Sampling
from halfstep.diffusion.rates import cosine_rates
from halfstep.diffusion.sampler import Prediction, sample, sample_ancestral
from halfstep.diffusion.steps import RESPACINGS, respaced

NOISE = np.random.default_rng(0).standard_normal((2, 3, 5))


def gaussian_v(variance: float):
    """The best v for data ~ N(0, variance): x_hat = alpha s2 z / V."""

    def v(z_t, t):
        at_t = cosine_rates(t)
        total = at_t.alpha**2 * variance + at_t.sigma**2
        return v_from_x(at_t.alpha * variance * z_t / total, z_t, at_t)

    return v


def two_gaussians_v(z_t, t, mu=2.0, variance=0.01):
    """The best v for two Gaussians at +-mu."""
    at_t = cosine_rates(t)
    total = at_t.alpha**2 * variance + at_t.sigma**2
    x_hat = at_t.alpha * variance * z_t / total + mu * at_t.sigma**2 / total * np.tanh(at_t.alpha * mu * z_t / total)
    return v_from_x(x_hat, z_t, at_t)


@pytest.mark.parametrize("steps", [1, 4, 64, 1024])
def test_ddim_on_unit_gaussian_shrinks_by_known_factor(steps):
    """Data ~ N(0, I): the best v is 0, and N equal-angle steps scale the noise by cos(pi / 2N)^N."""
    z = sample(lambda z_t, t: np.zeros_like(z_t), NOISE, num_steps=steps)
    np.testing.assert_allclose(z, math.cos(math.pi / (2 * steps)) ** steps * NOISE, atol=1e-15)


@pytest.mark.parametrize(
    ("variance", "steps", "gain"),
    [
        (1, 2, 0.5), (1, 4, 0.7285533906), (1, 8, 0.8562321184), (1, 16, 0.9256764923), (1, 64, 0.9809061352),
        (1, 1024, 0.9987959393), (4, 2, 0.8), (4, 4, 1.3337627134), (4, 8, 1.6455018756), (4, 64, 1.9523758289),
        (0.01, 2, 0.0099009901), (0.01, 8, 0.0434658053), (0.01, 64, 0.0906904167),
    ],
)  # fmt: skip
def test_ddim_gain_on_gaussians(variance, steps, gain):
    np.testing.assert_allclose(sample(gaussian_v(variance), NOISE, steps), gain * NOISE, rtol=1e-9)


@pytest.mark.parametrize(("t", "x_hat"), [(0.25, 1.9494633876), (0.5, 1.9796213755), (0.75, 1.4298836189), (1.0, 0.0)])
def test_two_gaussians_prediction(t, x_hat):
    z = np.array([1.0])
    assert x_from_v(two_gaussians_v(z, t), z, cosine_rates(t))[0] == pytest.approx(x_hat, abs=1e-9)


@pytest.mark.parametrize(
    ("steps", "landed"),
    [
        (1, (0, 0, 0, 0)),
        (2, (0.3880624222, 1.5047614636, 1.9160426083, -1.9846591472)),
        (4, (1.918057845, 1.9731195081, 1.9951865407, -2.0113886775)),
        (8, (1.906606526, 1.9709668581, 2.0079873751, -2.0366529824)),
    ],
)
def test_two_gaussians_map(steps, landed):
    z = sample(two_gaussians_v, np.array([0.1, 0.5, 1.0, -1.5]), steps)
    np.testing.assert_allclose(z, landed, atol=1e-9)


def test_ddim_converges_with_order_one():
    """Halving the step halves the error against the exact flow, N(0, 4): gain 2."""
    errors = [abs(sample(gaussian_v(4), np.ones(1), steps)[0] - 2) for steps in (128, 256, 512, 1024)]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(orders, 1, atol=0.02)


@pytest.mark.parametrize("steps", [1, 3, 7, 64])
def test_n_steps_are_n_network_calls(steps):
    times = []

    def v(z_t, t):
        times.append(t)
        return 0 * z_t

    sample(v, NOISE, steps)
    assert len(times) == steps
    assert times[0] == 1.0
    assert times == sorted(times, reverse=True)


def test_numpy_and_torch_give_the_same():
    def of_torch(z_t, t):
        return torch.from_numpy(gaussian_v(4)(z_t.numpy(), t))

    np.testing.assert_array_equal(sample(gaussian_v(4), NOISE, 8), sample(of_torch, torch.from_numpy(NOISE), 8).numpy())


def test_float32_stays_float32():
    assert sample(lambda z, t: 0 * z, NOISE.astype(np.float32), 4).dtype == np.float32


def test_what_an_ancestral_sampler_predicts_is_clipped():
    """At the last step, whose deviation is 0, what is left is x_hat: within the bound, both ways."""
    path = Sampling(process=Process(schedule="ddpm-cosine"), sampler="ancestral").path(4)
    z = sample_ancestral(
        lambda z, at_t: Prediction(-100 * np.sign(z)), NOISE, path, lambda step: np.zeros_like(NOISE), 0.0, clip=0.25
    )
    np.testing.assert_allclose(z, 0.25 * np.sign(NOISE))


def spread(num_steps: int, fraction: float, respacing: str = "trailing") -> float:
    """The exact variance of DDPM samples of N(0, I), best v = 0: noise k is the k-th axis, and sampling is linear."""
    axes, process = np.eye(num_steps + 1), Process(schedule="ddpm-cosine")
    path = Sampling(process=process, sampler="ancestral", respacing=respacing).path(num_steps)
    z = sample_ancestral(lambda z, at_t: Prediction(0 * z), axes[0], path, lambda step: axes[step], fraction)
    return float(np.square(z).sum())


@pytest.mark.parametrize("respacing", RESPACINGS)
@pytest.mark.parametrize("num_steps", [1, 4, 100, 1000])
def test_the_upper_variance_keeps_unit_gaussian_data_at_any_number_of_steps(num_steps: int, respacing: str):
    """beta is then the true reverse variance: every z_s has variance 1, and the last step takes its share alpha^2."""
    last = respaced(num_steps, 1000, respacing)[-1][0]
    wanted = float(Process(schedule="ddpm-cosine").at(last).alpha) ** 2
    assert spread(num_steps, 1.0, respacing) == pytest.approx(wanted, rel=1e-9)


def test_the_posterior_variance_is_too_small_for_it_and_nearly_right_at_all_steps():
    assert spread(4, 0.0) < spread(100, 0.0) < spread(1000, 0.0) < 1
    assert spread(1000, 0.0) == pytest.approx(1, abs=0.05)


def test_noise_of_a_step_is_asked_for_by_its_number_and_not_at_the_last():
    asked: list[int] = []

    def fresh(step: int) -> np.ndarray:
        asked.append(step)
        return NOISE

    sampling = Sampling(process=Process(schedule="ddpm-cosine"), sampler="ancestral")
    sampling.sample(lambda z, at_t: Prediction(0 * z), NOISE, 5, fresh)
    assert asked == [1, 2, 3, 4]


def test_known_part_follows_its_exact_path():
    """With a wrong network everywhere, what is held still lands on its true x, at any number of steps."""
    known = np.full_like(NOISE, 0.7)
    mask = np.zeros_like(NOISE)
    mask[..., :2] = 1
    for steps in (1, 4, 33):
        z = sample(lambda z, t: hold_known(np.sin(z), z, known, mask, cosine_rates(t)), NOISE, steps)
        np.testing.assert_allclose(z[..., :2], 0.7, atol=1e-12)
        assert np.abs(z[..., 2:] - 0.7).max() > 0.1
