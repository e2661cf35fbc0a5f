"""Noise to data in a few steps. Arithmetic alone, so arrays of numpy and torch both pass through it.

Time runs from t = 1 (noise) to t = 0 (data); z_t = alpha_t x + sigma_t eps with alpha^2 + sigma^2 = 1, and a
denoiser is any callable (z_t, t) -> v where v = alpha_t eps - sigma_t x (Salimans & Ho 2022, arXiv:2202.00512).
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Signal: TypeAlias = Any  # numpy array or torch tensor: only + - * are asked of it
Denoise: TypeAlias = Callable[[Signal, float], Signal]


class Rates(NamedTuple):
    """How much signal and how much noise: alpha, sigma, numbers or arrays that broadcast against z_t."""

    alpha: Any
    sigma: Any


def cosine_rates(t: Any) -> Rates:
    """alpha_t = cos(pi t / 2), sigma_t = sin(pi t / 2) in float64; exactly 0 and 1 at the two ends.

    float64 cos(pi / 2) is 6e-17 and float32's is negative: the ends are set, not computed.
    """
    t = np.asarray(t, dtype=np.float64)
    alpha = np.where(t == 1, 0.0, np.cos(np.pi / 2 * t))
    sigma = np.where(t == 0, 0.0, np.sin(np.pi / 2 * t))
    return Rates(alpha[()], sigma[()])


def x_from_v(v: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """x_hat = alpha_t z_t - sigma_t v (the paper, 2.2.4)."""
    return at_t.alpha * z_t - at_t.sigma * v


def eps_from_v(v: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """eps_hat = sigma_t z_t + alpha_t v."""
    return at_t.sigma * z_t + at_t.alpha * v


def v_from_x(x_hat: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """v = (alpha_t z_t - x_hat) / sigma_t, for t > 0."""
    return (at_t.alpha * z_t - x_hat) / at_t.sigma


def ddim_step(z_t: Signal, v: Signal, at_t: Rates, at_s: Rates) -> Signal:
    """One deterministic step t -> s: z_s = alpha_s x_hat + sigma_s eps_hat, a rotation by phi_t - phi_s.

    Finite at both ends; at s = 0 it is x_hat itself. Song et al. 2021 (arXiv:2010.02502), eq. 12, in v form.
    """
    return at_s.alpha * x_from_v(v, z_t, at_t) + at_s.sigma * eps_from_v(v, z_t, at_t)


def ancestral_step(z_t: Signal, x_hat: Signal, noise: Signal, at_t: Rates, at_s: Rates) -> Signal:
    """One stochastic step t -> s: a draw from q(z_s | z_t, x = x_hat), for t > 0 and alpha_s > 0.

    Ho et al. 2020 (arXiv:2006.11239), eq. 6 and 7, for any two times. At s = 0 it is x_hat.
    """
    alpha_ts = at_t.alpha / at_s.alpha
    variance_ts = at_t.sigma**2 - alpha_ts**2 * at_s.sigma**2
    mean = (alpha_ts * at_s.sigma**2 * z_t + at_s.alpha * variance_ts * x_hat) / at_t.sigma**2
    deviation = (variance_ts**0.5) * at_s.sigma / at_t.sigma
    return mean + deviation * noise


def step_times(num_steps: int, start: float = 1.0) -> list[tuple[float, float]]:
    """The (t, s) of each step from `start` down to 0: exactly `num_steps` of equal angle."""
    if num_steps < 1:
        raise ValueError(f"num_steps is {num_steps}: at least 1 was expected")
    grid = [start * i / num_steps for i in range(num_steps, -1, -1)]
    return list(itertools.pairwise(grid))


def sample(
    denoise: Denoise, noise: Signal, num_steps: int, schedule: Callable[[float], Rates] = cosine_rates
) -> Signal:
    """Deterministic DDIM from z_1 = noise: the data end of the path, shaped as `noise`; num_steps calls of denoise."""
    z = noise
    for t, s in step_times(num_steps):
        z = ddim_step(z, denoise(z, t), _plain(schedule(t)), _plain(schedule(s)))
    return z


def sample_ancestral(
    denoise: Denoise,
    noise: Signal,
    num_steps: int,
    draw: Callable[[], Signal],
    schedule: Callable[[float], Rates] = cosine_rates,
    clip: float = np.inf,
) -> Signal:
    """DDPM's stochastic sampler; `draw()` gives unit noise shaped as z, `clip` bounds |x_hat| (in deviations)."""
    z = noise
    for t, s in step_times(num_steps):
        at_t, at_s = _plain(schedule(t)), _plain(schedule(s))
        x_hat = x_from_v(denoise(z, t), z, at_t).clip(-clip, clip)
        z = ancestral_step(z, x_hat, draw(), at_t, at_s)
    return z


def hold_known(v: Signal, z_t: Signal, known_x: Signal, mask: Signal, at_t: Rates) -> Signal:
    """The v whose x_hat is `known_x` where mask = 1 and the network's own elsewhere, for t > 0.

    With the initial noise as eps, the known part then follows its exact path alpha_t x + sigma_t eps at every step:
    what the network saw in training, never a frame that is one noise level off.
    """
    return v + mask * (v_from_x(known_x, z_t, at_t) - v)


def _plain(rates: Rates) -> Rates:
    """Python floats: a numpy float64 scalar would lift float32 arrays to float64."""
    return Rates(float(rates.alpha), float(rates.sigma))
