"""Ogg pages: is the stream whole, and does it begin with the same number every time.

An encoder numbers its streams at random and repeats the number in every page, under the page's checksum.
Files whose bytes follow from their sound alone need one fixed number. RFC 3533 describes the page.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

CAPTURE = b"OggS"
HEADER = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule, serial, sequence, checksum, segments
BEGIN_OF_STREAM, END_OF_STREAM = 2, 4
LONGEST_PAGE = 27 + 255 + 255 * 255
SERIAL = 1
LONGEST_SEGMENT, MOST_SEGMENTS, HEADER_PACKETS = 255, 255, 3

# Ogg's checksum runs from the highest bit down, zlib's from the lowest up: the same polynomial mirrored.
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def page_checksum(page: bytes) -> int:
    """The checksum of a page whose checksum field is zero."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)


def page_bytes(data: bytes) -> int | None:
    """Length of the page that begins with these bytes; None if so many do not tell, or they begin none."""
    if not data.startswith(CAPTURE) or len(data) < HEADER.size:
        return None
    lacing = data[HEADER.size : HEADER.size + HEADER.unpack_from(data)[7]]
    return HEADER.size + len(lacing) + sum(lacing)


def fix_serial(path: Path) -> None:
    """Give every page of the one stream in the file the number SERIAL, in place."""
    with path.open("r+b") as file:
        for start, page in _pages(file):
            head = HEADER.unpack_from(page)
            bare = HEADER.pack(*head[:4], SERIAL, head[5], 0, head[7]) + page[HEADER.size :]
            file.seek(start)
            file.write(HEADER.pack(*head[:4], SERIAL, head[5], page_checksum(bare), head[7]))
            file.seek(start + len(page))


def replace_second_packet(path: Path, change: Callable[[bytes], bytes]) -> None:
    """Put another packet, such as longer tags, in place of the second of our own encoder's file, and of no other.

    The first page holds the first packet alone; the second and third packets fill whole pages after it (Vorbis I,
    A.2). These pages are laid out again, and every later one is numbered on from them.
    """
    with path.open("rb") as file:
        pages = [page for _, page in _pages(file)]
    packets, used, rest = list[bytes](), 1, b""
    while len(packets) < HEADER_PACKETS - 1:
        lacing, body = _contents(pages[used])
        used += 1
        for size in lacing:
            rest, body = rest + body[:size], body[size:]
            if size < LONGEST_SEGMENT:
                packets.append(rest)
                rest = b""
    assert not rest and len(packets) == HEADER_PACKETS - 1, "headers end with a page"
    made = _paged([change(packets[0]), packets[1]])
    written = [pages[0], *made, *pages[used:]]
    path.write_bytes(b"".join(_numbered(page, number) for number, page in enumerate(written)))


def _contents(page: bytes) -> tuple[bytes, bytes]:
    """Lacing values and body of a page."""
    segments = page[HEADER.size - 1]
    return page[HEADER.size : HEADER.size + segments], page[HEADER.size + segments :]


def _paged(packets: list[bytes]) -> list[bytes]:
    """Packets of headers in pages, as few as hold them; granule 0."""
    lacing = b"".join(
        bytes([LONGEST_SEGMENT]) * (len(packet) // LONGEST_SEGMENT) + bytes([len(packet) % LONGEST_SEGMENT])
        for packet in packets
    )
    body, pages, goes_on = b"".join(packets), list[bytes](), False
    for start in range(0, len(lacing), MOST_SEGMENTS):
        part = lacing[start : start + MOST_SEGMENTS]
        size = sum(part)
        granule = 0 if any(value < LONGEST_SEGMENT for value in part) else -1
        pages.append(HEADER.pack(CAPTURE, 0, int(goes_on), granule, SERIAL, 0, 0, len(part)) + part + body[:size])
        body, goes_on = body[size:], part[-1] == LONGEST_SEGMENT
    return pages


def _numbered(page: bytes, number: int) -> bytes:
    """The page with another number in its stream, and the checksum of that."""
    head = HEADER.unpack_from(page)
    bare = HEADER.pack(*head[:5], number, 0, head[7]) + page[HEADER.size :]
    return HEADER.pack(*head[:5], number, page_checksum(bare), head[7]) + page[HEADER.size :]


def _pages(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Where each page begins, and all of its bytes; the file is left behind the page."""
    while head := file.read(HEADER.size):
        assert head.startswith(CAPTURE), "our own encoder writes page after page"
        lacing = file.read(HEADER.unpack(head)[7])
        body = file.read(sum(lacing))
        yield file.tell() - len(head) - len(lacing) - len(body), head + lacing + body


def links(file: BinaryIO, most: int) -> Iterator[int]:
    """Where each link of a chained file begins, at most `most` of them: pages that begin streams, after others."""
    size, place, count, begun = file.seek(0, 2), 0, 0, False
    while place + HEADER.size <= size and count < most:
        file.seek(place)
        head = file.read(HEADER.size)
        if not head.startswith(CAPTURE):
            place = _next_capture(file, place, size)
            continue
        flags, segments = head[5], head[26]
        if flags & BEGIN_OF_STREAM and not begun:
            count, begun = count + 1, True
            yield 0 if count == 1 else place
        elif not flags & BEGIN_OF_STREAM:
            begun = False
        place += HEADER.size + segments + sum(file.read(segments))
    if not count:
        yield 0


def _next_capture(file: BinaryIO, place: int, size: int) -> int:
    """Where the next page may begin, after damage."""
    while place < size:
        file.seek(place + 1)
        block = file.read(LONGEST_PAGE)
        at = block.find(CAPTURE)
        if at >= 0:
            return place + 1 + at
        place += max(1, len(block) - len(CAPTURE))
    return size


def has_end(path: Path) -> bool:
    """Whether the last page that begins in the file is whole and marked as the end of its stream."""
    with path.open("rb") as file:
        file.seek(0, 2)
        size = file.tell()
        file.seek(max(0, size - 2 * LONGEST_PAGE))
        tail = file.read()
    at = tail.rfind(CAPTURE)
    if at < 0 or len(tail) - at < HEADER.size:
        return False
    flags, segments = tail[at + 5], tail[at + 26]
    lacing = tail[at + HEADER.size : at + HEADER.size + segments]
    whole = len(lacing) == segments and len(tail) - at >= HEADER.size + segments + sum(lacing)
    return whole and bool(flags & END_OF_STREAM)
