"""A window [n_mels, frames] <-> what the network sees: snake, patch, none, fold, components.

Snake, patch and none fold a window into [planes, n_mels, frames // planes]: a permutation of frames, so unpacking is
exact, and the same permutation serves a window and its per-frame mask. Fold is a permutation of bands instead: the
other reading of the paper's "connecting similar frequencies together by a snake-like packing". Components keep, of
every patch of a few adjacent frames, the coordinates along the first principal directions of the training set's
patches: a projection, so that what comes back is the nearest point of the subspace.
"""

import functools
import io
import math
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from halfstep.arrays import Float, Float32, Int, Shaped
from halfstep.atomic import replacing
from halfstep.errors import InputError

COMPONENTS_FILE = "components.npz"
"""Where a run and a model folder keep what the packing is fitted to."""
MOST_COMPONENT_BYTES = 256 << 20
"""Unpacked: 8192 directions of 64 frames of 128 bands."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """The first principal directions of patches of adjacent, standardised frames.

    Args:
        matrix: orthonormal rows, plane after plane, the largest variance first; those of an image that was put below
            bands already known (`joined_components`) come after those of the bands.
        scale: what coordinates are multiplied with, so that their mean variance is 1 (of the bands', of those two).
        explained: the share of the patches' variance that the subspace holds, 0 to 1.
    """

    matrix: Float32[np.ndarray, "count patch"]
    scale: float
    explained: float

    @property
    def count(self) -> int:
        """Coordinates of a patch: the channels of x."""
        return self.matrix.shape[0]


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How `planes` planes are cut out of a window.

    `order(frames)` says which frame of the window stands at each place. With `components`, a place's frames are
    projected on them. `bands(n_mels)` says which band stands in each row of each colour of the picture that x is to a
    2-D network; None: bands stay in order.

    shifts: whether adjacent places hold adjacent frames everywhere, so that noise which is shifted by whole places is
    music shifted, to any network that treats places alike. Where it is False, a window that overlaps another renders
    other music from the noise they share.
    """

    name: str
    planes: int
    order: Callable[[int], Int[np.ndarray, "planes length"]]
    components: Components | None = None
    bands: Callable[[int], Int[np.ndarray, "colours rows"]] | None = None
    shifts: bool = True

    def channels(self, n_mels: int) -> int:
        """C, of x."""
        return self.planes * n_mels if self.components is None else self.components.count

    @property
    def scale(self) -> float:
        """Of x, where a standardised band has 1."""
        return 1.0 if self.components is None else self.components.scale

    @property
    def widest(self) -> float:
        """The largest deviation that a channel of x can have: components have a variance of 1 in the mean alone."""
        return 1.0 if self.components is None else math.sqrt(self.components.count)

    @property
    def mask_channels(self) -> int:
        """Channels of a packed mask: a place of components is known as a whole or not at all."""
        return self.planes if self.components is None else 1

    def pack(
        self, window: Shaped[np.ndarray, "*batch n_mels frames"]
    ) -> Shaped[np.ndarray, "*batch {self.planes} n_mels frames//{self.planes}"]:
        """Frames at their places; ValueError if they do not fit."""
        if self.bands is not None:
            window = window[..., self.bands(window.shape[-2]).ravel(), :]
        return window[..., self._checked_order(window.shape[-1])].swapaxes(-3, -2)

    def unpack(
        self, packed: Shaped[np.ndarray, "*batch planes n_mels length"]
    ) -> Shaped[np.ndarray, "*batch n_mels planes*length"]:
        """The exact inverse of `pack`."""
        planes, n_mels, length = packed.shape[-3:]
        if planes != self.planes:
            raise ValueError(f"packing {self.name} has {self.planes} planes, the array has {planes}")
        in_planes = packed.swapaxes(-3, -2).reshape(*packed.shape[:-3], n_mels, planes * length)
        window = in_planes[..., np.argsort(self.order(planes * length), axis=None)]
        return window if self.bands is None else window[..., np.argsort(self.bands(n_mels), axis=None), :]

    def pack_frames(
        self, per_frame: Shaped[np.ndarray, "*batch frames"]
    ) -> Shaped[np.ndarray, "*batch {self.planes} frames//{self.planes}"]:
        """A mask packed as its window is."""
        return per_frame[..., self._checked_order(per_frame.shape[-1])]

    def pack_rows(
        self, rows: Float[np.ndarray, "*batch rows frames"]
    ) -> Float[np.ndarray, "*batch rows*{self.mask_channels} frames//{self.planes}"]:
        """What is said of each frame beside its window, such as a guide: plane after plane; of components the mean over
        the frames of a place.
        """
        packed = self.pack_frames(rows)  # [..., rows, planes, length]
        if self.components is not None:
            return packed.mean(axis=-2, dtype=rows.dtype)
        return packed.swapaxes(-3, -2).reshape(*rows.shape[:-2], -1, packed.shape[-1])

    def flat(
        self, window: Float[np.ndarray, "*batch n_mels frames"]
    ) -> Float[np.ndarray, "*batch channels frames//{self.planes}"]:
        """The x of a window: plane after plane, or coordinates along the components."""
        if self.components is None:
            return self._planes_of(window)
        return self.noise(window) * np.float32(self.scale)

    def noise(
        self, noise: Float[np.ndarray, "*batch n_mels frames"]
    ) -> Float[np.ndarray, "*batch channels frames//{self.planes}"]:
        """Unit noise -> unit noise shaped as x: orthonormal directions keep it so."""
        packed = self._planes_of(noise)
        return packed if self.components is None else self.components.matrix @ packed

    def unflat(
        self, x: Float[np.ndarray, "*batch channels length"]
    ) -> Float[np.ndarray, "*batch n_mels {self.planes}*length"]:
        """The inverse of `flat`, exact on its image."""
        if self.components is not None:
            x = self.components.matrix.T @ (x * np.float32(1 / self.scale))
        *batch, count, length = x.shape
        return self.unpack(x.reshape(*batch, self.planes, count // self.planes, length))

    def context(
        self, x: Float[np.ndarray, "*batch channels length"], mask: Float[np.ndarray, "*batch {self.planes}*length"]
    ) -> tuple[Float[np.ndarray, "*batch aligned length"], Float[np.ndarray, "*batch channels length"]]:
        """The context of a window as a network is given it, and where its x is given.

        x of the known window, which counts where mask [frames] is 1. Comes back as aligned, x under the mask, then the
        mask itself (C + mask_channels), and held, 1 where x is given. Of components, a place is given where all its
        frames are known.
        """
        packed_mask = np.copy(self.pack_frames(mask), order="C")
        if self.components is not None:
            packed_mask = packed_mask.min(axis=-2, keepdims=True)
        held = np.repeat(packed_mask, x.shape[-2] // self.mask_channels, axis=-2)
        return np.concatenate([x * held, packed_mask], axis=-2), held

    def _planes_of(
        self, window: Float[np.ndarray, "*batch n_mels frames"]
    ) -> Float[np.ndarray, "*batch folded length"]:
        packed = self.pack(window)
        return np.copy(packed.reshape(*packed.shape[:-3], -1, packed.shape[-1]), order="C")

    def _checked_order(self, frames: int) -> Int[np.ndarray, "planes length"]:
        if frames == 0 or frames % self.planes:
            raise ValueError(f"packing {self.name} needs a multiple of {self.planes} frames, not {frames}")
        return self.order(frames)


def _snake_order(frames: int) -> Int[np.ndarray, "planes length"]:
    """Three runs, the middle one reversed: at a fold, neighbours in time lie at one place of two planes."""
    runs = np.arange(frames).reshape(3, -1)
    runs[1] = runs[1, ::-1]
    return runs


def _patch_order(frames: int, planes: int = 3) -> Int[np.ndarray, "planes length"]:
    """Frame `planes` l + p stands on plane p at place l: adjacent frames share a place."""
    return np.ascontiguousarray(np.arange(frames).reshape(-1, planes).T)


def _fold_bands(n_mels: int) -> Int[np.ndarray, "colours rows"]:
    """Three colours: each row holds three adjacent bands, every other row the other way round, so that going up the
    bands is a snake through rows and colours.

    ValueError unless n_mels is a multiple of 3.
    """
    if n_mels % 3:
        raise ValueError(f"packing fold needs a multiple of 3 bands, not {n_mels}")
    rows = np.arange(n_mels).reshape(-1, 3)
    rows[1::2] = rows[1::2, ::-1]
    return np.ascontiguousarray(rows.T)


def _plain_order(frames: int) -> Int[np.ndarray, "planes length"]:
    return np.arange(frames).reshape(1, -1)


PACKINGS: dict[str, Packing] = {
    packing.name: packing
    for packing in (
        Packing(name="snake", planes=3, order=_snake_order, shifts=False),
        Packing(name="patch", planes=3, order=_patch_order),
        Packing(name="none", planes=1, order=_plain_order),
        Packing(name="fold", planes=1, order=_plain_order, bands=_fold_bands),
    )
}

COMPONENTS = "components"
"""The name of the packing that is fitted to a training set; every other is one of PACKINGS."""


def components_packing(components: Components, n_mels: int) -> Packing:
    """The packing of patches of `planes` adjacent frames as coordinates along `components`."""
    planes = components.matrix.shape[1] // n_mels
    order = functools.partial(_patch_order, planes=planes)
    return Packing(name=COMPONENTS, planes=planes, order=order, components=components)


def fit_components(patches: Float[np.ndarray, "n patch"], count: int) -> Components:
    """The first `count` principal directions of patches of bands standardised and centred.

    Raises ValueError if there are fewer patches, or fewer numbers in one, than directions.
    """
    if count > min(patches.shape):
        raise ValueError(f"count is {count}: at most {min(patches.shape)} was expected, of patches {patches.shape}")
    covariance = np.cov(patches.astype(np.float64), rowvar=False, bias=True)
    variances, directions = np.linalg.eigh(covariance)
    kept, rows = variances[::-1][:count], directions[:, ::-1][:, :count].T
    rows = rows * np.where(rows.sum(axis=1) < 0, -1.0, 1.0)[:, None]  # eigenvectors have no sign of their own
    return Components(
        matrix=np.ascontiguousarray(rows, np.float32),
        scale=float(1 / np.sqrt(max(kept.mean(), 1e-12))),
        explained=float(kept.sum() / max(variances.sum(), 1e-12)),
    )


def joined_components(bands: Components, image: Components, planes: int) -> Components:
    """Of rows of bands with an image below them: the directions of either, which were fitted apart.

    The coordinates of the bands, and their scale, stay what they were to whoever knows them.
    """
    heights = [part.matrix.shape[1] // planes for part in (bands, image)]
    matrix = np.zeros((bands.count + image.count, planes, sum(heights)), np.float32)
    matrix[: bands.count, :, : heights[0]] = bands.matrix.reshape(bands.count, planes, -1)
    matrix[bands.count :, :, heights[0] :] = image.matrix.reshape(image.count, planes, -1)
    held = [part.count / part.scale**2 for part in (bands, image)]
    variances = [one / part.explained for one, part in zip(held, (bands, image), strict=True)]
    explained = sum(held) / sum(variances)
    return Components(matrix=matrix.reshape(len(matrix), -1), scale=bands.scale, explained=explained)


def write_components(path: Path, components: Components, stored: type[np.floating] = np.float32) -> None:
    """One file of numpy's, whole or absent. stored: how the directions are, float32 or float16."""
    with replacing(path) as partial, partial.open("wb") as file:
        matrix = components.matrix.astype(stored)
        np.savez_compressed(file, matrix=matrix, scale=components.scale, explained=components.explained)


def arrays_of(data: bytes, most: int) -> dict[str, np.ndarray]:
    """What numpy's `savez` or `savez_compressed` wrote, from a stranger too: numbers alone, unpacked of at most so many
    bytes. ValueError for more; zip and numpy raise a dozen other kinds for a file that is none.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(part.file_size for part in packed.infolist()) > most:
            raise ValueError(f"unpacks to more than {most} bytes")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return dict(arrays)


def read_components(data: bytes, where: str) -> Components:
    """What `write_components` wrote, from a stranger too. InputError naming `where` unless it is that, and sound."""
    try:
        arrays = arrays_of(data, MOST_COMPONENT_BYTES)
        matrix, scale, explained = arrays["matrix"], float(arrays["scale"]), float(arrays["explained"])
    except Exception as fault:  # zip and numpy raise a dozen kinds for a file that is none
        raise InputError(f"{where}: not the components of a packing ({fault}); export it again") from None
    sound = (
        matrix.ndim == 2 and matrix.dtype in (np.dtype(np.float32), np.dtype(np.float16)) and np.isfinite(matrix).all()
    )
    matrix = matrix.astype(np.float32, copy=False) if sound else matrix
    if not sound or not 0 < scale < np.inf or np.abs(matrix @ matrix.T - np.eye(len(matrix))).max() > 1e-3:
        raise InputError(f"{where}: not orthonormal, finite float32 directions with a scale above 0; export it again")
    return Components(matrix=matrix, scale=scale, explained=explained)
