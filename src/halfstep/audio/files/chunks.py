"""Sound in chunks (WAV, RF64, BW64, W64, AIFF, CAF, and AU with its single one), as recorders, pipes and joining leave
it: sizes that nobody filled in, several chunks of sound, several files in one.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_CHUNKS = 10_000
DESCRIBED_BYTES = 14
"""Of a format's description: up to the bytes of a frame."""
HEAD_BYTES = 24
STREAMED_SLACK = 1 << 16
"""Sizes that mean "until the end" are near 2^31 or 2^32, less what a header takes."""
NO_SIZE = 1 << 62
"""A size of 64 bits beyond it is none."""
IN_DS64 = 0xFFFF_FFFF
DS64 = struct.Struct("<4sIQQQI")
"""Name, length, bytes of all that follows the first eight, bytes of sound, samples, and entries of a table."""
WAVES, LIST, PAUSE = b"wavl", b"LIST", b"slnt"


@dataclass(frozen=True, kw_only=True)
class ChunkLayout:
    """How a kind of container lays out what is in it."""

    begin: int
    """Where the first chunk begins."""
    outer: int | None = None
    """Where the size of all stands."""
    name_bytes: int = 4
    size: struct.Struct
    align: int = 2
    sound: bytes
    """The name of the chunk that holds it."""
    described: bytes = b""
    """The name of the chunk that says how many bytes a frame has, in 16 bits behind the first 12."""
    before_samples: int = 0
    """Bytes of the sound's chunk that come before its samples."""
    counts_itself: bool = False
    """Whether sizes include name and size."""

    @property
    def head_bytes(self) -> int:
        return self.name_bytes + self.size.size

    def length(self, head: bytes) -> int:
        """Bytes of a chunk's contents, as its head says."""
        said = self.size.unpack(head[self.name_bytes : self.head_bytes])[0]
        return said - (self.head_bytes if self.counts_itself else 0)

    def padded(self, length: int) -> int:
        return max(0, -(-length // self.align) * self.align)

    def sized(self, count: int) -> bytes:
        """A size that says so many bytes, or the most that it can."""
        return self.size.pack(min(count, (1 << 8 * self.size.size) - 1))


RIFF = ChunkLayout(begin=12, outer=4, size=struct.Struct("<I"), sound=b"data", described=b"fmt ")
RIFX = ChunkLayout(begin=12, outer=4, size=struct.Struct(">I"), sound=b"data", described=b"fmt ")
W64 = ChunkLayout(
    begin=40, outer=16, name_bytes=16, size=struct.Struct("<Q"), align=8, sound=b"data", described=b"fmt ",
    counts_itself=True,
)  # fmt: skip
AIFF = ChunkLayout(begin=12, outer=4, size=struct.Struct(">I"), sound=b"SSND", before_samples=8)
CAF = ChunkLayout(begin=8, size=struct.Struct(">Q"), align=1, sound=b"data", before_samples=4)
AU = ChunkLayout(begin=0, name_bytes=8, size=struct.Struct(">I"), align=1, sound=b".snd")
"""No container of chunks: one, whose name is followed by where its samples begin."""


def layout_of(head: bytes) -> ChunkLayout | None:
    """Of the container that begins so; None where none does."""
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and head[8:12] == b"WAVE":
        return RIFX if head.startswith(b"RIFX") else RIFF
    starts = {b"riff\x2e\x91\xcf\x11": W64, b"caff": CAF, b".snd": AU}
    return next((layout for start, layout in starts.items() if head.startswith(start)), None)


@dataclass(frozen=True, kw_only=True)
class SoundChunk:
    """One chunk of sound; places are of the file."""

    layout: ChunkLayout
    container: int
    first: int
    """Where the container's chunks of sound begin, or the list of them."""
    place: int
    start: int
    """Of its samples."""
    held: int
    """Bytes of samples that are there."""
    declared: int | None
    """Bytes of samples that it says; None where that was not known when it was written."""
    unfinished: bool = False
    """Whether it says that there are none, and there are."""
    frame_bytes: int = 0
    """Of one sample of all channels; 0 where the container does not say."""
    listed: bool = False


def sound_chunks(file: BinaryIO) -> tuple[list[SoundChunk], int]:
    """All in a file of chunks, in order, and how many pauses there are between them."""
    walk = _Walk(file)
    return list(walk.sounds()), walk.pauses


@dataclass
class _Container:
    """What is known of the one that is read, by the chunks so far."""

    layout: ChunkLayout
    place: int
    first: int | None = None
    frame_bytes: int = 0
    listed: bool = False
    data_bytes: int | None = None
    """Of RF64, whose own sizes only refer to it."""


class _Walk:
    """From chunk to chunk, through all containers of a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._size = file, file.seek(0, os.SEEK_END)
        self.pauses = 0

    def sounds(self) -> Iterator[SoundChunk]:
        place, inside = 0, None
        for _ in range(MOST_CHUNKS):
            head = read_at(self._file, place, HEAD_BYTES)
            if (layout := layout_of(head)) is not None:
                inside = _Container(layout, place)
                place += layout.begin
                head = read_at(self._file, place, HEAD_BYTES)
            if inside is None or len(head) < inside.layout.head_bytes or not _is_name(head[:4]):
                return
            start, length = self._passed(inside, head, place)
            if head.startswith(inside.layout.sound):
                sound = self._sound(inside, place, start, length)
                yield sound
                if sound.declared is None:
                    return
            place = _behind(self._file, inside.layout, start, length)

    def _passed(self, inside: _Container, head: bytes, place: int) -> tuple[int, int]:
        """Where the contents of a chunk begin and how long they are; what it says of all is kept."""
        layout, name = inside.layout, head[:4]
        start, length = place + layout.head_bytes, layout.length(head)
        if name == layout.described:
            inside.frame_bytes = _frame_bytes(read_at(self._file, start, DESCRIBED_BYTES), layout)
        elif name == b"ds64" and layout is RIFF:
            inside.data_bytes = DS64.unpack(read_at(self._file, place, DS64.size).ljust(DS64.size, b"\0"))[3]
        elif name == LIST and read_at(self._file, start, 4) == WAVES:
            inside.first, inside.listed = place, True
            return start, 4
        elif name == PAUSE and inside.listed:
            self.pauses += 1
        elif name == layout.sound and layout is AU:
            return place + int.from_bytes(head[4:8], "big"), length
        elif name == layout.sound and length == IN_DS64 and inside.data_bytes is not None:
            return start, inside.data_bytes
        return start, length

    def _sound(self, inside: _Container, place: int, start: int, length: int) -> SoundChunk:
        layout = inside.layout
        inside.first = place if inside.first is None else inside.first
        samples = start + layout.before_samples
        left = max(0, self._size - samples)
        declared, unfinished = _declared(self._file, layout, length, samples, left, inside.data_bytes is not None)
        return SoundChunk(
            layout=layout,
            container=inside.place,
            first=inside.first,
            place=place,
            start=samples,
            held=left if declared is None else min(left, declared),
            declared=declared,
            unfinished=unfinished,
            frame_bytes=inside.frame_bytes,
            listed=inside.listed,
        )


def read_at(file: BinaryIO, place: int, count: int) -> bytes:
    """Bytes of the file; fewer, or none, where it ends. A size may say any place, and the system refuses some."""
    file.seek(min(place, file.seek(0, os.SEEK_END)))
    return file.read(count)


def _is_name(name: bytes) -> bool:
    return all(0x20 <= byte < 0x7F for byte in name)


def _frame_bytes(described: bytes, layout: ChunkLayout) -> int:
    return int.from_bytes(described[12:14], "big" if layout is RIFX else "little")


def _behind(file: BinaryIO, layout: ChunkLayout, start: int, length: int) -> int:
    """Where the next chunk begins; some leave out the byte that makes a length even before they join files."""
    if length % 2 and layout_of(read_at(file, start + length, HEAD_BYTES)) is not None:
        return start + length
    return start + layout.padded(length)


def _declared(
    file: BinaryIO, layout: ChunkLayout, length: int, samples: int, left: int, of_64_bits: bool
) -> tuple[int | None, bool]:
    """Bytes of samples that a chunk of `length` says, None where nobody knew, and whether it says none by mistake.

    left: bytes from `samples` to the end of the file.
    """
    declared = length - layout.before_samples
    if declared > left and _is_streamed(length, of_64_bits or layout.size.size == 8):
        return None, False
    if declared > 0 or not left:
        return max(0, declared), False
    behind = samples if declared == 0 else samples - layout.before_samples
    return (0, False) if _is_chunks(file, layout, behind, samples + left) else (None, True)


def _is_streamed(length: int, of_64_bits: bool) -> bool:
    """Whether a chunk's size stands for one that was not known: what sox, arecord, ffmpeg and lame write into pipes."""
    if of_64_bits:
        return length >= NO_SIZE or length == IN_DS64
    return abs(length - 0x8000_0000) <= STREAMED_SLACK or length >= 0x1_0000_0000 - STREAMED_SLACK


def _is_chunks(file: BinaryIO, layout: ChunkLayout, place: int, size: int) -> bool:
    """Whether chunks with plain names fill the file from `place` on: then the sound before them is truly none."""
    if layout is AU:
        return False
    for _ in range(MOST_CHUNKS):
        head = read_at(file, place, HEAD_BYTES)
        if len(head) < layout.head_bytes:
            break
        if not _is_name(head[:4]):
            return False
        place += layout.head_bytes + layout.padded(layout.length(head))
    return place in (size, size + 1)
