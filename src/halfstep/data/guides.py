"""The guide of a data set's tracks, as a data set of its own: what plans are learned from."""

from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from halfstep.atomic import replacing
from halfstep.audio.chroma import holds_pitch
from halfstep.audio.guide import CHORDS, GUIDES, measured_guide, plan_mean_std, to_plan
from halfstep.audio.mel import MelConfig
from halfstep.data.dataset import Library, Track
from halfstep.data.stores import LOG_MEL, STORES, LazyRows, Rows
from halfstep.errors import InputError, NamedError, unbraced

FOLDER = "guides"
"""Of a run's: the guides of its tracks, measured once."""


class Guides(Library):
    """A data set of log-mels, of which the rows [frames, values] are the values of a guide (`audio.guide.to_plan`), and
    band_mean and band_std what they are standardised by.
    """

    def __init__(self, library: Library, guide: str, folder: Path) -> None:
        """folder: of the run, where the measured guides are kept once it is there. InputError for waveforms."""
        if library.stores != LOG_MEL:
            raise InputError(f"{library.path}: stores {library.stores}s, of which no guide is measured")
        super().__init__(library.name)
        self.band_mean, self.band_std = plan_mean_std(guide)
        self._library, self._guide, self._folder = library, guide, folder / FOLDER

    @property
    def width(self) -> int:
        """Values a frame."""
        return len(self.band_mean)

    def array(self, track: Track) -> LazyRows:
        """The track's guide; it is measured when the first of its rows are asked for."""
        return LazyRows(track.frames, partial(self._measured, track))

    def _measured(self, track: Track) -> Rows:
        """[frames, values] float16, from the run's folder where it is kept."""
        path, dtype = self._folder / f"{track.id}-{track.first_frame}.npy", STORES[LOG_MEL].dtype
        with suppress(Exception):  # a file that is not there, or whatever numpy says of one that is none: measured anew
            rows = np.load(path, mmap_mode="r", allow_pickle=False)
            if rows.shape == (track.frames, self.width) and rows.dtype == dtype:
                return rows.view(np.ndarray)
        stored = self._library.array(track)[0 : track.frames]
        bands = stored[:, : self.mel.n_mels].astype(np.float32).T
        rows = measured_guide(self._guide, dict.fromkeys(GUIDES[self._guide], bands), self.mel)
        rows = np.ascontiguousarray(to_plan(self._guide, rows).T, dtype)
        if self._folder.parent.is_dir():
            self._folder.mkdir(exist_ok=True)
            with replacing(path) as partial, partial.open("wb") as file:
                np.save(file, rows)
        return rows


def check_holds_chords(guide: str, mel: MelConfig, library: Library, section: str) -> None:
    """NamedError where a guide has chords, and the bands of the data set cannot tell them. section: of the setting."""
    if CHORDS in GUIDES[guide] and not holds_pitch(mel):
        raise NamedError(
            f"{{settings}} {section}.guide: the bands of {unbraced(library.path)} lie too far apart for semitones, "
            f"so that no chords can be told; prepare it with {{preset}} flagship, or take {section}.guide=rhythm"
        )
