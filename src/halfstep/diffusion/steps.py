"""One step from t to s < t, deterministic or not, and the times of the steps."""

import itertools

from halfstep.diffusion.forms import eps_from_v, x_from_v
from halfstep.diffusion.rates import Rates, Signal


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
