"""Noise to data in a few steps. Arithmetic alone, so arrays of numpy and torch both pass through it.

Time runs from t = 1 (noise) to t = 0 (data); z_t = alpha_t x + sigma_t eps with alpha^2 + sigma^2 = 1, and a
denoiser is any callable (z_t, t) -> v where v = alpha_t eps - sigma_t x (Salimans & Ho 2022, arXiv:2202.00512).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from halfstep.diffusion.forms import v_from_x, x_from_v
from halfstep.diffusion.rates import Rates, Signal, cosine_rates, plain
from halfstep.diffusion.steps import ancestral_step, ddim_step, step_times

Denoise: TypeAlias = Callable[[Signal, float], Signal]
Path: TypeAlias = Sequence[tuple[Rates, Rates]]
"""The rates at the two ends of each step, from noise to data; plain floats."""


class Prediction(NamedTuple):
    """v; and where the reverse variance is learned, its fraction (`reverse_variance`), both shaped as z_t."""

    v: Signal
    fraction: Signal | None = None


Predict: TypeAlias = Callable[[Signal, Rates], Prediction]
Hold: TypeAlias = Callable[[Signal, Signal, Rates], Signal]
"""(v, z_t, rates) -> v, with what is known of x held (`forms.hold_known`)."""


def sample(
    denoise: Denoise, noise: Signal, num_steps: int, schedule: Callable[[float], Rates] = cosine_rates
) -> Signal:
    """Deterministic DDIM from z_1 = noise: the data end of the path, shaped as `noise`; num_steps calls of denoise."""
    z = noise
    for t, s in step_times(num_steps):
        z = ddim_step(z, denoise(z, t), plain(schedule(t)), plain(schedule(s)))
    return z


def no_hold(v: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """Nothing is known: v as it is."""
    return v


def sample_ddim(predict: Predict, noise: Signal, path: Path, hold: Hold = no_hold, clip: float = np.inf) -> Signal:
    """The same along any path. clip bounds |x_hat|, where it is finite."""
    z = noise
    for at_t, at_s in path:
        v = _clipped(predict(z, at_t).v, z, at_t, clip)
        z = ddim_step(z, hold(v, z, at_t), at_t, at_s)
    return z


def sample_ancestral(
    predict: Predict,
    noise: Signal,
    path: Path,
    fresh: Callable[[int], Signal],
    fraction: float,
    hold: Hold = no_hold,
    clip: float = np.inf,
) -> Signal:
    """DDPM's stochastic sampler, from z_1 = noise along any path.

    fresh(k): unit noise of step k, from 1 on; not asked for at the last, which adds none. fraction: of the reverse
    variance (`reverse_variance`), unless the network says it.
    """
    z = noise
    for number, (at_t, at_s) in enumerate(path, 1):
        v, learned = predict(z, at_t)
        x_hat = x_from_v(hold(_clipped(v, z, at_t, clip), z, at_t), z, at_t)
        added = 0.0 if at_s.sigma == 0 else fresh(number)
        z = ancestral_step(z, x_hat, added, at_t, at_s, fraction if learned is None else learned)
    return z


def _clipped(v: Signal, z_t: Signal, at_t: Rates, clip: float) -> Signal:
    if clip == np.inf:
        return v
    return v_from_x(x_from_v(v, z_t, at_t).clip(-clip, clip), z_t, at_t)
