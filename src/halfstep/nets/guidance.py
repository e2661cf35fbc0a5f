"""A teacher guided away from a worse version of itself, for a ladder to learn."""

import copy

from torch import Tensor, nn

from halfstep.diffusion.rates import Rates
from halfstep.diffusion.sampler import Prediction
from halfstep.nets.blocks import Attention
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser


class Guided(nn.Module):
    """v + weight (v - v_worse), called as a `Denoiser` is; the worse one's attention looks at its own position alone
    (perturbed-attention guidance, Ahn et al. 2024, arXiv:2403.17377, equation 16).
    """

    def __init__(self, denoiser: Denoiser, weight: float) -> None:
        super().__init__()
        self.denoiser, self.weight, self.worse = denoiser, weight, copy.deepcopy(denoiser)
        for module in self.worse.modules():
            if isinstance(module, Attention):
                module.own_position_only = True

    def forward(self, z_t: Tensor, at_t: Rates, condition: Condition) -> Tensor:
        """v, shaped as z_t [B, C, ...]."""
        return self.predict(z_t, at_t, condition).v

    def predict(self, z_t: Tensor, at_t: Rates, condition: Condition) -> Prediction:
        """The same; the fraction of the reverse variance, where it is learned, is not guided."""
        better = self.denoiser.predict(z_t, at_t, condition)
        if not self.weight:
            return better
        return better._replace(v=better.v + self.weight * (better.v - self.worse(z_t, at_t, condition)))
