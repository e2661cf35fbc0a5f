"""A part of a file that a decoder is shown as if it were all: stretches of it, and bytes that stand in for others."""

import io
import os
from dataclasses import dataclass
from typing import BinaryIO

Piece = bytes | range
"""Bytes as they are, or a stretch of the file: its places."""


@dataclass(frozen=True)
class FilePart:
    """Pieces, one after the other."""

    pieces: tuple[Piece, ...]

    def __len__(self) -> int:
        return sum(map(len, self.pieces))

    def cut(self, start: int, stop: int) -> tuple[Piece, ...]:
        """The pieces of bytes `start` to `stop` of this part."""
        kept: list[Piece] = []
        for piece in self.pieces:
            if len(inside := piece[max(0, start) : max(0, stop)]):
                kept.append(inside)
            start, stop = start - len(piece), stop - len(piece)
        return tuple(kept)

    def put(self, place: int, data: bytes) -> "FilePart":
        """The same with `data` at `place`, in place of what stands there."""
        return FilePart((*self.cut(0, place), data, *self.cut(place + len(data), len(self))))


class PartFile:
    """One part as a file of its own, for reading."""

    def __init__(self, file: BinaryIO, part: FilePart) -> None:
        self._file, self._part, self._place = file, part, 0

    def readinto(self, buffer: memoryview) -> int:
        data = b"".join(map(self._read, self._part.cut(self._place, self._place + len(buffer))))
        buffer[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _read(self, piece: Piece) -> bytes:
        if isinstance(piece, bytes):
            return piece
        self._file.seek(piece.start)
        return self._file.read(len(piece))

    def write(self, data: bytes) -> int:
        raise io.UnsupportedOperation("a part is read only")

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: len(self._part)}[whence]
        if not 0 <= base + offset <= LAST_PLACE:
            raise ValueError("outside of what a file can have")
        self._place = base + offset
        return self._place

    def tell(self) -> int:
        return self._place


LAST_PLACE = (1 << 62) - 1
