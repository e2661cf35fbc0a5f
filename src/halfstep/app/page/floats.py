"""Networks without doubles: the build of onnxruntime-web that computes on a graphics card has no kernel for them."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from halfstep.bundle.protocol_buffer import again, changed_fields, field, number, read_fields, read_number

FLOAT, DOUBLE = 1, 11
"""Kinds of number, as onnx.proto counts them; so are the fields below."""
GRAPH, NODE = 7, 1
INPUT, OUTPUT, OPERATOR, ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_NUMBER, ATTRIBUTE_TENSOR = 1, 3, 5
DATA_TYPE, RAW_DATA, DOUBLE_DATA = 2, 9, 10


def without_doubles(network: bytes) -> bytes:
    """The same network, bit for bit in what it gives: constants of double which are cast to float, and read by nothing
    else, are float, as training's export leaves some. Other doubles stay. ValueError for what is no ONNX file.
    """
    return changed_fields(memoryview(network), GRAPH, _graph)


class _Node(NamedTuple):
    operator: bytes
    inputs: list[bytes]
    outputs: list[bytes]
    to: int
    """What a Cast casts to."""


def _graph(graph: memoryview) -> bytes:
    nodes = [_node(value) for field, _, value in read_fields(graph) if field == NODE]
    kept = {name for node in nodes if (node.operator, node.to) != (b"Cast", FLOAT) for name in node.inputs}
    kept |= {bytes(name) for value in _all(graph, 12) for name in _all(value, 1)}  # what the graph itself gives

    def node(value: memoryview) -> bytes:
        read = _node(value)
        if read.operator != b"Constant" or kept & set(read.outputs):
            return bytes(value)
        return changed_fields(value, ATTRIBUTE, lambda attribute: changed_fields(attribute, ATTRIBUTE_TENSOR, _tensor))

    return changed_fields(graph, NODE, node)


def _tensor(tensor: memoryview) -> bytes:
    fields = list(read_fields(tensor))
    if read_number(next((value for field, _, value in fields if field == DATA_TYPE), None)) != DOUBLE:
        return bytes(tensor)
    raw = b"".join(value for field, _, value in fields if field in (RAW_DATA, DOUBLE_DATA))
    rest = b"".join(again(*one) for one in fields if one[0] not in (DATA_TYPE, RAW_DATA, DOUBLE_DATA))
    return rest + number(DATA_TYPE, FLOAT) + field(RAW_DATA, np.frombuffer(raw, "<f8").astype("<f4").tobytes())


def _node(node: memoryview) -> _Node:
    to = 0
    for attribute in _all(node, ATTRIBUTE):
        if [bytes(name) for name in _all(attribute, ATTRIBUTE_NAME)] == [b"to"]:
            to = read_number(next(_all(attribute, ATTRIBUTE_NUMBER), None))
    operator = b"".join(_all(node, OPERATOR))
    return _Node(operator, [bytes(one) for one in _all(node, INPUT)], [bytes(one) for one in _all(node, OUTPUT)], to)


def _all(message: memoryview, wanted: int) -> Iterator[memoryview]:
    return (value for field, _, value in read_fields(message) if field == wanted)
