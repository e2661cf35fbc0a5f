"""Where the sound in a file lies, for decoders that stop too early: what recorders, pipes and joining leave behind.

A chained Ogg and joined MP3s or FLACs hold one stream after the other, of which libsndfile plays the first; a recorder
that lost power, or wrote into a pipe, left a size in the header that nobody filled in; an MP3 may have padding before
its first frame. Each part is a stretch of the file that a decoder is shown as if it were all, with bytes of its header
put right.
"""

import io
import itertools
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from halfstep.audio.files import mpeg, ogg

MOST_PARTS = 10_000
SEARCHED_BYTES = 1 << 16
"""In which the first frame of an MP3 must begin, behind its tags."""
ID3_HEADER = struct.Struct(">3s2xB4B")
MARKS = (b"Xing", b"Info")
"""What an encoder's note on the whole stream begins with, in its first frame."""
READ_AT_ONCE = 1 << 20
FLAC, CAF = b"fLaC", b"caff"
FLAC_BEGINNINGS = tuple(FLAC + bytes([kind, 0, 0, 34]) for kind in (0x00, 0x80))
"""The mark, and the head of the block of 34 bytes that must follow; 0x80 where it is the only one."""
CAF_HEADER_BYTES = 8
STREAMED_SLACK = 1 << 16
"""Sizes that mean "until the end" are near 2^31 or 2^32, less what a header takes."""


@dataclass(frozen=True, kw_only=True)
class FilePart:
    """Bytes `start` to `stop` of a file; `patches` are (place from `start` on, bytes) that stand there instead."""

    start: int
    stop: int
    patches: tuple[tuple[int, bytes], ...] = ()


class PartFile:
    """One part as a file of its own, for reading."""

    def __init__(self, file: BinaryIO, part: FilePart) -> None:
        self._file, self._part, self._place = file, part, 0

    def readinto(self, buffer: memoryview) -> int:
        self._file.seek(self._part.start + self._place)
        room = max(0, min(len(buffer), self._part.stop - self._part.start - self._place))
        data = bytearray(self._file.read(room))
        for place, patch in self._part.patches:
            for at, byte in enumerate(patch, place - self._place):
                if 0 <= at < len(data):
                    data[at] = byte
        buffer[: len(data)] = bytes(data)
        self._place += len(data)
        return len(data)

    def write(self, data: bytes) -> int:
        raise io.UnsupportedOperation("a part is read only")

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._part.stop - self._part.start}[whence]
        if base + offset < 0:
            raise ValueError("before the beginning")
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place


def parts_of(file: BinaryIO) -> tuple[list[FilePart], list[str]]:
    """The parts of an open file, at least one, and what is odd about them, for people."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(12)
    if head[:4] in (b"RIFF", b"RIFX") and head[8:] == b"WAVE":
        return _wav(file, size)
    if head.startswith(CAF):
        return [_caf(file, size)], []
    if head.startswith(ogg.CAPTURE):
        starts = list(ogg.links(file, MOST_PARTS))
    elif head.startswith(FLAC):
        starts = list(itertools.islice(_flac_streams(file, size), MOST_PARTS)) or [0]
    elif (first := _first_mpeg_frame(file)) is not None:
        starts = [first, *_joined_mpeg(file, first, size)]
    else:
        starts = [0]
    stops = [*starts[1:], size]
    notes = [f"{len(starts)} streams one after the other, all used"] if len(starts) > 1 else []
    return [FilePart(start=start, stop=stop) for start, stop in zip(starts, stops, strict=True)], notes


def is_streamed(size: int) -> bool:
    """Whether a chunk's size stands for one that was not known: what sox, arecord, ffmpeg and lame write into pipes."""
    return abs(size - 0x8000_0000) <= STREAMED_SLACK or size >= 0x1_0000_0000 - STREAMED_SLACK


def _wav(file: BinaryIO, size: int) -> tuple[list[FilePart], list[str]]:
    """A WAV whose `data` has no size, or one that only a pipe writes, has all that follows as its sound."""
    whole = FilePart(start=0, stop=size)
    file.seek(0)
    order = ">" if file.read(4) == b"RIFX" else "<"
    place = 12
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"data":
            left = size - place - 8
            unfinished = length == 0 and left > 0 and not _is_chunks(file, place + 8, size, order)
            if not unfinished and not (is_streamed(length) and length > left):
                break
            if left >= 1 << 32:
                break
            riff, data = (struct.pack(f"{order}I", min(number, 0xFFFF_FFFF)) for number in (size - 8, left))
            note = ["its header was never closed (0 bytes declared): all that follows it is used"] if unfinished else []
            return [FilePart(start=0, stop=size, patches=((4, riff), (place + 4, data)))], note
        place += 8 + length + length % 2
    return [whole], []


def _caf(file: BinaryIO, size: int) -> FilePart:
    """One whose sound is said to be of -1 bytes has all that follows, as the format allows while it is recorded."""
    place = CAF_HEADER_BYTES
    while place + 12 <= size:
        file.seek(place)
        name, length = struct.unpack(">4sq", file.read(12))
        if length == -1 and name == b"data":
            return FilePart(start=0, stop=size, patches=((place + 4, struct.pack(">q", size - place - 12)),))
        if length < 0:
            break
        place += 12 + length
    return FilePart(start=0, stop=size)


def _flac_streams(file: BinaryIO, size: int) -> Iterator[int]:
    """Where FLAC streams begin: the first, and those that were joined to it."""
    kept = len(FLAC_BEGINNINGS[0]) - 1
    for begin in range(0, size, READ_AT_ONCE):
        file.seek(begin)
        block = file.read(READ_AT_ONCE + kept)
        places = [at.start() for at in re.finditer(FLAC, block) if block.startswith(FLAC_BEGINNINGS, at.start())]
        yield from (begin + place for place in places)


def _is_chunks(file: BinaryIO, place: int, size: int, order: str) -> bool:
    """Whether chunks with plain names fill the file from `place` on: then the `data` before them is truly empty."""
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if not all(0x20 <= byte < 0x7F for byte in name):
            return False
        place += 8 + length + length % 2
    return place in (size, size + 1)


def _first_mpeg_frame(file: BinaryIO) -> int | None:
    """Where layer III begins, behind tags and padding; None where it does not, or libsndfile is to look itself."""
    place = _behind_tags(file, 0)
    file.seek(place)
    window = file.read(SEARCHED_BYTES)
    padding = len(window) - len(window.lstrip(b"\0"))
    if place == 0 and padding == 0 and window[:1] != b"\xff":
        return None
    if window[padding : padding + 4] in (b"fLaC", b"OggS", b"RIFF"):
        return None
    first = mpeg.first_of_chain(window)
    return None if first is None else place + first


def _behind_tags(file: BinaryIO, place: int) -> int:
    """Behind the ID3v2 tags that begin at `place`, if any do."""
    while True:
        file.seek(place)
        head = file.read(ID3_HEADER.size)
        if len(head) < ID3_HEADER.size or not head.startswith(b"ID3"):
            return place
        _, flags, *sizes = ID3_HEADER.unpack(head)
        length = sum((size & 0x7F) << shift for size, shift in zip(sizes, (21, 14, 7, 0), strict=True))
        place += ID3_HEADER.size + length + (10 if flags & 0x10 else 0)


def _joined_mpeg(file: BinaryIO, first: int, size: int) -> list[int]:
    """Where further streams begin behind the one at `first`, whose note on its own length makes a decoder stop."""
    file.seek(first)
    if not _note_at(file.read(SEARCHED_BYTES), 0):
        return []
    starts = {start for start in _noted(file, size) if start > first}
    for start in sorted({first, *starts}):
        file.seek(start)
        length = _noted_length(file.read(SEARCHED_BYTES))
        if length is not None and start + length < size:
            behind = _behind_tags(file, start + length)
            file.seek(behind)
            if mpeg.is_chain(file.read(SEARCHED_BYTES), 0):
                starts.add(behind)
    return sorted(starts)[: MOST_PARTS - 1]


def _noted(file: BinaryIO, size: int) -> Iterator[int]:
    """Every frame that holds a note."""
    for begin in range(0, size, READ_AT_ONCE):
        file.seek(begin)
        block = file.read(READ_AT_ONCE + SEARCHED_BYTES)
        for mark in MARKS:
            at = block.find(mark)
            while 0 <= at < READ_AT_ONCE + 64:
                for before in mpeg.NOTE_PLACES:
                    if at >= before and _note_at(block, at - before) and mpeg.is_chain(block, at - before):
                        yield begin + at - before
                at = block.find(mark, at + 1)


def _note_at(block: bytes, frame: int) -> bool:
    """Whether the frame that begins there holds a note."""
    place = mpeg.note_place(block[frame : frame + 4])
    return place is not None and block[frame + place : frame + place + 4] in MARKS


def _noted_length(block: bytes) -> int | None:
    """Bytes of the stream that begins with this block, by the note in its first frame."""
    place = mpeg.note_place(block[:4])
    if place is None or block[place : place + 4] not in MARKS or len(block) < place + 16:
        return None
    flags = int.from_bytes(block[place + 4 : place + 8], "big")
    at = place + (12 if flags & 1 else 8)
    return int.from_bytes(block[at : at + 4], "big") if flags & 2 else None
