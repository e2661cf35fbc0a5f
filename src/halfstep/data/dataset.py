"""A prepared data set as it lies on disk: dataset.json, and one array a track. Read as strictly as a stranger's."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from halfstep.addresses import is_address
from halfstep.audio.mel_fields import mel_from
from halfstep.conditioning import LONGEST_LABEL, NAME
from halfstep.data.far import FarFolder, FarRows
from halfstep.data.labels import MOST_LABELS
from halfstep.data.stores import LOG_MEL, STORES, WAVEFORM, LazyRows, Rows
from halfstep.data.track_file import header_bytes
from halfstep.errors import InputError
from halfstep.fields import Fields, open_regular, parse_json, read_json

FORMAT = 2
"""Of what has labels; a data set without any is still of the first, which older versions read."""
PLAIN_FORMAT = 1
MANIFEST_NAME = "dataset.json"
REPORT_NAME = "report.json"
JOURNAL_NAME = "journal.jsonl"
TRACKS_FOLDER = "tracks"
AGAIN = "prepare again"
LONGEST_MANIFEST = 64 << 20
"""Bytes: some hundred thousand tracks."""
MOST_NAMES = 16
"""Of what a track is labelled with."""
MOST_TRACKS, MOST_FRAMES = 1_000_000, 10**9
LONGEST_NAME = 20_000  # of a path whose every byte is escaped
TRACK_FILE = re.compile(rf"{TRACKS_FOLDER}/[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}\.npy")
"""Relative, and inside the data set."""
SPLITS = {"train": None, "heldout": None}
CHECKSUMS = {LOG_MEL: "mel_sha256", WAVEFORM: "stored_sha256"}
"""What a data set stores -> the member of a track's entry that is the sha256 of its rows."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """One recording, or a part of one: id is the start of its file's sha256, `source` its name, `split` train or
    heldout. Of the rows of `file` its are `frames`, from `first_frame` on.
    """

    id: str
    source: str
    group: str
    seconds: float
    frames: int
    loudness_lufs: float
    trimmed_seconds: tuple[float, float]
    split: str
    file: str
    first_frame: int = 0
    sha256: str | None = None
    """Of its rows as they lie on the disk; None where an older version did not note it."""
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]], hash=False)
    """Condition -> its labels (`data.labels`); none in data sets of format 1."""


class Library:
    """Read access to a prepared data set. InputError if `path` holds none, or one that is not whole.

    path: a folder, or an address that fsspec reads, whose tracks stay where they are (`data/far.py`).
    stores: what it keeps of each frame, a key of STORES. band_mean and band_std are of its log-mels in either case.
    """

    def __init__(self, path: Path | str) -> None:
        self._far = FarFolder(str(path)) if is_address(path) else None
        self._sizes: dict[str, int] | None = None
        self.path = Path(path)
        fields = _read(self.path / MANIFEST_NAME) if self._far is None else _read_far(self._far)
        self.stores: str = fields.choice("stores", STORES) if fields.has("stores") else LOG_MEL
        self.mel = mel_from(fields.inside("mel"))
        bands = fields.inside("bands")
        self.band_mean = np.array(bands.numbers("mean", self.mel.rows, -100, 100), np.float32)
        self.band_std = np.array(bands.numbers("std", self.mel.rows, 1e-6, 100), np.float32)
        bands.done()
        self.tracks = [_track(entry, self.stores) for entry in fields.objects("tracks", MOST_TRACKS)]
        counts = Counter((track.id, track.first_frame) for track in self.tracks)
        for (name, _), count in counts.items():
            if count > 1:
                raise InputError(f"{self.path / MANIFEST_NAME}: has the track {name} {count} times; {AGAIN}")
        fields.take("near_duplicates")
        fields.done()

    @property
    def width(self) -> int:
        """Values a frame: the rows of a log-mel, hop_length of a waveform."""
        return STORES[self.stores].width(self.mel)

    @property
    def name(self) -> str:
        """What another process opens it by: the address, or the whole path."""
        return str(self.path.resolve()) if self._far is None else self._far.address

    def array(self, track: Track) -> Rows | FarRows | LazyRows:
        """The track as stored, [frames, width], read from the disk, or the address, as it is used.

        InputError if its file is not there, leads out of the data set, or is not what was declared.
        """
        if self._far is not None:
            return self._far_rows(self._far, track)
        path = self.path / track.file
        try:
            if not path.resolve().is_relative_to(self.path.resolve()):
                raise InputError(f"{path}: leads out of the data set; {AGAIN}")
            open_regular(path).close()
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
        except InputError:
            raise
        except OSError as error:
            raise InputError(f"{path}: {error.strerror or error}; {AGAIN}") from None
        except Exception as error:  # numpy's own for headers that are broken, and those of Python's parser
            raise InputError(f"{path}: not a track ({error}); {AGAIN}") from None
        last, dtype = track.first_frame + track.frames, STORES[self.stores].dtype
        if stored.ndim != 2 or stored.shape[1] != self.width or len(stored) < last or stored.dtype != dtype:
            wanted = f"{dtype} {(last, self.width)}"
            raise InputError(f"{path}: {stored.dtype} {stored.shape}, declared {wanted}; {AGAIN}")
        rows = stored.view(np.ndarray)  # a memmap's own indexing is several times slower
        return rows[track.first_frame : last]

    def _far_rows(self, folder: FarFolder, track: Track) -> FarRows:
        if self._sizes is None:
            self._sizes = folder.sizes(TRACKS_FOLDER)
        last, dtype = track.first_frame + track.frames, STORES[self.stores].dtype
        least = header_bytes(self.width, dtype) + last * self.width * dtype.itemsize
        if (size := self._sizes.get(track.file)) is None or size < least:
            raise InputError(f"{folder.address}/{track.file}: {size or 0} bytes, declared {least}; {AGAIN}")
        return FarRows(folder, track.file, dtype, self.width, (track.first_frame, last))

    def labels(self, name: str) -> tuple[str, ...]:
        """All labels of that name in the training split, in order."""
        return tuple(sorted({label for track in self.split("train") for label in track.labels.get(name, ())}))

    def split(self, name: str) -> list[Track]:
        """The tracks of `train` or `heldout`."""
        return [track for track in self.tracks if track.split == name]


def _track(fields: Fields, stores: str) -> Track:
    first, last = fields.numbers("trimmed_seconds", 2, 0, 1e9)
    file = fields.text("file")
    if not TRACK_FILE.fullmatch(file):
        raise fields.fail("file", file, f"{TRACKS_FOLDER}/NAME.npy")
    checksums = {name: fields.text(name) for name in CHECKSUMS.values() if fields.has(name)}
    track = Track(
        id=fields.plain_name("id"),
        source=fields.text("source", LONGEST_NAME),
        group=fields.text("group", LONGEST_NAME),
        seconds=fields.number("seconds", 0, 1e9),
        frames=fields.integer("frames", 1, MOST_FRAMES),
        loudness_lufs=fields.number("loudness_lufs", -1000, 1000),
        trimmed_seconds=(first, last),
        split=fields.choice("split", SPLITS),
        file=file,
        sha256=checksums.get(CHECKSUMS[stores]),
        first_frame=fields.integer("first_frame", 0, MOST_FRAMES) if fields.has("first_frame") else 0,
        labels=_labels(fields.inside("labels")) if fields.has("labels") else {},
    )
    for name in ("notes", "format"):  # of the recording, for people
        if fields.has(name):
            fields.take(name)
    fields.done()
    return track


def manifest_sha256(path: Path | str) -> str:
    """Of the file that says what a data set holds."""
    if is_address(path):
        return hashlib.sha256(FarFolder(str(path)).read(MANIFEST_NAME, LONGEST_MANIFEST)).hexdigest()
    return hashlib.sha256((Path(path) / MANIFEST_NAME).read_bytes()).hexdigest()


def _read_far(folder: FarFolder) -> Fields:
    where = f"{folder.address}/{MANIFEST_NAME}"
    fields = Fields(where, parse_json(folder.read(MANIFEST_NAME, LONGEST_MANIFEST), where, AGAIN), AGAIN)
    fields.format_number(FORMAT)
    return fields


def _labels(fields: Fields) -> dict[str, tuple[str, ...]]:
    names = fields.names()
    if len(names) > MOST_NAMES or not all(NAME.fullmatch(name) for name in names):
        raise fields.fail("the list of names", names, f"at most {MOST_NAMES} names of conditions")
    return {name: fields.texts(name, MOST_LABELS, LONGEST_LABEL) for name in names}


def _read(path: Path) -> Fields:
    try:
        value = read_json(path, AGAIN, LONGEST_MANIFEST)
    except FileNotFoundError:
        raise InputError(f"{path.parent}: no prepared data set; make one with halfstep prepare") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {AGAIN}") from None
    fields = Fields(str(path), value, AGAIN)
    fields.format_number(FORMAT)
    return fields
