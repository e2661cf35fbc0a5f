"""Noise to data in a few steps. Arithmetic alone, so arrays of numpy and torch both pass through it.

Time runs from t = 1 (noise) to t = 0 (data); z_t = alpha_t x + sigma_t eps with alpha^2 + sigma^2 = 1, and a
denoiser is any callable (z_t, t) -> v where v = alpha_t eps - sigma_t x (Salimans & Ho 2022, arXiv:2202.00512).
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from halfstep.diffusion.forms import x_from_v
from halfstep.diffusion.rates import Rates, Signal, cosine_rates, plain
from halfstep.diffusion.steps import ancestral_step, ddim_step, step_times

Denoise: TypeAlias = Callable[[Signal, float], Signal]


def sample(
    denoise: Denoise, noise: Signal, num_steps: int, schedule: Callable[[float], Rates] = cosine_rates
) -> Signal:
    """Deterministic DDIM from z_1 = noise: the data end of the path, shaped as `noise`; num_steps calls of denoise."""
    z = noise
    for t, s in step_times(num_steps):
        z = ddim_step(z, denoise(z, t), plain(schedule(t)), plain(schedule(s)))
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
        at_t, at_s = plain(schedule(t)), plain(schedule(s))
        x_hat = x_from_v(denoise(z, t), z, at_t).clip(-clip, clip)
        z = ancestral_step(z, x_hat, draw(), at_t, at_s)
    return z
