"""DDPM's bound on the likelihood of data, in bits per dimension: how good the reverse variance is.

Data are continuous, standardised bands: the bits are of a density. Bins of width h take -log2 h more.
"""

import math

import numpy as np
import torch
from torch import Tensor

from halfstep.arrays import Float, Float64
from halfstep.diffusion.forms import x_from_v
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.schedule import Schedule
from halfstep.diffusion.steps import forward_variance, posterior_mean
from halfstep.nets.denoiser import Denoiser, as_column, rates_like
from halfstep.training.example import Example
from halfstep.training.loss import clip_mean

BITS = 1 / math.log(2)
"""A nat's."""


def step_bits(
    x: Float[Tensor, "batch *shape"],
    z_t: Float[Tensor, "batch *shape"],
    v_hat: Float[Tensor, "batch *shape"],
    fraction: Float[Tensor, "batch *shape"] | float,
    schedule: Schedule,
    times: Float64[np.ndarray, "batch"],
) -> Float[Tensor, "batch *shape"]:
    """What step t -> t - 1 / T adds to the bound, in bits, shaped as x.

    KL(q(z_s | z_t, x) || p(z_s | z_t)), and for the last step -log p(x | z_t). The mean of p follows from v_hat, its
    variance from `fraction` (`diffusion.steps.reverse_variance`), where the last step, whose posterior has none, has
    the one before it for the smaller end. Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 4 to 7 and 15.

    Args:
        times: [B], of a chain.
    """
    chain = schedule.chain
    assert chain is not None, "a schedule of steps was expected"
    exact_t, exact_s = (schedule.rates(np.maximum(times - back / chain, 0)) for back in (0, 1))
    at_t = rates_like(exact_t, x)
    last = torch.as_tensor(np.rint(times * chain) == 1).to(x.device).view(at_t.alpha.shape)
    # Logarithms in float64 first: differences of numbers near 1.
    beta, ratio = forward_variance(exact_t, exact_s), (exact_s.sigma / exact_t.sigma) ** 2
    second = [schedule.rates(np.array(k / chain)) for k in (2, 1)] if chain > 1 else [exact_t, exact_s]
    least_of_all = forward_variance(*second) * (second[1].sigma / second[0].sigma) ** 2
    smaller = np.where(ratio == 0, least_of_all if chain > 1 else beta, beta * ratio)
    log_beta, log_smaller = (as_column(np.log(values), x) for values in (beta, smaller))

    log_variance = log_smaller + fraction * (log_beta - log_smaller)
    share = as_column(posterior_mean(0.0, 1.0, exact_t, exact_s), x)  # of x_hat in the mean
    error = (share * (x_from_v(v_hat, z_t, at_t) - x)) ** 2
    over = torch.exp(-log_variance)
    likelihood = 0.5 * (math.log(2 * math.pi) + log_variance + error * over)
    divergence = 0.5 * (log_variance - log_smaller + (torch.exp(log_smaller) + error) * over - 1)
    return BITS * torch.where(last, likelihood, divergence)


def prior_bits(x: Float[Tensor, "*shape"], at_end: Rates) -> Float[Tensor, "*shape"]:
    """KL(q(z_1 | x) || N(0, I)) in bits, shaped as x: nearly 0."""
    alpha, sigma = float(at_end.alpha), float(at_end.sigma)
    return BITS * 0.5 * ((alpha * x) ** 2 + sigma**2 - 1 - 2 * math.log(sigma))


@torch.no_grad()
def bits_per_dimension(
    denoiser: Denoiser, example: Example, schedule: Schedule, fraction: float, draws: int = 32, seed: int = 0
) -> tuple[float, float]:
    """The bound on the clips of `example`, and its standard error over clips: T times the mean of `draws` of its steps.

    fraction: of the reverse variance, unless the network learned it. Steps are drawn one in each of `draws` equal parts
    of the chain, apart for every clip; the last step, far the largest term, is always taken for itself.
    """
    chain = schedule.chain
    assert chain is not None, "a schedule of steps was expected"
    rng, noise = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    x, count = example.x, len(example.x)

    def term(times: Float64[np.ndarray, "batch"]) -> Float64[Tensor, "batch"]:
        at_t = rates_like(schedule.rates(times), x)
        eps = torch.randn(x.shape, generator=noise).to(x)
        z_t = at_t.alpha * x + at_t.sigma * eps
        v_hat, learned = denoiser.predict(z_t, at_t, example.condition)
        bits = step_bits(x, z_t, v_hat, fraction if learned is None else learned, schedule, times)
        return clip_mean(bits, example.counted).double()

    total = clip_mean(prior_bits(x, schedule.rates(np.array(1.0))), example.counted).double()
    total = total + term(np.full(count, 1 / chain))
    draws = min(draws, chain - 1)
    for part in range(draws):
        low, high = (1 + (chain - 1) * edge / draws for edge in (part, part + 1))
        ks = np.floor(rng.uniform(low, high, count)).astype(int) + 1
        total = total + (chain - 1) / draws * term(np.minimum(ks, chain) / chain)
    values = total.cpu().numpy()
    return float(values.mean()), float(values.std(ddof=1) / math.sqrt(count)) if count > 1 else math.nan
