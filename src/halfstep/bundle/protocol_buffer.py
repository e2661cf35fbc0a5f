"""Protocol buffers, which ONNX files are: the fields of a message, read and written without the `onnx` package.

A message is a run of fields, each (its number, its wire type, its value). What the numbers mean is onnx.proto's matter.
"""

from collections.abc import Callable, Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def read_fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(field number, wire type, the value's bytes) of each field of one message; ValueError where it is none."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        start = place
        if wire == VARINT:
            _, place = _varint(message, place)
        elif wire == BYTES:
            size, start = _varint(message, place)
            place = start + size
        elif wire in (FIXED32, FIXED64):
            place += 4 if wire == FIXED32 else 8
        else:
            raise ValueError(f"wire type {wire}")
        if place > len(message):
            raise ValueError("cut short")
        yield number, wire, message[start:place]


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number at `place`, seven bits a byte, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise ValueError("cut short")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number without end")


def read_number(value: memoryview | None) -> int:
    """Of a field of wire type VARINT; 0 for one that is not there."""
    return 0 if value is None else _varint(value, 0)[0]


def again(number: int, wire: int, value: bytes | memoryview) -> bytes:
    """A field as it was read."""
    return _written(number << 3 | wire) + (_written(len(value)) if wire == BYTES else b"") + value


def _written(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def number(number: int, value: int) -> bytes:
    """A field of a whole number; one below 0 as its complement of 64 bits."""
    return _written(number << 3 | VARINT) + _written(value)


def field(number: int, data: bytes) -> bytes:
    """A message inside a message, or bytes."""
    return _written(number << 3 | BYTES) + _written(len(data)) + data


def text(number: int, text: str) -> bytes:
    """A field of letters."""
    return field(number, text.encode("ascii"))


def changed_fields(message: memoryview, which: int, change: Callable[[memoryview], bytes]) -> bytes:
    """The message, each of its fields of this number changed."""
    return b"".join(
        again(number, wire, change(value) if number == which and wire == BYTES else value)
        for number, wire, value in read_fields(message)
    )
