"""A teacher guided away from a worse version of itself, or from one that is asked nothing, for a ladder to learn."""

import copy
from dataclasses import replace

from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.sampler import Prediction
from halfstep.nets.blocks import Attention
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser


class Guided(nn.Module):
    """v + weight (v - v_worse) + pooled_weight (v - v_free), called as a `Denoiser` is.

    The worse one's attention looks at its own position alone (perturbed-attention guidance, Ahn et al. 2024,
    arXiv:2403.17377, equation 16); the free one is not given the pooled condition (classifier-free guidance, Ho &
    Salimans 2022, arXiv:2207.12598, equation 6, with w = pooled_weight). The first of them only where sigma is above
    `above_sigma`: where little noise is left it sharpens what is there already (a limited interval of guidance,
    Kynkaanniemi et al. 2024, arXiv:2404.07724).
    """

    def __init__(self, denoiser: Denoiser, weight: float, pooled_weight: float = 0.0, above_sigma: float = 0.0) -> None:
        super().__init__()
        self.denoiser, self.weight, self.pooled_weight = denoiser, weight, pooled_weight
        self.above_sigma = above_sigma
        self.worse = copy.deepcopy(denoiser)
        for module in self.worse.modules():
            if isinstance(module, Attention):
                module.own_position_only = True

    def forward(
        self, z_t: Float[Tensor, "batch channels *shape"], at_t: Rates, condition: Condition
    ) -> Float[Tensor, "batch channels *shape"]:
        """v, shaped as z_t [B, C, ...]."""
        return self.predict(z_t, at_t, condition).v

    def predict(self, z_t: Float[Tensor, "batch channels *shape"], at_t: Rates, condition: Condition) -> Prediction:
        """The same; the fraction of the reverse variance, where it is learned, is not guided."""
        better = self.denoiser.predict(z_t, at_t, condition)
        v = better.v
        if self.weight:
            weight = self.weight * (at_t.sigma > self.above_sigma)
            v = v + weight * (better.v - self.worse(z_t, at_t, condition))
        if self.pooled_weight and condition.pooled is not None:
            v = v + self.pooled_weight * (better.v - self.denoiser(z_t, at_t, replace(condition, pooled=None)))
        return better._replace(v=v)
