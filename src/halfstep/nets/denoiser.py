"""A network plus the meaning of its output: (z_t, rates, condition) -> v."""

import torch
from torch import Tensor, nn

from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.diffusion.rates import Rates
from halfstep.nets.condition import Condition

LOG_SNR_LIMIT = 20.0


def log_snr(at_t: Rates) -> Tensor:
    """lambda_t = log(alpha_t^2 / sigma_t^2), held within +-20 where a rate is 0. Shaped as the rates."""
    raw = 2 * (torch.log(at_t.alpha) - torch.log(at_t.sigma))
    return raw.clamp(-LOG_SNR_LIMIT, LOG_SNR_LIMIT)


def rates_like(at_t: Rates, z_t: Tensor) -> Rates:
    """Rates of a batch ([B], numpy float64 or tensors) as tensors [B, 1, ...] of z_t's dtype and device."""
    shape = (-1,) + (1,) * (z_t.dim() - 1)
    to = {"dtype": z_t.dtype, "device": z_t.device}
    return Rates(torch.as_tensor(at_t.alpha).to(**to).view(shape), torch.as_tensor(at_t.sigma).to(**to).view(shape))


class Denoiser(nn.Module):
    """Calls `net(z_t, log_snr, condition)` and turns what it gives into v.

    The network sees time through log_snr alone, the same at every rung of the ladder: that is what lets a student
    start from its teacher's weights.
    """

    def __init__(self, net: nn.Module, parameterization: str) -> None:
        super().__init__()
        self.net = net
        self.parameterization = parameterization
        self._meaning = PARAMETERIZATIONS[parameterization]

    def forward(self, z_t: Tensor, at_t: Rates, condition: Condition) -> Tensor:
        """v, shaped as z_t [B, C, ...]; `at_t` holds tensors [B, 1, ...] (see `rates_like`).

        The network may run in a lower precision (autocast); the change of form to v is in z_t's own.
        """
        output = self.net(z_t, log_snr(at_t).flatten(), condition)
        return self._meaning.to_v(output.to(z_t.dtype), z_t, at_t)
