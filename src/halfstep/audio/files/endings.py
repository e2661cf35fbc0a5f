"""Does a sound file end where it says? libsndfile reads most of those that were cut off without a word."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from halfstep.audio.files import mpeg, ogg
from halfstep.audio.files.io import AudioInfo

UNKNOWN_32 = (0, 0xFFFFFFFF)  # the size of a chunk that was streamed, and never filled in
UNKNOWN_FRAMES = 1 << 60
MP3_SLACK = 3 * 1152  # encoders differ in whether delay and padding are among the samples they declare


def cut_off(path: Path, info: AudioInfo, frames_got: int) -> str | None:
    """What the file declared and what was in it, if that was less; None for a file that is whole."""
    declared = DECLARED.get(info.format, _declared_by_header)(path, info)
    slack = MP3_SLACK if info.format == "MP3" else 0
    if declared is not None and frames_got + slack < declared:
        return f"cut off: declared {declared} samples, got {frames_got}"
    if info.format == "OGG" and not ogg.has_end(path):
        return f"cut off: declared an end that is not there, got {frames_got} samples"
    if info.format == "MP3" and not mpeg.ends_whole(path):
        return f"cut off: the last frame declared more bytes than are there, got {frames_got} samples"
    return None


def _declared_by_header(_: Path, info: AudioInfo) -> int | None:
    return info.frames_declared if info.frames_declared < UNKNOWN_FRAMES else None


def _declared_by_riff(path: Path, info: AudioInfo) -> int | None:
    """Samples that the `data` chunk of a WAV claims, not those that libsndfile found room for."""
    with path.open("rb") as file:
        big = file.read(4) == b"RIFX"
        frame_bytes = 0
        for name, size in _chunks(file, ">" if big else "<"):
            if name == b"fmt " and size >= 16:
                frame_bytes = struct.unpack(">12xH2x" if big else "<12xH2x", file.read(16))[0]
            elif name == b"data":
                known = size not in UNKNOWN_32 and frame_bytes and info.subtype in PLAIN_SUBTYPES
                return size // frame_bytes if known else None
    return None


def _declared_by_aiff(path: Path, _: AudioInfo) -> int | None:
    with path.open("rb") as file:
        for name, size in _chunks(file, ">"):
            if name == b"COMM" and size >= 18:
                return struct.unpack(">2xI12x", file.read(18))[0]
    return None


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk of a RIFF or AIFF file; `file` stands at its contents."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", head)
        start = file.tell()
        yield name, size
        file.seek(start + size + size % 2)


PLAIN_SUBTYPES = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"})
DECLARED: dict[str, Callable[[Path, AudioInfo], int | None]] = {
    "WAV": _declared_by_riff,
    "WAVEX": _declared_by_riff,
    "AIFF": _declared_by_aiff,
}
