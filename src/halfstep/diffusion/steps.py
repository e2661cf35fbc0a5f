"""One step from t to s < t, deterministic or not, and the times of the steps."""

import itertools
from collections.abc import Callable

import numpy as np

from halfstep.arrays import Float64
from halfstep.diffusion.forms import eps_from_v, x_from_v
from halfstep.diffusion.rates import Factor, Rates, Signal


def ddim_step(z_t: Signal, v: Signal, at_t: Rates, at_s: Rates) -> Signal:
    """One deterministic step t -> s: z_s = alpha_s x_hat + sigma_s eps_hat, a rotation by phi_t - phi_s.

    Finite at both ends; at s = 0 it is x_hat itself. Song et al. 2021 (arXiv:2010.02502), eq. 12, in v form.
    """
    return at_s.alpha * x_from_v(v, z_t, at_t) + at_s.sigma * eps_from_v(v, z_t, at_t)


def forward_variance(at_t: Rates, at_s: Rates) -> Factor:
    """beta: the variance of q(z_t | z_s), what of the noise is new from s to t."""
    return at_t.sigma**2 - (at_t.alpha / at_s.alpha) ** 2 * at_s.sigma**2


def posterior_mean(z_t: Factor, x_hat: Factor, at_t: Rates, at_s: Rates) -> Factor:
    """The mean of q(z_s | z_t, x = x_hat), for t > 0 and alpha_s > 0. At s = 0 it is x_hat.

    Ho et al. 2020 (arXiv:2006.11239), eq. 7, for any two times.
    """
    alpha_ts = at_t.alpha / at_s.alpha
    beta = forward_variance(at_t, at_s)
    return (alpha_ts * at_s.sigma**2 * z_t + at_s.alpha * beta * x_hat) / at_t.sigma**2


def reverse_variance(at_t: Rates, at_s: Rates, fraction: Factor) -> Factor:
    """beta^fraction beta~^(1 - fraction): between the variance of q(z_s | z_t, x), 0, and that of q(z_t | z_s), 1.

    beta~ = beta sigma_s^2 / sigma_t^2 is right where the data are a point, beta where they are unit noise; a learned
    fraction lies between. Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 15.
    """
    beta = forward_variance(at_t, at_s)
    return beta * (at_s.sigma**2 / at_t.sigma**2) ** (1 - fraction)


def ancestral_step(
    z_t: Signal, x_hat: Signal, noise: Factor, at_t: Rates, at_s: Rates, fraction: Factor = 0.0
) -> Signal:
    """One stochastic step t -> s, for t > 0 and alpha_s > 0: a draw from q(z_s | z_t, x = x_hat) with fraction 0, from
    one with the variance of `reverse_variance` with another. At s = 0 it is x_hat.

    Ho et al. 2020 (arXiv:2006.11239), algorithm 2: the last step adds no noise.
    """
    mean = posterior_mean(z_t, x_hat, at_t, at_s)
    if isinstance(at_s.sigma, float) and at_s.sigma == 0:
        return mean
    return mean + reverse_variance(at_t, at_s, fraction) ** 0.5 * noise


def step_times(num_steps: int, start: float = 1.0) -> list[tuple[float, float]]:
    """The (t, s) of each step from `start` down to 0: exactly `num_steps`, evenly."""
    if num_steps < 1:
        raise ValueError(f"num_steps is {num_steps}: at least 1 was expected")
    grid = [start * i / num_steps for i in range(num_steps, -1, -1)]
    return list(itertools.pairwise(grid))


def begun_at(times: list[tuple[float, float]], start: float) -> list[tuple[float, float]]:
    """The (t, s) of a path from 1 down to 0, from `start` on: the step that it falls into begins there. None for 0.

    What z_start = alpha x + sigma noise is brought back by (Meng et al. 2021, "SDEdit", arXiv:2108.01073).
    """
    return [(min(t, start), s) for t, s in times if s < start]


TRAILING, JUMP = "trailing", "jump"
"""The respacing where t is continuous that ends with a step of twice the length (`jumping_times`)."""


def jumping_times(num_steps: int) -> list[tuple[float, float]]:
    """The (t, s) of `num_steps` + 1 even steps from 1 down to 0 of which the last two are one.

    What comes back is E[x | z_t] at the middle of the last two, without the detail that a network would draw below it:
    each value's mean where there is little to choose is nearer to music than its draws (docs/experiments/flagship.md).
    """
    *steps, (t, _), (_, s) = step_times(num_steps + 1)
    return [*steps, (t, s)]


def _trailing(num_steps: int, chain: int) -> Float64[np.ndarray, "{num_steps}"]:
    """T i / N: from T down, the last one step N of N; what a distilled student does (Lin et al. 2023)."""
    return chain * np.arange(1, num_steps + 1) / num_steps


def _linspace(num_steps: int, chain: int) -> Float64[np.ndarray, "{num_steps}"]:
    """N evenly spaced numbers from 1 to T, both of them (Nichol & Dhariwal 2021, section 4)."""
    return np.linspace(1, chain, num_steps) if num_steps > 1 else np.array([float(chain)])


def _leading(num_steps: int, chain: int) -> Float64[np.ndarray, "{num_steps}"]:
    """1, and from there every floor(T / N): T itself is left out (Song et al. 2021, appendix D.2, linear)."""
    return 1.0 + np.arange(num_steps) * (chain // num_steps)


def _quadratic(num_steps: int, chain: int) -> Float64[np.ndarray, "{num_steps}"]:
    """Evenly spaced in the square root, from 1 to T: most steps where there is little noise (the same, quadratic)."""
    if num_steps == 1:
        return np.array([float(chain)])
    return np.linspace(1, np.sqrt(chain), num_steps) ** 2


RESPACINGS: dict[str, Callable[[int, int], Float64[np.ndarray, "steps"]]] = {
    TRAILING: _trailing,
    "linspace": _linspace,
    "leading": _leading,
    "quadratic": _quadratic,
}
"""(N, T) -> the N steps of 1..T that sampling visits, upward, not yet rounded."""
ALL_RESPACINGS = (*RESPACINGS, JUMP)
"""Of chains, and of what is continuous in t: trailing and jump."""


def respaced(num_steps: int, chain: int, respacing: str = TRAILING) -> list[tuple[float, float]]:
    """The (t, s) of N of a chain's T steps, as times k / T, from noise down to 0.

    What is between two of them counts as one step, whose beta follows from alpha at both (`forward_variance`): the
    training schedule's variance matched with a smaller one. ValueError for N > T, or N < 1.
    """
    if not 1 <= num_steps <= chain:
        raise ValueError(f"num_steps is {num_steps}: 1 to {chain} was expected, the steps it was trained for")
    ks = np.rint(RESPACINGS[respacing](num_steps, chain)).astype(int)
    for place in range(1, num_steps):  # rounded down onto the one below, a step moves up; there is room up to T
        ks[place] = max(ks[place], ks[place - 1] + 1)
    times = [float(k) / chain for k in (0, *ks)]
    return [(t, s) for s, t in itertools.pairwise(times)][::-1]
