"""Windows that a network is given nothing of, or any part: what a task adds is what else it is given.

One network then makes them freely, continues them, fills a gap, and closes a loop.
"""

import math
from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
import torch

from halfstep.arrays import Float, Float32
from halfstep.nets.condition import Condition
from halfstep.packing import Packing
from halfstep.training.example import Example

Draw: TypeAlias = Callable[[np.random.Generator, int], Float32[np.ndarray, "frames"]]

SHORTEST = 24
"""Frames of the smallest window: the smallest span, a 24th of it, is then one frame."""


def _span(rng: np.random.Generator, frames: int) -> int:
    """A length from 1/24 to 3/4 of the window."""
    return int(rng.integers(frames // SHORTEST, 3 * frames // 4 + 1))


def nothing(rng: np.random.Generator, frames: int) -> Float32[np.ndarray, "{frames}"]:
    """No frame is known."""
    return np.zeros(frames, np.float32)


def beginning(rng: np.random.Generator, frames: int) -> Float32[np.ndarray, "{frames}"]:
    """The first frames are known: continuation."""
    return (np.arange(frames) < _span(rng, frames)).astype(np.float32)


def end(rng: np.random.Generator, frames: int) -> Float32[np.ndarray, "{frames}"]:
    """The last frames are known: a lead-in."""
    return beginning(rng, frames)[::-1].copy()


def both_ends(rng: np.random.Generator, frames: int) -> Float32[np.ndarray, "{frames}"]:
    """A gap between two known ends: infilling, the closing of a loop."""
    gap = _span(rng, frames)
    start = int(rng.integers(1, frames - gap))
    mask = np.ones(frames, np.float32)
    mask[start : start + gap] = 0
    return mask


def random_spans(rng: np.random.Generator, frames: int) -> Float32[np.ndarray, "{frames}"]:
    """One to three known spans anywhere."""
    mask = np.zeros(frames, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(0, frames))
        mask[start : start + _span(rng, frames) // 2] = 1
    return mask


KINDS: tuple[Draw, ...] = (beginning, end, both_ends, random_spans)


class KnownInPart(Protocol):
    """Settings of such windows. frames: of one. context: whether the network is given known frames. nothing_share: how
    often nothing is known. context_noise: the largest deviation of the noise laid over the known frames.
    """

    @property
    def frames(self) -> int: ...
    @property
    def context(self) -> bool: ...
    @property
    def nothing_share(self) -> float: ...
    @property
    def context_noise(self) -> float: ...


def check_known_in_part(config: KnownInPart) -> None:
    """ValueError for settings out of range."""
    if config.frames < SHORTEST:
        raise ValueError(f"frames is {config.frames}: at least {SHORTEST} was expected")
    if not 0.5 <= config.nothing_share <= 1:
        raise ValueError(f"nothing_share is {config.nothing_share}: 0.5 to 1 was expected")
    if not 0 <= config.context_noise < math.inf:
        raise ValueError(f"context_noise is {config.context_noise}: 0 or more was expected")


class Inpainting:
    """What such tasks share. Clips are standardised windows [B, rows, frames], float32."""

    def __init__(self, windows: KnownInPart, packing: Packing, rows: int) -> None:
        self._windows, self.packing, self.rows = windows, packing, rows

    @property
    def channels(self) -> int:
        return self.packing.channels(self.rows)

    @property
    def length(self) -> int:
        return self._windows.frames // self.packing.planes

    @property
    def has_context(self) -> bool:
        """Whether what stands beside x begins with x under a mask."""
        return self._windows.context

    @property
    def aligned(self) -> int:
        return self.channels + self.packing.mask_channels if self.has_context else 0

    def example(self, clips: Float[np.ndarray, "batch rows frames"], rng: np.random.Generator) -> Example:
        masks = np.stack([self._draw(rng) for _ in clips])
        x = self.packing.flat(clips)
        noise = rng.standard_normal(x.shape, dtype=np.float32)  # of x: it is orthonormal in the rows, times a scale
        level = rng.uniform(0, self._windows.context_noise * self.packing.scale, (len(clips), 1, 1)).astype(np.float32)
        return self._given(x, masks, x + level * noise, self._drawn_guide(clips, rng))

    def free(self, clips: Float[np.ndarray, "batch rows frames"]) -> Example:
        return self.given(clips, np.zeros((len(clips), self._windows.frames), np.float32))

    def given(
        self,
        clips: Float[np.ndarray, "batch rows frames"],
        masks: Float[np.ndarray, "batch frames"],
        guide: Float[np.ndarray, "batch guide frames"] | None = None,
    ) -> Example:
        """x = clips; the network is shown them where masks [B, frames] are 1, and what the task gives besides: of a
        guide, this one, and None is nothing to follow.
        """
        x = self.packing.flat(clips)
        return self._given(x, masks, x, guide)

    def windows(self, x: Float[np.ndarray, "batch channels length"]) -> Float[np.ndarray, "batch rows frames"]:
        """Packed x [B, C, L] back to windows [B, rows, frames]."""
        return self.packing.unflat(x)

    def _given(
        self,
        x: Float[np.ndarray, "batch channels length"],
        masks: Float[np.ndarray, "batch frames"],
        seen: Float[np.ndarray, "batch channels length"],
        guide: Float[np.ndarray, "batch guide frames"] | None,
    ) -> Example:
        """The same of packed clips, of which the network is shown `seen`."""
        aligned, held = list[np.ndarray](), None
        if self._windows.context:
            context, held = self.packing.context(seen, masks)
            aligned.append(context)
        aligned += self._below(len(x), guide)
        if not aligned:
            return Example(x=torch.from_numpy(x), condition=Condition())
        return Example(
            x=torch.from_numpy(x),
            condition=Condition(aligned=torch.from_numpy(np.concatenate(aligned, axis=1))),
            known=None if held is None else torch.from_numpy(held),
        )

    def _drawn_guide(
        self, clips: Float[np.ndarray, "batch rows frames"], rng: np.random.Generator
    ) -> Float32[np.ndarray, "batch guide frames"] | None:
        """What of a guide is given with an example; None for a task without one."""
        return None

    def _below(
        self, clips: int, guide: Float[np.ndarray, "batch guide frames"] | None
    ) -> list[Float[np.ndarray, "batch below length"]]:
        """What the network is given below the context, packed."""
        return []

    def _draw(self, rng: np.random.Generator) -> Float32[np.ndarray, "frames"]:
        if not self._windows.context or rng.random() < self._windows.nothing_share:
            return nothing(rng, self._windows.frames)
        return KINDS[int(rng.integers(len(KINDS)))](rng, self._windows.frames)
