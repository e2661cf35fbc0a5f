"""Clips of a data set, drawn at random: a seeded stream in which every batch is a function of its number."""

from collections.abc import Callable

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.data.dataset import Library, Track
from halfstep.data.far import FarRows, read_together
from halfstep.data.stores import STORES, LazyRows, Rows
from halfstep.errors import InputError, NamedError, unbraced


class Windows:
    """Clips of one split, float32: standardised log-mel windows [n_mels, frames], or samples [frames * hop_length].

    A track is drawn by how many starts it has, so every window of the split is equally likely; with `weigh`, as much
    likelier as it says of the track, above 0. Batch k depends on (seed, k) alone: resuming is knowing k, and the number
    of processes changes nothing.
    """

    def __init__(
        self, library: Library, split: str, frames: int, seed: int = 0, weigh: Callable[[Track], float] | None = None
    ) -> None:
        self.frames = frames
        self.seed = seed
        self._path = library.path
        self._clip = STORES[library.stores].clip
        self._mean = library.band_mean.astype(np.float32)
        self._inverse = (1 / library.band_std).astype(np.float32)
        tracks = [track for track in library.tracks if track.split == split]
        self.tracks = [track for track in tracks if track.frames >= frames]
        self._arrays = [library.array(track) for track in self.tracks]
        if not self._arrays:
            have = sum(track.frames for track in tracks)
            raise InputError(
                f"{library.path}: the {split} split has no track of {frames} frames (it holds {have} frames "
                f"in {len(tracks)} tracks); prepare more or longer recordings"
            )
        starts = np.array([len(array) - frames + 1 for array in self._arrays])
        self._ends = np.cumsum(starts)
        self._chances: Float64[np.ndarray, "tracks"] | None = None
        if weigh is not None:
            chances = np.cumsum(starts * [weigh(track) for track in self.tracks])
            self._chances = chances / chances[-1]

    @property
    def count(self) -> int:
        """How many whole windows, laid end to end, the split holds."""
        return sum(len(array) // self.frames for array in self._arrays)

    def expect(self, batch_size: int, setting: str) -> None:
        """InputError unless there are as many windows as a batch takes; `setting` says how large one is."""
        if self.count < batch_size:
            raise NamedError(
                f"{unbraced(self._path)}: {self.count} windows of {self.frames} frames to train on, fewer than a "
                f"batch of {batch_size}; prepare more music, or take smaller "
                f"batches: {{settings}} {setting}={self.count}"
            )

    def batch(self, number: int, size: int) -> tuple[Float32[np.ndarray, "{size} ..."], np.random.Generator]:
        """Batch `number`: clips [size, ...], and the generator for whatever else is drawn with it."""
        places, rng = self._drawn(number, size)
        return self._windows(places), rng

    def drawn(self, number: int, size: int) -> list[tuple[Track, int]]:
        """Of the clips of `batch(number, size)`: the track, and the frame at which each begins."""
        places, _ = self._drawn(number, size)
        return [(self.tracks[which], start) for which, start in map(self._located, places)]

    def _drawn(self, number: int, size: int) -> tuple[list[int], np.random.Generator]:
        rng = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 1, number]))
        if self._chances is None:
            return [int(place) for place in rng.integers(0, self._ends[-1], size)], rng
        drawn = np.interp(rng.random(size), [0, *self._chances], [0, *self._ends])  # of a track, every start alike
        return [min(int(place), int(self._ends[-1]) - 1) for place in drawn], rng

    def evenly(self, size: int) -> Float32[np.ndarray, "{size} ..."]:
        """`size` clips spread evenly over the split, always the same: for measuring."""
        return self._windows(self._even_places(size))

    def places(self, size: int) -> list[tuple[Track, int]]:
        """Of the clips of `evenly(size)`: the track, and the frame at which each begins."""
        return [(self.tracks[which], start) for which, start in map(self._located, self._even_places(size))]

    def apart(self, size: int) -> list[tuple[Track, int]]:
        """`size` clips that share no frame, spread evenly over the split, always the same: the track, and the frame at
        which each begins. ValueError if the split holds fewer (`count`).
        """
        if size > self.count:
            raise ValueError(f"size is {size}: at most {self.count} whole windows were expected")
        places: list[tuple[Track, int]] = []
        for track, array in zip(self.tracks, self._arrays, strict=True):
            held, rest = divmod(len(array), self.frames)
            # End to end, and what is left over evenly between them.
            places += [(track, k * self.frames + k * rest // max(1, held - 1)) for k in range(held)]
        return [places[k] for k in np.linspace(0, len(places) - 1, size).astype(np.int64)]

    def clips(self, places: list[tuple[Track, int]]) -> Float32[np.ndarray, "{len(places)} ..."]:
        """The clips that begin there, [n, ...]."""
        arrays = {track.id: array for track, array in zip(self.tracks, self._arrays, strict=True)}
        return self._clips([(arrays[track.id], start) for track, start in places])

    def _even_places(self, size: int) -> list[int]:
        return [int(place) for place in np.linspace(0, self._ends[-1] - 1, size).astype(np.int64)]

    def _located(self, place: int) -> tuple[int, int]:
        which = int(np.searchsorted(self._ends, place, side="right"))
        return which, place - (int(self._ends[which - 1]) if which else 0)

    def _windows(self, places: list[int]) -> Float32[np.ndarray, "..."]:
        return self._clips([(self._arrays[which], start) for which, start in map(self._located, places)])

    def _clips(self, begins: "list[tuple[Rows | FarRows | LazyRows, int]]") -> Float32[np.ndarray, "..."]:
        """Of each track the clip that begins at a frame; far ones are asked for together."""
        spans = [(array, slice(start, start + self.frames)) for array, start in begins]
        far = [(array, span) for array, span in spans if isinstance(array, FarRows)]
        rows = read_together(far) if far else [array[span] for array, span in spans if not isinstance(array, FarRows)]
        return np.stack([self._clip(one, self._mean, self._inverse) for one in rows])
