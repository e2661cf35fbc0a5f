"""A network plus the meaning of its output: (z_t, rates, condition) -> v."""

import numpy as np
import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.sampler import Prediction
from halfstep.nets.condition import Condition
from halfstep.nets.history import LossHistory
from halfstep.nets.unet1d import UNet1d

LOG_SNR_LIMIT = 20.0


def log_snr(at_t: Rates) -> Float[Tensor, "..."]:
    """lambda_t = log(alpha_t^2 / sigma_t^2), held within +-20 where a rate is 0. Shaped as the rates."""
    raw = 2 * (torch.log(at_t.alpha) - torch.log(at_t.sigma))
    return raw.clamp(-LOG_SNR_LIMIT, LOG_SNR_LIMIT)


def rates_like(at_t: Rates, z_t: Float[Tensor, "batch ..."]) -> Rates:
    """Rates of a batch ([B], numpy float64 or tensors) as tensors [B, 1, ...] of z_t's dtype and device."""
    return Rates(as_column(at_t.alpha, z_t), as_column(at_t.sigma, z_t))


def as_column(
    values: Float[np.ndarray | Tensor, "batch"], z_t: Float[Tensor, "batch ..."]
) -> Float[Tensor, "batch ..."]:
    """[B] as [B, 1, ...], of z_t's dtype and device."""
    return torch.as_tensor(values).to(z_t).view((-1,) + (1,) * (z_t.dim() - 1))


class Denoiser(nn.Module):
    """Calls `net(z_t, log_snr, condition)` and turns what it gives into v.

    The network sees time through log_snr alone, the same at every rung of the ladder: that is what lets a student
    start from its teacher's weights.
    """

    def __init__(
        self, net: nn.Module, parameterization: str, learned_variance: bool = False, history: LossHistory | None = None
    ) -> None:
        """learned_variance: whether the last head of `net` is the fraction of the reverse variance. history: of losses
        by time, where training draws its times by them; it is kept with the weights.
        """
        super().__init__()
        self.net = net
        self.parameterization = parameterization
        self.learned_variance = learned_variance
        self.history = history
        self._meaning = PARAMETERIZATIONS[parameterization]

    def calibrate(self, x: Float[Tensor, "batch channels length"], condition: Condition) -> None:
        """Before training: let a preconditioned network measure a large batch x [B, C, L] and its condition."""
        if isinstance(self.net, UNet1d):
            self.net.calibrate(x, condition.aligned)

    def forward(
        self, z_t: Float[Tensor, "batch channels *shape"], at_t: Rates, condition: Condition
    ) -> Float[Tensor, "batch channels *shape"]:
        """v, shaped as z_t [B, C, ...]; `at_t` holds tensors [B, 1, ...] (see `rates_like`).

        The network may run in a lower precision (autocast); the change of form to v is in z_t's own.
        """
        return self.predict(z_t, at_t, condition).v

    def predict(self, z_t: Float[Tensor, "batch channels *shape"], at_t: Rates, condition: Condition) -> Prediction:
        """The same, and the fraction of the reverse variance where it is learned: shaped as z_t, near 0 to 1."""
        output = self.net(z_t, log_snr(at_t).flatten(), condition).to(z_t.dtype)
        if not self.learned_variance:
            return Prediction(self._meaning.to_v(output, z_t, at_t))
        *heads, last = output.chunk(self._meaning.heads + 1, dim=1)
        fraction = (last + 1) / 2  # a network that starts at 0 starts half-way (Nichol & Dhariwal 2021, eq. 15)
        return Prediction(self._meaning.to_v(torch.cat(heads, dim=1), z_t, at_t), fraction)
