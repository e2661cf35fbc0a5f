"""The losses of a training by noise level, kept with the network's weights, so that a resumed run has them too."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from halfstep.arrays import Float, Float64, Int

LEVELS, REMEMBERED = 32, 10
UNIFORM_SHARE = 1e-3
"""Drawn evenly whatever the losses are: no level is ever left alone."""


class LossHistory(nn.Module):
    """The last REMEMBERED losses at each of LEVELS equal parts of t."""

    losses: Float[Tensor, "levels remembered"]
    counts: Float[Tensor, "levels"]

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("losses", torch.zeros(LEVELS, REMEMBERED))
        self.register_buffer("counts", torch.zeros(LEVELS))

    @torch.no_grad()
    def remember(self, levels: Int[np.ndarray, "n"], losses: Float[Tensor, "n"]) -> None:
        """losses [n], each at one of the levels [n]; the oldest of that level is forgotten."""
        for level, loss in zip(levels.tolist(), losses.detach().float(), strict=True):
            self.losses[level] = torch.cat([self.losses[level, 1:], loss[None]])
            self.counts[level] += 1

    def shares(self) -> Float64[np.ndarray, "levels"]:
        """How often each level is to be drawn, [LEVELS], 1 in all: as sqrt(E[loss^2]), once all are known.

        Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 18.
        """
        even = np.full(LEVELS, 1 / LEVELS)
        if bool((self.counts < REMEMBERED).any()):
            return even
        sizes = self.losses.double().square().mean(1).sqrt().cpu().numpy()
        if not 0 < sizes.sum() < math.inf:
            return even
        return (1 - UNIFORM_SHARE) * sizes / sizes.sum() + UNIFORM_SHARE * even
