"""The weighted denoising loss.

Every weight is written on the v error, where it is finite at both ends: x_hat - x = -sigma (v_hat - v), so a weight
w(log_snr) on the squared x error is w sigma^2 on the squared v error.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from halfstep.arrays import Float
from halfstep.diffusion.rates import Rates


def _snr_plus_one(at_t: Rates) -> Float[Tensor, "..."]:
    """(1 + SNR) ||x - x_hat||^2 = ||v - v_hat||^2."""
    return torch.ones_like(at_t.alpha)


def _truncated_snr(at_t: Rates) -> Float[Tensor, "..."]:
    """max(1, SNR) ||x - x_hat||^2 = max(||x - x_hat||^2, ||eps - eps_hat||^2)."""
    return torch.maximum(at_t.sigma**2, at_t.alpha**2)


def _clipped_snr(at_t: Rates) -> Float[Tensor, "..."]:
    """clip(SNR, 1, 20) ||x - x_hat||^2: truncated SNR that a network predicting x can bear near t = 0."""
    return torch.maximum(at_t.sigma**2, torch.minimum(at_t.alpha**2, 20 * at_t.sigma**2))


def _snr(at_t: Rates) -> Float[Tensor, "..."]:
    """SNR ||x - x_hat||^2 = ||eps - eps_hat||^2: DDPM's L2, the paper's equation 1. Zero at t = 1."""
    return at_t.alpha**2


MIN_SNR_GAMMA = 5.0


def _min_snr(at_t: Rates) -> Float[Tensor, "..."]:
    """min(SNR, 5) ||x - x_hat||^2: no level counts more than it helps (Hang et al. 2023, arXiv:2303.09556)."""
    return torch.minimum(at_t.alpha**2, MIN_SNR_GAMMA * at_t.sigma**2)


def _p2(at_t: Rates) -> Float[Tensor, "..."]:
    """||eps - eps_hat||^2 / (1 + SNR): least where only what is nearly clean is left to do (Choi et al. 2022,
    arXiv:2204.00227, eq. 8, with k = 1 and gamma = 1).
    """
    return at_t.alpha**2 * at_t.sigma**2


def _x(at_t: Rates) -> Float[Tensor, "..."]:
    """||x - x_hat||^2 with no weight."""
    return at_t.sigma**2


WEIGHTS: dict[str, Callable[[Rates], Float[Tensor, "..."]]] = {
    "snr+1": _snr_plus_one,
    "truncated-snr": _truncated_snr,
    "clipped-snr": _clipped_snr,
    "snr": _snr,
    "x": _x,
    "min-snr": _min_snr,
    "p2": _p2,
}


def clip_mean(values: Float[Tensor, "batch ..."], counted: Float[Tensor, "..."] | None) -> Float[Tensor, "batch"]:
    """Mean of each clip's values, [B], over the places where `counted` (broadcast to them) is 1."""
    if counted is None:
        return values.flatten(1).mean(1)
    counted = counted.expand_as(values)
    return (values * counted).flatten(1).sum(1) / counted.flatten(1).sum(1).clamp(min=1)


def squared_v_error(
    v_hat: Float[Tensor, "batch *shape"], v: Float[Tensor, "batch *shape"], counted: Float[Tensor, "..."] | None
) -> Float[Tensor, "batch"]:
    """Mean squared v error of each clip, [B], over the places where `counted` (broadcast to v) is 1."""
    return clip_mean((v_hat.float() - v.float()) ** 2, counted)


def weighted_loss(
    v_hat: Float[Tensor, "batch *shape"],
    v: Float[Tensor, "batch *shape"],
    at_t: Rates,
    weight: str,
    counted: Float[Tensor, "..."] | None = None,
) -> Float[Tensor, ""]:
    """Mean over the batch of WEIGHTS[weight] times each clip's squared v error; a scalar."""
    return (WEIGHTS[weight](at_t).flatten() * squared_v_error(v_hat, v, counted)).mean()
