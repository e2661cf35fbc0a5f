"""What the network's output means. Everything else in halfstep speaks v.

v = alpha eps - sigma x is the one form that is finite at t = 1 (where eps says nothing of x) and at t = 0 (where x
says nothing of eps). Source: the paper, 2.2.4; Salimans & Ho 2022, section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from halfstep.arrays import Float
from halfstep.diffusion.rates import Rates, Signal


def x_from_v(v: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """x_hat = alpha_t z_t - sigma_t v (the paper, 2.2.4)."""
    return at_t.alpha * z_t - at_t.sigma * v


def eps_from_v(v: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """eps_hat = sigma_t z_t + alpha_t v."""
    return at_t.sigma * z_t + at_t.alpha * v


def v_from_x(x_hat: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """v = (alpha_t z_t - x_hat) / sigma_t, for t > 0."""
    return (at_t.alpha * z_t - x_hat) / at_t.sigma


def v_from_eps(eps_hat: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """v = (eps_hat - sigma_t z_t) / alpha_t, for t < 1."""
    return (eps_hat - at_t.sigma * z_t) / at_t.alpha


def x_from_eps(eps_hat: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """x_hat = (z_t - sigma_t eps_hat) / alpha_t, for t < 1."""
    return (z_t - at_t.sigma * eps_hat) / at_t.alpha


def eps_from_x(x_hat: Signal, z_t: Signal, at_t: Rates) -> Signal:
    """eps_hat = (z_t - alpha_t x_hat) / sigma_t, for t > 0."""
    return (z_t - at_t.alpha * x_hat) / at_t.sigma


def noised(x: Signal, eps: Signal, at_t: Rates) -> Signal:
    """z_t = alpha_t x + sigma_t eps."""
    return at_t.alpha * x + at_t.sigma * eps


def velocity(x: Signal, eps: Signal, at_t: Rates) -> Signal:
    """v = alpha_t eps - sigma_t x."""
    return at_t.alpha * eps - at_t.sigma * x


def v_from_both(
    both: Float[Any, "batch both *positions"], z_t: Float[Any, "batch channels *positions"], at_t: Rates
) -> Float[Any, "batch channels *positions"]:
    """Two heads, x then eps along the channels, joined as x_hat = sigma^2 x + alpha (z_t - sigma eps).

    Put into v = (alpha z_t - x_hat) / sigma, all that is divided cancels: v = alpha eps - sigma x of the two heads.
    """
    channels = both.shape[1] // 2
    return velocity(both[:, :channels], both[:, channels:], at_t)


def _same(v_hat: Signal, z_t: Signal, at_t: Rates) -> Signal:
    return v_hat


@dataclass(frozen=True)
class Parameterization:
    """heads: outputs per channel of x. to_v(output, z_t, rates) -> v. distillable: defined at t = 1."""

    heads: int
    to_v: Callable[[Signal, Signal, Rates], Signal]
    distillable: bool = True


PARAMETERIZATIONS = {
    "x": Parameterization(1, v_from_x),
    "eps": Parameterization(1, v_from_eps, distillable=False),
    "v": Parameterization(1, _same),
    "both": Parameterization(2, v_from_both),
}


def hold_known(v: Signal, z_t: Signal, known_x: Signal, mask: Float[Any, "*#shape"], at_t: Rates) -> Signal:
    """The v whose x_hat is `known_x` where mask = 1 and the network's own elsewhere, for t > 0.

    With the initial noise as eps, the known part then follows its exact path alpha_t x + sigma_t eps at every step:
    what the network saw in training, never a frame that is one noise level off.
    """
    return v + mask * (v_from_x(known_x, z_t, at_t) - v)
