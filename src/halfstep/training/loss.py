"""The weighted denoising loss.

Every weight is written on the v error, where it is finite at both ends: x_hat - x = -sigma (v_hat - v), so a weight
w(log_snr) on the squared x error is w sigma^2 on the squared v error.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from halfstep.diffusion.rates import Rates


def _snr_plus_one(at_t: Rates) -> Tensor:
    """(1 + SNR) ||x - x_hat||^2 = ||v - v_hat||^2."""
    return torch.ones_like(at_t.alpha)


def _truncated_snr(at_t: Rates) -> Tensor:
    """max(1, SNR) ||x - x_hat||^2 = max(||x - x_hat||^2, ||eps - eps_hat||^2)."""
    return torch.maximum(at_t.sigma**2, at_t.alpha**2)


def _clipped_snr(at_t: Rates) -> Tensor:
    """clip(SNR, 1, 20) ||x - x_hat||^2: truncated SNR that a network predicting x can bear near t = 0."""
    return torch.maximum(at_t.sigma**2, torch.minimum(at_t.alpha**2, 20 * at_t.sigma**2))


def _snr(at_t: Rates) -> Tensor:
    """SNR ||x - x_hat||^2 = ||eps - eps_hat||^2: DDPM's L2, the paper's equation 1. Zero at t = 1."""
    return at_t.alpha**2


def _x(at_t: Rates) -> Tensor:
    """||x - x_hat||^2 with no weight."""
    return at_t.sigma**2


WEIGHTS: dict[str, Callable[[Rates], Tensor]] = {
    "snr+1": _snr_plus_one,
    "truncated-snr": _truncated_snr,
    "clipped-snr": _clipped_snr,
    "snr": _snr,
    "x": _x,
}


def squared_v_error(v_hat: Tensor, v: Tensor, counted: Tensor | None) -> Tensor:
    """Mean squared v error of each clip, [B], over the places where `counted` (broadcast to v) is 1."""
    error = (v_hat.float() - v.float()) ** 2
    if counted is None:
        return error.flatten(1).mean(1)
    counted = counted.expand_as(error)
    return (error * counted).flatten(1).sum(1) / counted.flatten(1).sum(1).clamp(min=1)


def weighted_loss(v_hat: Tensor, v: Tensor, at_t: Rates, weight: str, counted: Tensor | None = None) -> Tensor:
    """Mean over the batch of WEIGHTS[weight] times each clip's squared v error; a scalar."""
    return (WEIGHTS[weight](at_t).flatten() * squared_v_error(v_hat, v, counted)).mean()
