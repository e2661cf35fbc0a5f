"""The randomness of one update, and what a loss is that draws from it."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from halfstep.arrays import Float, Shaped
from halfstep.training.example import Example
from halfstep.training.team import WHOLE, Part

Network = TypeVar("Network", bound=nn.Module)


class StepRandom:
    """All randomness of one update, a function of (seed, step): a resumed run draws what the straight one drew.

    Of a part of the batch it is that of these rows, drawn with the whole.
    """

    def __init__(self, seed: int, step: int, device: torch.device, part: Part = WHOLE) -> None:
        self.part = part
        self.rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 2, step]))
        self._torch = torch.Generator(device).manual_seed(int(self.rng.integers(2**62)))
        self._device = device

    def noise_like(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Unit Gaussian noise of x's shape and dtype."""
        shape = (self.count(x), *x.shape[1:])
        return self.part.own(torch.randn(shape, generator=self._torch, device=self._device, dtype=x.dtype))

    def count(self, x: Shaped[Tensor, "..."]) -> int:
        """Clips of the whole batch of which x is this part: how many of whatever else is drawn there are."""
        return len(x) * self.part.of


LossFn: TypeAlias = Callable[[Network, Example, StepRandom], Float[Tensor, ""]]
"""Of a batch through the network: a scalar."""
