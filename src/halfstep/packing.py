"""A window [n_mels, frames] <-> what the network sees [planes, n_mels, frames // planes]: snake, patch, none.

Every packing is a permutation of frames, so unpacking is exact. The same permutation serves a window and its
per-frame mask.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How `planes` planes are cut out of a window.

    `order(frames)` gives [planes, frames // planes]: which frame of the window stands at each place.
    """

    name: str
    planes: int
    order: Callable[[int], NDArray[np.intp]]

    def pack(self, window: NDArray) -> NDArray:
        """[..., n_mels, frames] -> [..., planes, n_mels, frames // planes]; ValueError if it does not fit."""
        return window[..., self._checked_order(window.shape[-1])].swapaxes(-3, -2)

    def unpack(self, packed: NDArray) -> NDArray:
        """[..., planes, n_mels, length] -> [..., n_mels, planes * length]; the exact inverse of `pack`."""
        planes, n_mels, length = packed.shape[-3:]
        if planes != self.planes:
            raise ValueError(f"packing {self.name} has {self.planes} planes, the array has {planes}")
        in_planes = packed.swapaxes(-3, -2).reshape(*packed.shape[:-3], n_mels, planes * length)
        return in_planes[..., np.argsort(self.order(planes * length), axis=None)]

    def pack_frames(self, per_frame: NDArray) -> NDArray:
        """[..., frames] -> [..., planes, frames // planes]: a mask packed as its window is."""
        return per_frame[..., self._checked_order(per_frame.shape[-1])]

    def flat(self, window: NDArray) -> NDArray:
        """[..., n_mels, frames] -> [..., planes n_mels, length], plane after plane: the channels of x."""
        packed = self.pack(window)
        return np.ascontiguousarray(packed.reshape(*packed.shape[:-3], -1, packed.shape[-1]))

    def unflat(self, channels: NDArray) -> NDArray:
        """[..., planes n_mels, length] -> [..., n_mels, planes length]; the exact inverse of `flat`."""
        *batch, count, length = channels.shape
        return self.unpack(channels.reshape(*batch, self.planes, count // self.planes, length))

    def told(self, known: NDArray, mask: NDArray) -> tuple[NDArray, NDArray]:
        """What a network is told of a window, and where its x is given.

        known [..., n_mels, frames] counts where mask [..., frames] is 1. Comes back as
        aligned [..., planes n_mels + planes, length], the known frames under the mask, then the mask itself, and
        held [..., planes n_mels, length], 1 where x is given.
        """
        packed_mask = np.ascontiguousarray(self.pack_frames(mask))
        shown = self.flat(known * mask[..., None, :])
        held = np.repeat(packed_mask, known.shape[-2], axis=-2)
        return np.concatenate([shown, packed_mask], axis=-2), held

    def _checked_order(self, frames: int) -> NDArray[np.intp]:
        if frames == 0 or frames % self.planes:
            raise ValueError(f"packing {self.name} needs a multiple of {self.planes} frames, not {frames}")
        return self.order(frames)


def _snake_order(frames: int) -> NDArray[np.intp]:
    """Three runs, the middle one reversed: at a fold, neighbours in time lie at one place of two planes."""
    runs = np.arange(frames).reshape(3, -1)
    runs[1] = runs[1, ::-1]
    return runs


def _patch_order(frames: int) -> NDArray[np.intp]:
    """Frame 3 l + p stands on plane p at place l: three adjacent frames share a place."""
    return np.ascontiguousarray(np.arange(frames).reshape(-1, 3).T)


def _plain_order(frames: int) -> NDArray[np.intp]:
    return np.arange(frames).reshape(1, -1)


PACKINGS: dict[str, Packing] = {
    packing.name: packing
    for packing in (
        Packing(name="snake", planes=3, order=_snake_order),
        Packing(name="patch", planes=3, order=_patch_order),
        Packing(name="none", planes=1, order=_plain_order),
    )
}
