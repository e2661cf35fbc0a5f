"""The parts of a file of chunks: each chunk of sound as a file of its own, with sizes that are right."""

import os
from collections.abc import Iterator
from itertools import groupby
from typing import BinaryIO

from halfstep.audio.files.chunks import DS64, IN_DS64, RIFF, STREAMED_SLACK, SoundChunk, read_at, sound_chunks
from halfstep.audio.files.file_part import FilePart


def parts_in_chunks(file: BinaryIO) -> tuple[list[FilePart], list[str]]:
    """The parts of a file of chunks, at least one, and what is odd about them, for people."""
    size = file.seek(0, os.SEEK_END)
    chunks, pauses = sound_chunks(file)
    by_container = [list(inside) for _, inside in groupby(chunks, key=lambda chunk: chunk.container)]
    stops = [inside[0].container for inside in by_container[1:]] + [size]
    parts = [
        part for inside, stop in zip(by_container, stops, strict=False) for part in _parts(file, inside, stop)
    ] or [FilePart((range(size),))]
    notes = [f"{len(parts)} streams one after the other, all used"] if len(parts) > 1 else []
    if any(chunk.unfinished for chunk in chunks):
        notes.append("its header was never closed (0 bytes declared): all that follows it is used")
    if pauses:
        notes.append(f"{pauses} pauses between its pieces are left out")
    return parts, notes


def _parts(file: BinaryIO, chunks: list[SoundChunk], stop: int) -> Iterator[FilePart]:
    """Of one container that ends at `stop`."""
    single = len(chunks) == 1
    mark = read_at(file, chunks[0].container, 4)
    for chunk in [chunk for chunk in chunks if chunk.held] or chunks[:1]:
        if single and chunk.declared == chunk.held and not chunk.listed and mark != b"BW64":
            yield FilePart((range(chunk.container, stop),))
        elif chunk.layout is RIFF and (mark != b"RIFF" or chunk.held >= IN_DS64 - STREAMED_SLACK):
            yield _as_rf64(file, chunk)
        else:
            yield _alone(chunk)


def _alone(chunk: SoundChunk) -> FilePart:
    """One chunk of sound behind what comes before all of them, with sizes that are right."""
    layout = chunk.layout
    part = FilePart((range(chunk.container, chunk.first), range(chunk.place, chunk.start + chunk.held)))
    itself = layout.head_bytes if layout.counts_itself else 0
    at = chunk.first - chunk.container + layout.name_bytes
    part = part.put(at, layout.sized(chunk.held + layout.before_samples + itself))
    if layout.outer is None:
        return part
    return part.put(layout.outer, layout.sized(len(part) - (0 if layout.counts_itself else 8)))


def _as_rf64(file: BinaryIO, chunk: SoundChunk) -> FilePart:
    """The same as RF64, whose sizes have 64 bits; also of a WAV longer than its own sizes can say."""
    rest = chunk.container + RIFF.begin
    old = read_at(file, rest, 8)
    if old.startswith(b"ds64"):
        rest += 8 + RIFF.padded(RIFF.length(old))
    behind = FilePart((range(rest, chunk.first), range(chunk.place, chunk.start + chunk.held)))
    frames = chunk.held // max(1, chunk.frame_bytes)
    sizes = DS64.pack(b"ds64", DS64.size - 8, 4 + DS64.size + len(behind), chunk.held, frames, 0)
    unsized = IN_DS64.to_bytes(4, "little")
    behind = behind.put(len(behind) - chunk.held - 4, unsized)
    return FilePart((b"RF64" + unsized + b"WAVE" + sizes, *behind.pieces))
