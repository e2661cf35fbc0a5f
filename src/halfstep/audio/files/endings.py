"""Does a sound file end where it says? libsndfile reads most of those that were cut off without a word."""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from halfstep.audio.files import mpeg, ogg
from halfstep.audio.files.info import AudioInfo
from halfstep.audio.files.parts import is_streamed

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
                known = size and not is_streamed(size) and frame_bytes and info.subtype in PLAIN_SUBTYPES
                return size // frame_bytes if known else None
    return None


def _declared_by_aiff(path: Path, _: AudioInfo) -> int | None:
    with path.open("rb") as file:
        for name, size in _chunks(file, ">"):
            if name == b"COMM" and size >= 18:
                frames = struct.unpack(">2xI12x", file.read(18))[0]
                return None if is_streamed(frames) else frames
    return None


def _declared_by_rf64(path: Path, info: AudioInfo) -> int | None:
    """Samples by the `ds64` chunk, the first of an RF64: sizes of 64 bits."""
    with path.open("rb") as file:
        name, riff, data, samples = struct.unpack("<12x4s4xQQQ", file.read(44).ljust(44, b"\0"))
        return _whole_frames(path, info, samples or 0, riff, data) if name == b"ds64" else None


def _declared_by_w64(path: Path, info: AudioInfo) -> int | None:
    """Samples by the `data` chunk of a W64, whose names are of 16 bytes and whose sizes include name and size."""
    with path.open("rb") as file:
        place, width = 40, 0
        while len(head := _at(file, place, 24)) == 24:
            size = int.from_bytes(head[16:], "little")
            if head.startswith(b"fmt "):
                width = int.from_bytes(_at(file, place + 24 + 12, 2), "little")
            if head.startswith(b"data"):
                return (size - 24) // width if width and size >= 24 and info.subtype in PLAIN_SUBTYPES else None
            place += max(24, -(-size // 8) * 8)
    return None


def _at(file: BinaryIO, place: int, count: int) -> bytes:
    file.seek(min(place, LAST_PLACE))
    return file.read(count)


def _whole_frames(path: Path, info: AudioInfo, samples: int, riff: int, data: int) -> int | None:
    """By the number of samples, or where a recorder left that out, by the bytes of the data; None for nonsense."""
    if samples:
        return samples
    width = SUBTYPE_BYTES.get(info.subtype)
    return data // (width * info.channels) if width and data and riff else None


def _chunks(file: BinaryIO, order: str) -> Iterator[tuple[bytes, int]]:
    """Name and size of each chunk of a RIFF or AIFF file; `file` stands at its contents."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, size = struct.unpack(f"{order}4sI", head)
        start = file.tell()
        yield name, size
        file.seek(start + size + size % 2)


PLAIN_SUBTYPES = frozenset({"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"})
SUBTYPE_BYTES = {"PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1}
LAST_PLACE = (1 << 62) - 1
DECLARED: dict[str, Callable[[Path, AudioInfo], int | None]] = {
    "WAV": _declared_by_riff,
    "WAVEX": _declared_by_riff,
    "RF64": _declared_by_rf64,
    "W64": _declared_by_w64,
    "AIFF": _declared_by_aiff,
}
