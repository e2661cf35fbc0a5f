"""A prepared data set as it lies on disk: dataset.json, and one array a track."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from halfstep.audio.mel import MelConfig
from halfstep.data.stores import LOG_MEL, STORES, Rows
from halfstep.errors import InputError

FORMAT = 1
MANIFEST_NAME = "dataset.json"
REPORT_NAME = "report.json"
JOURNAL_NAME = "journal.jsonl"
TRACKS_FOLDER = "tracks"


@dataclass(frozen=True, kw_only=True)
class Track:
    """One recording: id is the start of its file's sha256, `source` its name, `split` train or heldout."""

    id: str
    source: str
    group: str
    seconds: float
    frames: int
    loudness_lufs: float
    trimmed_seconds: tuple[float, float]
    split: str
    file: str


class Library:
    """Read access to a prepared data set. InputError if `path` holds none.

    stores: what it keeps of each frame, a key of STORES. band_mean and band_std are of its log-mels in either case.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        facts = _read(self.path / MANIFEST_NAME)
        self.stores: str = facts.get("stores", LOG_MEL)
        if self.stores not in STORES:
            raise InputError(f"{path}: stores {self.stores!r}, this version reads {', '.join(STORES)}")
        self.mel = MelConfig(**facts["mel"])
        self.band_mean = np.array(facts["bands"]["mean"], np.float32)
        self.band_std = np.array(facts["bands"]["std"], np.float32)
        self.tracks = [_track(entry) for entry in facts["tracks"]]

    @property
    def width(self) -> int:
        """Values a frame: n_mels of a log-mel, hop_length of a waveform."""
        return STORES[self.stores].width(self.mel)

    def array(self, track: Track) -> Rows:
        """The track as stored, [frames, width], read from the disk as it is used."""
        stored = np.load(self.path / track.file, mmap_mode="r")
        return stored.view(np.ndarray)  # a memmap's own indexing is several times slower

    def split(self, name: str) -> list[Track]:
        """The tracks of `train` or `heldout`."""
        return [track for track in self.tracks if track.split == name]


def _track(entry: dict[str, Any]) -> Track:
    first, last = entry["trimmed_seconds"]
    known = {key: entry[key] for key in Track.__dataclass_fields__ if key != "trimmed_seconds"}
    return Track(**known, trimmed_seconds=(first, last))


def _read(path: Path) -> dict[str, Any]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path.parent}: no prepared data set; make one with halfstep prepare") from None
    except ValueError as error:
        raise InputError(f"{path}: not the JSON of a data set ({error}); prepare it again") from error
    found = facts.get("format") if isinstance(facts, dict) else None
    if found != FORMAT:
        raise InputError(f"{path}: format {found}, this version reads {FORMAT}; prepare it again")
    return facts
