"""Pieces of a file read as one: the same as the bytes that they are."""

import io
from typing import BinaryIO, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.files.file_part import FilePart, PartFile, Piece

DATA = bytes(range(100))
PIECES = st.lists(st.binary(max_size=20) | st.builds(range, st.integers(0, 50), st.integers(50, 100)), max_size=5)


def as_bytes(pieces: tuple[Piece, ...]) -> bytes:
    return b"".join(piece if isinstance(piece, bytes) else DATA[piece.start : piece.stop] for piece in pieces)


@settings(max_examples=30)
@given(PIECES, st.integers(0, 120), st.integers(0, 120), st.data())
def test_a_part_reads_as_its_bytes_do(pieces: list[Piece], start: int, count: int, data: st.DataObject):
    part = FilePart(tuple(pieces))
    whole = as_bytes(part.pieces)
    file = PartFile(cast(BinaryIO, io.BytesIO(DATA)), part)
    assert (len(part), file.seek(0, 2), file.seek(start)) == (len(whole), len(whole), start)
    room = bytearray(count)
    got = file.readinto(memoryview(room))
    assert bytes(room[:got]) == whole[start : start + count]
    place = data.draw(st.integers(0, len(whole)))
    put = data.draw(st.binary(max_size=len(whole) - place))
    assert as_bytes(part.put(place, put).pieces) == whole[:place] + put + whole[place + len(put) :]
