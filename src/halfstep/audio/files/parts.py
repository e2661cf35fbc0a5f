"""Where the sound in a file lies, for decoders that stop too early: what recorders, pipes and joining leave behind.

A chained Ogg, joined MP3s, FLACs or WAVs hold one stream after the other, of which libsndfile plays the first; a
recorder that lost power, or wrote into a pipe, left a size in the header that nobody filled in; an MP3 may have padding
before its first frame. Each part is what a decoder is shown as if it were all, with bytes of its header put right.
"""

import itertools
import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from halfstep.audio.files import flac, mpeg, ogg
from halfstep.audio.files.chunk_parts import parts_in_chunks
from halfstep.audio.files.chunks import HEAD_BYTES, layout_of
from halfstep.audio.files.file_part import FilePart

MOST_PARTS = 10_000
SEARCHED_BYTES = 1 << 16
"""In which the first frame of an MP3 must begin, behind its tags."""
ID3_HEADER = struct.Struct(">3s2xB4B")
MARKS = (b"Xing", b"Info")
"""What an encoder's note on the whole stream begins with, in its first frame."""
READ_AT_ONCE = 1 << 20


def parts_of(file: BinaryIO) -> tuple[list[FilePart], list[str]]:
    """The parts of an open file, at least one, and what is odd about them, for people."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if layout_of(head) is not None:
        return parts_in_chunks(file)
    is_flac = head.startswith(flac.MARK)
    if head.startswith(ogg.CAPTURE):
        starts = list(ogg.links(file, MOST_PARTS))
    elif is_flac:
        starts = list(itertools.islice(flac.stream_starts(file, size), MOST_PARTS)) or [0]
    elif (first := _first_mpeg_frame(file)) is not None:
        starts = [first, *_joined_mpeg(file, first, size)]
    else:
        starts = [0]
    notes = [f"{len(starts)} streams one after the other, all used"] if len(starts) > 1 else []
    pairs = itertools.pairwise([*starts, size])
    return [flac.counted(file, *pair) if is_flac else FilePart((range(*pair),)) for pair in pairs], notes


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
