"""A data set as components in one small file: what a training on another machine needs, and nothing else.

Ten hours of music are some 60 MB: every patch's coordinates along the components (`packing.Components`) in bytes, each
coordinate with a step of its own. Windows begin at whole patches, so they are a quarter of those of the data set.
"""

import io
import json
import lzma
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from halfstep.arrays import Bool, Float32, Int8, Int64
from halfstep.atomic import replacing
from halfstep.audio.mel import MelConfig
from halfstep.audio.mel_fields import mel_to_json
from halfstep.data.dataset import Library, Track
from halfstep.errors import InputError
from halfstep.packing import Components, components_packing, fit_components

FITTED_PATCHES = 40_000
ALL_ROWS = slice(None)
FINEST_STEP = 0.2
"""Of a coordinate, where their mean variance is 1: quantised so, it gains noise of .058 deviations."""
LARGEST = 127
SPLITS = ("train", "heldout")
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 0, "lp": 0, "pb": 0}]
"""Bytes that are quantised Gaussians: none tells anything of the next by its upper bits, or by its place."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """codes [patches, C] of all tracks, one after the other; coordinates are codes * steps [C].

    ends [tracks]: of each track, where it ends among the patches. heldout [tracks]: whether it is for judging alone.
    """

    mel: MelConfig
    components: Components
    band_mean: Float32[np.ndarray, "bands"]
    band_std: Float32[np.ndarray, "bands"]
    codes: Int8[np.ndarray, "patches components"]
    steps: Float32[np.ndarray, "components"]
    ends: Int64[np.ndarray, "tracks"]
    heldout: Bool[np.ndarray, "tracks"]
    names: tuple[str, ...]

    @property
    def hours(self) -> float:
        """Of music."""
        planes = self.components.matrix.shape[1] // self.mel.rows
        return len(self.codes) * planes / self.mel.frames_per_second / 3600

    def starts(self, split: str, length: int) -> Int64[np.ndarray, "starts"]:
        """Every patch at which a window of `length` patches of that split may begin. InputError if there is none."""
        begins = np.concatenate([[0], self.ends[:-1]])
        wanted = self.heldout == (split == "heldout")
        parts = [np.arange(begin, end - length + 1) for begin, end, use in
                 zip(begins, self.ends, wanted, strict=True) if use]  # fmt: skip
        starts = np.concatenate([np.zeros(0, np.int64), *parts])
        if not len(starts):
            raise InputError(f"the {split} split has no track of {length} patches; carry more or longer recordings")
        return starts


def standardised_frames(library: Library, track: Track) -> Float32[np.ndarray, "frames bands"]:
    """A track's log-mel [frames, n_mels], every band of mean 0 and deviation 1 over the training split."""
    return (library.array(track)[:].astype(np.float32) - library.band_mean) / library.band_std


def patches_of(frames: Float32[np.ndarray, "frames bands"], planes: int) -> Float32[np.ndarray, "patches patch"]:
    """Frames [n, n_mels] -> patches [n // planes, planes * n_mels], plane after plane."""
    whole = len(frames) // planes
    return frames[: whole * planes].reshape(whole, -1)


def fitted(library: Library, planes: int, count: int, rows: slice = ALL_ROWS) -> Components:
    """Components of a data set's training split, from patches spread evenly over it: always the same.

    rows: those that they are of.
    """
    tracks = library.split("train")
    total = sum(track.frames for track in tracks) // planes
    apart = max(1, total // FITTED_PATCHES)
    parts = [patches_of(standardised_frames(library, track)[:, rows], planes)[::apart] for track in tracks]
    patches = np.concatenate(parts)
    try:
        return fit_components(patches, count)
    except ValueError as fault:
        raise InputError(f"{library.path}: too little to fit components to ({fault}); prepare more music") from None


def carry(library: Library, components: Components, judged: int | None = None) -> Carried:
    """The whole data set as components, in bytes; of held-out tracks the first `judged` patches alone, or all."""
    packing = components_packing(components, library.mel.rows)
    parts: list[Float32[np.ndarray, "patches components"]] = []
    for track in library.tracks:
        patches = patches_of(standardised_frames(library, track), packing.planes)
        parts.append(patches[: judged if track.split == "heldout" else None] @ components.matrix.T)
    x = np.concatenate(parts) * np.float32(components.scale)
    steps = np.maximum(np.abs(x).max(axis=0) / LARGEST, FINEST_STEP).astype(np.float32)
    return Carried(
        mel=library.mel,
        components=components,
        band_mean=library.band_mean,
        band_std=library.band_std,
        codes=np.rint(x / steps).astype(np.int8),
        steps=steps,
        ends=np.cumsum([len(part) for part in parts]),
        heldout=np.array([track.split == "heldout" for track in library.tracks]),
        names=tuple(track.source for track in library.tracks),
    )


def parts_of(carried: Carried, count: int) -> list[Carried]:
    """The same as `count` data sets that can each be learned from alone: every count-th training track, and every
    held-out one.
    """
    train, every = np.flatnonzero(~carried.heldout), np.flatnonzero(carried.heldout)
    return [_tracks(carried, np.sort(np.concatenate([train[part::count], every]))) for part in range(count)]


def joined(parts: Sequence[Carried]) -> Carried:
    """One data set of several parts of one; a track that lies in more than one is taken once. InputError if they are of
    different ones.
    """
    first, *others = parts
    for part in others:
        if part.mel != first.mel or not np.array_equal(part.components.matrix, first.components.matrix):
            raise InputError("the carried data sets are not parts of one; carry them together")
    codes = np.concatenate([part.codes for part in parts])
    offsets = np.cumsum([0, *(len(part.codes) for part in parts)])
    everything = replace(
        first, codes=codes, ends=np.concatenate([part.ends + at for part, at in zip(parts, offsets, strict=False)]),
        heldout=np.concatenate([part.heldout for part in parts]), names=tuple(n for part in parts for n in part.names),
    )  # fmt: skip
    _, once = np.unique(np.array(everything.names), return_index=True)
    return _tracks(everything, np.sort(once))


def _tracks(carried: Carried, wanted: Int64[np.ndarray, "wanted"]) -> Carried:
    begins = np.concatenate([[0], carried.ends[:-1]])
    codes = [carried.codes[begins[track] : carried.ends[track]] for track in wanted]
    return replace(
        carried, codes=np.concatenate(codes), ends=np.cumsum([len(part) for part in codes]),
        heldout=carried.heldout[wanted], names=tuple(carried.names[track] for track in wanted),
    )  # fmt: skip


def write_carried(carried: Carried, path: Path) -> None:
    """One file: numpy's archive of arrays, the codes compressed coordinate by coordinate."""
    facts = {
        "mel": mel_to_json(carried.mel), "scale": carried.components.scale, "explained": carried.components.explained,
        "names": carried.names,
    }  # fmt: skip
    packed = lzma.compress(np.ascontiguousarray(carried.codes.T).tobytes(), filters=FILTERS)
    with replacing(path) as partial, partial.open("wb") as file:
        np.savez(
            file, facts=np.array(json.dumps(facts)), matrix=carried.components.matrix, band_mean=carried.band_mean,
            band_std=carried.band_std, steps=carried.steps, ends=carried.ends, heldout=carried.heldout,
            codes=np.frombuffer(packed, np.uint8),
        )  # fmt: skip


def read_carried(path: Path) -> Carried:
    """What `write_carried` wrote. InputError naming a file that is none."""
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            facts = json.loads(str(arrays["facts"]))
            steps = arrays["steps"]
            codes = np.frombuffer(lzma.decompress(arrays["codes"].tobytes()), np.int8)
            return Carried(
                mel=MelConfig(**facts["mel"]),
                components=Components(matrix=arrays["matrix"], scale=facts["scale"], explained=facts["explained"]),
                band_mean=arrays["band_mean"],
                band_std=arrays["band_std"],
                codes=np.ascontiguousarray(codes.reshape(len(steps), -1).T),
                steps=steps,
                ends=arrays["ends"],
                heldout=arrays["heldout"],
                names=tuple(facts["names"]),
            )
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile, lzma.LZMAError) as fault:
        raise InputError(f"{path}: not a carried data set ({fault}); make it with recipes/models/carry.py") from None
