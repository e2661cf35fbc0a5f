"""Batches of music drawn where the network is: a carried data set in the memory of the device, masks and all.

A window of some thousand a second needs no loader then. Every batch is a function of (seed, number), as everywhere.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from halfstep.arrays import Float, Int
from halfstep.audio.guide import NO_GUIDE
from halfstep.data.carried import Carried
from halfstep.errors import InputError
from halfstep.nets.condition import Condition
from halfstep.tasks.inpainting import SHORTEST
from halfstep.tasks.music.task import MusicConfig
from halfstep.training.example import Example


class DeviceWindows:
    """Windows of one split of `carried`, in the memory of `device`; what is given of them is as `tasks.music` gives it,
    in whole patches.
    """

    def __init__(self, carried: Carried, split: str, config: MusicConfig, device: torch.device, seed: int = 0) -> None:
        """InputError if no track of the split holds a window, and for a guide, which is measured of whole bands."""
        if config.guide != NO_GUIDE:
            raise InputError(f"music.guide is {config.guide}: a carried data set has none; train on the prepared one")
        self.config, self.device, self.seed = config, device, seed
        self._codes = torch.from_numpy(carried.codes).to(device)
        self._steps = torch.from_numpy(carried.steps).to(device)
        self._starts = torch.from_numpy(carried.starts(split, config.length)).to(device)
        self._along = torch.arange(config.length, device=device)

    def batches(self, size: int, stream: int = 0) -> Callable[[int], Example]:
        """Training batches by number; every `stream` draws others."""

        def batch(number: int) -> Example:
            seeds = np.random.SeedSequence([self.seed, stream, number]).generate_state(1, np.uint64)
            random = torch.Generator(self.device).manual_seed(int(seeds[0] >> np.uint64(1)))
            x = self._drawn(random, size)
            return self._given(x, self._masks(random, size), random) if self.config.context else _free(x)

        return batch

    def evenly(self, size: int) -> Example:
        """`size` windows spread evenly over the split, always the same, of which nothing is given."""
        places = np.linspace(0, len(self._starts) - 1, size).astype(np.int64)
        x = self._at(self._starts[torch.from_numpy(places).to(self.device)])
        if not self.config.context:
            return _free(x)
        mask = x.new_zeros(size, 1, self.config.length)
        return Example(x=x, condition=Condition(aligned=torch.cat([0 * x, mask], dim=1)), known=mask)

    def _drawn(self, random: torch.Generator, size: int) -> Float[Tensor, "batch channels length"]:
        picked = torch.randint(len(self._starts), (size,), generator=random, device=self.device)
        return self._at(self._starts[picked])

    def _at(self, starts: Int[Tensor, "batch"]) -> Float[Tensor, "batch channels length"]:
        """x [B, C, L] of the windows that begin at patches `starts` [B]."""
        rows = self._codes[starts[:, None] + self._along]
        return (rows.float() * self._steps).transpose(1, 2).contiguous()

    def _given(
        self, x: Float[Tensor, "batch channels length"], mask: Float[Tensor, "batch 1 length"], random: torch.Generator
    ) -> Example:
        """The network is shown x where mask [B, 1, L] is 1, under noise of a drawn level."""
        noise = torch.randn(x.shape, generator=random, device=self.device)
        level = self.config.context_noise * torch.rand((len(x), 1, 1), generator=random, device=self.device)
        return Example(x=x, condition=Condition(aligned=torch.cat([(x + level * noise) * mask, mask], 1)), known=mask)

    def _masks(self, random: torch.Generator, size: int) -> Float[Tensor, "{size} 1 length"]:
        """[size, 1, L]: nothing known, or else a beginning, an end, both, or one to three spans."""
        length, along = self.config.length, self._along[None]

        def uniform(columns: int = 1) -> Tensor:
            return torch.rand((size, columns), generator=random, device=self.device)

        def spans(columns: int = 1) -> Tensor:
            least, most = length // SHORTEST, 3 * length // 4
            return (least + uniform(columns) * (most + 1 - least)).long()

        beginning = along < spans()
        end = along >= length - spans()
        gap = spans()
        start = 1 + (uniform() * (length - gap - 1)).long()
        both = (along < start) | (along >= start + gap)
        starts, lengths = (uniform(3) * length).long(), spans(3) // 2
        used = uniform(3) < torch.tensor([1.0, 2 / 3, 1 / 2], device=self.device)  # of three, in turn: 1 to 3, evenly
        used[:, 2] &= used[:, 1]
        inside = (along[:, None] >= starts[..., None]) & (along[:, None] < (starts + lengths)[..., None])
        anywhere = (inside & used[..., None]).any(1)

        kinds = torch.stack([beginning, end, both, anywhere], dim=1)
        which = torch.randint(4, (size,), generator=random, device=self.device)
        known = kinds[torch.arange(size, device=self.device), which]
        return (known & (uniform() >= self.config.nothing_share))[:, None].float()


def _free(x: Float[Tensor, "batch channels length"]) -> Example:
    return Example(x=x, condition=Condition())
