"""How much signal and how much noise: the pair alpha_t, sigma_t at a time t, from 1 (noise) to 0 (data)."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np

from halfstep.arrays import Float, Float64

Signal: TypeAlias = Float[Any, "*shape"]
"""numpy array or torch tensor, of one shape in all that a call takes and gives; only + - * are asked of it."""
Factor: TypeAlias = Any
"""A number, or an array that broadcasts against a signal."""


class Rates(NamedTuple):
    """How much signal and how much noise: alpha, sigma, numbers or arrays that broadcast against z_t."""

    alpha: Any
    sigma: Any


def cosine_rates(t: float | Float64[np.ndarray, "*times"]) -> Rates:
    """alpha_t = cos(pi t / 2), sigma_t = sin(pi t / 2) in float64; exactly 0 and 1 at the two ends.

    float64 cos(pi / 2) is 6e-17 and float32's is negative: the ends are set, not computed.
    """
    t = np.asarray(t, dtype=np.float64)
    alpha = np.where(t == 1, 0.0, np.cos(np.pi / 2 * t))
    sigma = np.where(t == 0, 0.0, np.sin(np.pi / 2 * t))
    return Rates(alpha[()], sigma[()])


def plain(rates: Rates) -> Rates:
    """Python floats: a numpy float64 scalar would lift float32 arrays to float64."""
    return Rates(float(rates.alpha), float(rates.sigma))
