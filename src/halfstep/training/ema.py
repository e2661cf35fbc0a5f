"""An exponential moving average of weights: what samples and the ladder start from."""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

Network = TypeVar("Network", bound=nn.Module)


class Ema(Generic[Network]):
    """average <- d average + (1 - d) weights after every step, with d warmed up as (1 + step) / (10 + step).

    Buffers (running statistics) are copied. `model` is the average as a module in eval(), never trained.
    """

    def __init__(self, model: Network, decay: float) -> None:
        self.decay = decay
        self.model: Network = copy.deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: Network, step: int) -> None:
        """Take in the weights after `step` (counted from 1)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        # All parameters at once: on a GPU one call each costs more than the arithmetic.
        get_ema_multi_avg_fn(decay)([*self.model.parameters()], [*model.parameters()], step)
        for kept, now in zip(self.model.buffers(), model.buffers(), strict=True):
            kept.copy_(now)
