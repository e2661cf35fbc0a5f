"""What an ONNX file must not do, read from its bytes without the `onnx` package (the playing half has none).

ONNX is a protocol buffer: a message is a run of (field number, wire type, value). Only the fields that lead
to weights, operator sets and outside files are followed; their numbers are those of onnx.proto.
"""

from collections.abc import Iterator

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
PLAIN_DOMAINS = {b"", b"ai.onnx"}
DATA_TYPES = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}

# message -> {field number: the message inside it}
CHILDREN = {
    "model": {7: "graph", 8: "operator set", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 9: "operator set"},
    "node": {5: "attribute"},
    "attribute": {
        5: "tensor",
        6: "graph",
        10: "tensor",
        11: "graph",
        22: "sparse tensor",
        23: "sparse tensor",
    },
    "sparse": {1: "tensor", 2: "tensor"},
    "operator set": {},
    "tensor": {},
}


def onnx_problems(data: bytes) -> list[str]:
    """Why these bytes are refused: outside files, operators of a foreign domain, NaN among the weights."""
    problems: dict[str, None] = {}
    waiting = [("model", memoryview(data))]
    try:
        while waiting:
            kind, message = waiting.pop()
            fields = list(_fields(message))
            waiting += [
                (CHILDREN[kind][n], value) for n, wire, value in fields if wire == BYTES and n in CHILDREN[kind]
            ]
            problems |= dict.fromkeys(_problems_of(kind, {n: value for n, _, value in fields}))
    except ValueError as error:
        return [f"not an ONNX file ({error})"]
    return list(problems)


def _problems_of(kind: str, members: dict[int, memoryview]) -> Iterator[str]:
    if kind == "operator set" and bytes(members.get(1, b"")) not in PLAIN_DOMAINS:
        yield f"has operators of the domain {bytes(members[1])[:40].decode(errors='replace')!a}"
    if kind == "tensor":
        if 13 in members or _number(members.get(14)) == 1:
            yield "keeps weights in another file"
        if _has_nan(_number(members.get(2)), members.get(9, memoryview(b""))):
            yield "has weights that are not numbers"


def _has_nan(data_type: int, raw: memoryview) -> bool:
    dtype = DATA_TYPES.get(data_type)
    if dtype is None or len(raw) % dtype.itemsize:
        return False
    return bool(np.isnan(np.frombuffer(raw, dtype)).any())


def _fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(field number, wire type, the value's bytes) of one message; ValueError where it is none."""
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


def _number(value: memoryview | None) -> int:
    return 0 if value is None else _varint(value, 0)[0]
