"""FLAC, as far as its streams have to be found and measured without being decoded.

https://www.rfc-editor.org/rfc/rfc9639 has the fields and the polynomial.
"""

import itertools
import re
from collections.abc import Iterator
from typing import BinaryIO

from halfstep.audio.files.file_part import FilePart

MARK = b"fLaC"
BEGINNINGS = tuple(MARK + bytes([kind, 0, 0, 34]) for kind in (0x00, 0x80))
"""The mark, and the head of the block of 34 bytes that must follow; 0x80 where it is the only one."""
READ_AT_ONCE = 1 << 20
LONGEST_FRAME = 1 << 24
BLOCK_PLACE, COUNT_PLACE, COUNT_BYTES = 8, 18, 8
"""Where the least samples of a frame stand, and rate, channels, bits and the number of samples together."""
COUNT_BITS = 36
LONGEST_HEAD = 16
FRAME = re.compile(rb"\xff[\xf8\xf9]")
CRC8_POLYNOMIAL = 0x07


def stream_starts(file: BinaryIO, size: int) -> Iterator[int]:
    """Where streams begin: the first, and those that were joined to it."""
    kept = len(BEGINNINGS[0]) - 1
    for begin in range(0, size, READ_AT_ONCE):
        file.seek(begin)
        block = file.read(READ_AT_ONCE + kept)
        places = [at.start() for at in re.finditer(MARK, block) if block.startswith(BEGINNINGS, at.start())]
        yield from (begin + place for place in places)


def counted(file: BinaryIO, start: int, stop: int) -> FilePart:
    """The stream that begins and ends there; one that was written into a pipe says how many samples it has."""
    part = FilePart((range(start, stop),))
    file.seek(start)
    head = file.read(COUNT_PLACE + COUNT_BYTES)
    count = int.from_bytes(head[COUNT_PLACE:], "big")
    if not head.startswith(BEGINNINGS) or count % (1 << COUNT_BITS):
        return part
    samples = _samples(file, start, stop, int.from_bytes(head[BLOCK_PLACE : BLOCK_PLACE + 2], "big"))
    return part.put(COUNT_PLACE, (count + samples).to_bytes(COUNT_BYTES, "big")) if samples else part


def _samples(file: BinaryIO, start: int, stop: int, block: int) -> int:
    """By the head of the last frame: the samples before it, and its own. 0 where there is none."""
    for end in range(stop, max(start, stop - LONGEST_FRAME), -READ_AT_ONCE):
        begin = max(start, end - READ_AT_ONCE)
        file.seek(begin)
        data = file.read(min(stop, end + LONGEST_HEAD) - begin)
        for sync in reversed(list(FRAME.finditer(data))):
            samples = _until_end_of(data[sync.start() : sync.start() + LONGEST_HEAD], block)
            if samples is not None and samples < 1 << COUNT_BITS:
                return samples
    return 0


def _until_end_of(head: bytes, block: int) -> int | None:
    """Samples of the stream up to the end of the frame that begins so; None where no frame does."""
    if len(head) < LONGEST_HEAD:
        head = head.ljust(LONGEST_HEAD, b"\0")
    size_code, rate_code = head[2] >> 4, head[2] & 15
    if size_code == 0 or rate_code == 15 or head[3] >> 4 > 10 or head[3] & 1:
        return None
    number, place = _coded(head)
    if number is None:
        return None
    own_size = {6: 1, 7: 2}.get(size_code, 0)
    size = int.from_bytes(head[place : place + own_size], "big") + 1 if own_size else _block_size(size_code)
    place += own_size + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if head[place] != crc8(head[:place]):
        return None
    return (number if head[1] & 1 else number * block) + size


def _coded(head: bytes) -> tuple[int | None, int]:
    """The number behind the first four bytes, coded as UTF-8 codes letters, and where it ends."""
    ones = len(list(itertools.takewhile(lambda bit: head[4] & bit, (0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01))))
    if ones in (1, 8):
        return None, 4
    number = head[4] & (0x7F >> ones)
    more = head[5 : 4 + max(1, ones)]
    if any(byte >> 6 != 2 for byte in more):
        return None, 4
    for byte in more:
        number = number << 6 | byte & 0x3F
    return number, 5 + len(more)


def _block_size(code: int) -> int:
    """Samples of a frame by a code of 1 to 5 or 8 to 15."""
    return 192 if code == 1 else 576 << code - 2 if code < 6 else 256 << code - 8


def crc8(data: bytes) -> int:
    """The remainder by x^8 + x^2 + x + 1 that ends the head of a frame."""
    remainder = 0
    for byte in data:
        remainder ^= byte
        for _ in range(8):
            remainder = (remainder << 1 ^ (CRC8_POLYNOMIAL if remainder & 0x80 else 0)) & 0xFF
    return remainder
