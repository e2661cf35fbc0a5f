"""One track on disk: a .npy, time-major, written as it comes and measured once it is whole."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from halfstep.arrays import Float32
from halfstep.data.bands import BandMoments, merged, moments_of
from halfstep.data.fingerprint import Fingerprinter
from halfstep.data.stores import LOG_MEL, STORES, Rows, Store

MEASURED_AT_ONCE = 4096  # frames
READ_AT_ONCE = 1 << 20  # bytes


class TrackWriter:
    """Appends blocks of frames to an open file; `close_at` states how many frames of them count."""

    def __init__(self, file: BinaryIO, width: int, store: Store = STORES[LOG_MEL]) -> None:
        self._file = file
        self._width = width
        self._store = store
        self._header_bytes = file.write(_header(0, width, store.dtype))

    def append(self, frames: Float32[np.ndarray, "frames bands"]) -> None:
        """frames [width, k]."""
        self._file.write(self._store.encode(frames).data)

    def close_at(self, frames: int) -> None:
        self._file.truncate(self._header_bytes + frames * self._width * self._store.dtype.itemsize)
        self._file.seek(0)
        written = self._file.write(_header(frames, self._width, self._store.dtype))
        assert written == self._header_bytes, "the header leaves room for any number of frames"


def header_bytes(width: int, dtype: np.dtype[Any]) -> int:
    """How many bytes stand before the rows of a track, however many frames it has."""
    return len(_header(0, width, dtype))


def _header(frames: int, width: int, dtype: np.dtype) -> bytes:
    """numpy pads the header so that the first axis may grow in place."""
    header = BytesIO()
    facts = {"descr": dtype.str, "fortran_order": False, "shape": (frames, width)}
    np.lib.format.write_array_header_1_0(header, facts)
    return header.getvalue()


@dataclass(frozen=True, kw_only=True)
class TrackMeasure:
    """What is known of a stored track without its audio. sha256: of its log-mel as float16. stored_sha256: of its rows
    as they lie on the disk, which are the same where log-mels are stored.
    """

    frames: int
    sha256: str
    stored_sha256: str
    moments: BandMoments
    fingerprint: str


def measure(
    path: Path,
    beat: Callable[[], None] = lambda: None,
    log_mels: Callable[[Iterator[Rows]], Iterator[Rows]] = iter,
) -> TrackMeasure:
    """Read the stored track, which has one frame at least, in blocks; constant memory. `beat` is called after each.

    log_mels: turns the track's rows into its log-mels (`Store.log_mels`).
    """
    digest, stored, parts = hashlib.sha256(), hashlib.sha256(), []
    frames, _ = shape_of(path)

    def rows() -> Iterator[Rows]:
        for block in read_frames(path):
            stored.update(block.data)
            yield block

    prints: Fingerprinter | None = None
    for block in log_mels(rows()):
        if not len(block):
            continue
        prints = prints or Fingerprinter(frames, block.shape[1])
        values = block.astype(np.float64)
        digest.update(block.data)
        parts.append(moments_of(values))
        prints.push(values)
        beat()
    assert prints is not None, "a track has frames"
    return TrackMeasure(
        frames=frames, sha256=digest.hexdigest(), stored_sha256=stored.hexdigest(), moments=merged(parts),
        fingerprint=prints.digest(),
    )  # fmt: skip


def is_whole(path: Path, frames: int, store: Store, width: int, sha256: str | None) -> bool:
    """Whether the stored track is there, has so many frames, and rows of this checksum (None: whichever).

    Reads all of it. OSError if it cannot be read.
    """
    header = _header(frames, width, store.dtype)
    size = len(header) + frames * width * store.dtype.itemsize
    if not path.is_file() or path.stat().st_size != size:
        return False
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if file.read(len(header)) != header:
            return False
        while block := file.read(READ_AT_ONCE):
            digest.update(block)
    return sha256 is None or digest.hexdigest() == sha256


def shape_of(path: Path) -> tuple[int, int]:
    """Frames and values a frame of the stored track."""
    with path.open("rb") as file:
        return _layout(file)[0]


def read_frames(path: Path) -> Iterator[Rows]:
    """Blocks [k, width] of the stored track in order."""
    with path.open("rb") as file:
        (frames, width), dtype = _layout(file)
        for start in range(0, frames, MEASURED_AT_ONCE):
            count = min(MEASURED_AT_ONCE, frames - start)
            block = np.frombuffer(file.read(count * width * dtype.itemsize), dtype)
            yield block.reshape(count, width)


def _layout(file: BinaryIO) -> tuple[tuple[int, int], np.dtype[Any]]:
    np.lib.format.read_magic(file)
    (frames, width), _, dtype = np.lib.format.read_array_header_1_0(file)
    assert dtype in [store.dtype for store in STORES.values()], f"no track is stored as {dtype}"
    return (frames, width), dtype
