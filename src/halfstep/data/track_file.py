"""One track on disk: a float16 .npy, time-major, written as it comes and measured once it is whole."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from halfstep.data.bands import BandMoments, merged, moments_of
from halfstep.data.fingerprint import Fingerprinter

STORED = np.dtype("<f2")
MEASURED_AT_ONCE = 4096  # frames


class TrackWriter:
    """Appends log-mel blocks to an open file; `close_at` states how many frames of them count."""

    def __init__(self, file: BinaryIO, n_mels: int) -> None:
        self._file = file
        self._n_mels = n_mels
        self._header_bytes = file.write(_header(0, n_mels))

    def append(self, log_mel: NDArray[np.float32]) -> None:
        """log_mel [n_mels, k]."""
        self._file.write(np.ascontiguousarray(log_mel.T, dtype=STORED).data)

    def close_at(self, frames: int) -> None:
        self._file.truncate(self._header_bytes + frames * self._n_mels * STORED.itemsize)
        self._file.seek(0)
        written = self._file.write(_header(frames, self._n_mels))
        assert written == self._header_bytes, "the header leaves room for any number of frames"


def _header(frames: int, n_mels: int) -> bytes:
    """numpy pads the header so that the first axis may grow in place."""
    header = BytesIO()
    facts = {"descr": STORED.str, "fortran_order": False, "shape": (frames, n_mels)}
    np.lib.format.write_array_header_1_0(header, facts)
    return header.getvalue()


@dataclass(frozen=True, kw_only=True)
class TrackMeasure:
    """What is known of a stored track without its audio."""

    frames: int
    sha256: str
    moments: BandMoments
    fingerprint: str


def measure(path: Path, beat: Callable[[], None] = lambda: None) -> TrackMeasure:
    """Read the stored track, which has one frame at least, in blocks; constant memory. `beat` is called after each."""
    digest, parts = hashlib.sha256(), []
    frames, n_mels = shape_of(path)
    prints = Fingerprinter(frames, n_mels)
    for block in read_frames(path):
        values = block.astype(np.float64)
        digest.update(block.data)
        parts.append(moments_of(values))
        prints.push(values)
        beat()
    return TrackMeasure(frames=frames, sha256=digest.hexdigest(), moments=merged(parts), fingerprint=prints.digest())


def shape_of(path: Path) -> tuple[int, int]:
    """Frames and n_mels of the stored track."""
    with path.open("rb") as file:
        return _shape(file)


def read_frames(path: Path) -> Iterator[NDArray[np.float16]]:
    """Blocks [k, n_mels] of the stored track in order."""
    with path.open("rb") as file:
        frames, n_mels = _shape(file)
        for start in range(0, frames, MEASURED_AT_ONCE):
            count = min(MEASURED_AT_ONCE, frames - start)
            block = np.frombuffer(file.read(count * n_mels * STORED.itemsize), STORED)
            yield block.reshape(count, n_mels)


def _shape(file: BinaryIO) -> tuple[int, int]:
    np.lib.format.read_magic(file)
    (frames, n_mels), _, dtype = np.lib.format.read_array_header_1_0(file)
    assert dtype == STORED, f"a track is stored as {STORED}, not {dtype}"
    return frames, n_mels
