"""A network kept as a change of another, a twentieth of its size.

A large weight W becomes W + sum_i s_i u_i d_i' (a change of low rank: Hu et al. 2022, LoRA), u_i and d_i in levels from
-7 to 7, two to a byte; of a small one the difference itself is kept. What results is an ONNX file as the other is, with
the same graph, and its weights stored in the same way.
"""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float32, Int8
from halfstep.bundle.protocol_buffer import again, changed_fields, field, read_fields, read_number
from halfstep.errors import InputError
from halfstep.fields import AGAIN
from halfstep.packing import arrays_of

LEVELS = 7
MOST_BYTES = 64 * 2**20
"""Of a file unpacked: more than any network of a folder changes."""
GRAPH, INITIALIZER = 7, 5
DATA_TYPE, NAME, RAW_DATA = 2, 8, 9
FLOAT, INT8 = 1, 3
"""Kinds of number, as onnx.proto counts them; so are the fields above."""


@dataclass(frozen=True, kw_only=True)
class Thin:
    """The change of a large weight, seen as a matrix [rows, columns]: scale[i] times up[i] times down[i], added up.

    Levels are from -LEVELS to LEVELS.
    """

    up: Int8[np.ndarray, "rank rows"]
    down: Int8[np.ndarray, "rank columns"]
    scale: Float32[np.ndarray, "rank"]

    @property
    def matrix(self) -> Float32[np.ndarray, "rows columns"]:
        return (self.up.T * self.scale) @ self.down.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Change:
    """By the names of the weights. vectors: flat; they are kept in float16."""

    thin: Mapping[str, Thin]
    vectors: Mapping[str, Float32[np.ndarray, "size"]]


def write_change(change: Change) -> bytes:
    """As a file of numpy's, which `read_change` reads."""
    table = {
        "thin": {name: [*part.up.shape, part.down.shape[1]] for name, part in change.thin.items()},
        "vectors": {name: value.size for name, value in change.vectors.items()},
    }
    levels = np.concatenate(
        [np.zeros(0, np.int8), *(half.reshape(-1) for part in change.thin.values() for half in (part.up, part.down))]
    )
    nibbles = (np.pad(levels, (0, levels.size % 2)) + LEVELS + 1).astype(np.uint8)
    file = io.BytesIO()
    np.savez(
        file,
        table=np.frombuffer(json.dumps(table).encode(), np.uint8),
        levels=nibbles[0::2] + 16 * nibbles[1::2],
        scales=np.concatenate([np.zeros(0, np.float32), *(part.scale for part in change.thin.values())]),
        vectors=np.concatenate([np.zeros(0, np.float32), *change.vectors.values()]).astype(np.float16),
    )
    return file.getvalue()


def read_change(data: bytes, where: str) -> Change:
    """What `write_change` wrote, from a stranger too. InputError naming `where` unless it is that, and finite."""
    try:
        arrays = arrays_of(data, MOST_BYTES)
        table = json.loads(arrays["table"].tobytes())
        nibbles, scales, vectors = arrays["levels"], arrays["scales"], arrays["vectors"]
        if (nibbles.dtype, scales.dtype, vectors.dtype) != (np.uint8, np.float32, np.float16):
            raise ValueError("numbers of another kind")
        if not np.isfinite(scales).all() or not np.isfinite(vectors).all():
            raise ValueError("numbers that are not finite")
        levels = np.stack((nibbles & 15, nibbles >> 4), axis=1).reshape(-1).astype(np.int8) - np.int8(LEVELS + 1)
        flat = {"levels": _Flat(levels), "scales": _Flat(scales), "vectors": _Flat(vectors.astype(np.float32))}
        return Change(
            thin={
                name: Thin(
                    up=flat["levels"].take(rank, rows), down=flat["levels"].take(rank, columns),
                    scale=flat["scales"].take(rank),
                )
                for name, (rank, rows, columns) in table["thin"].items()
            },
            vectors={name: flat["vectors"].take(size) for name, size in table["vectors"].items()},
        )  # fmt: skip
    except Exception as fault:  # zip, numpy and what a table lacks raise a dozen kinds
        raise InputError(f"{where}: not the change of a network ({fault}); {AGAIN}") from None


class _Flat:
    """Numbers in a row, taken from the front."""

    def __init__(self, values: np.ndarray) -> None:
        self._left = values

    def take(self, *shape: int) -> np.ndarray:
        """The next ones, in this shape. ValueError if there are not so many."""
        size = math.prod(shape)
        if min(shape) < 0 or size > self._left.size:
            raise ValueError("fewer numbers than its table says")
        taken, self._left = self._left[:size], self._left[size:]
        return taken.reshape(shape)


def changed_network(network: bytes, change: Change, where: str) -> bytes:
    """The ONNX file with its weights changed. InputError naming `where` unless each is there in its size: as float32,
    or as int8 with one scale an output (`export.onnx_writing`).
    """
    try:
        tensors = _initializers(network)
        fresh: dict[str, bytes] = {}
        for name, part in change.thin.items():
            fresh |= _changed_weight(tensors, name, part)
        for name, vector in change.vectors.items():
            fresh[name] = (tensors[name].numbers(FLOAT, vector.size) + vector).tobytes()
    except (KeyError, ValueError) as fault:
        raise InputError(f"{where}: does not fit the network that it changes ({fault}); {AGAIN}") from None

    def tensor(value: memoryview) -> bytes:
        raw = fresh.get(_Tensor(value).name)
        if raw is None:
            return bytes(value)
        return b"".join(again(*one) for one in read_fields(value) if one[0] != RAW_DATA) + field(RAW_DATA, raw)

    return changed_fields(memoryview(network), GRAPH, lambda graph: changed_fields(graph, INITIALIZER, tensor))


def _changed_weight(tensors: Mapping[str, "_Tensor"], name: str, part: Thin) -> dict[str, bytes]:
    """The new bytes of the tensors that hold a large weight; one in int8 gets new scales."""
    rows, columns = part.up.shape[1], part.down.shape[1]
    if name in tensors:
        weight = tensors[name].numbers(FLOAT, rows * columns).reshape(rows, columns)
        return {name: (weight + part.matrix).tobytes()}
    levels = tensors[f"{name}.packed"].numbers(INT8, rows * columns).reshape(rows, columns)
    scale = tensors[f"{name}.scale"].numbers(FLOAT, rows)[:, None]
    weight = levels * scale + part.matrix
    largest = np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-12) / np.float32(127)
    return {f"{name}.packed": np.rint(weight / largest).astype(np.int8).tobytes(), f"{name}.scale": largest.tobytes()}


class _Tensor:
    """A TensorProto: its name, kind and numbers, as far as they are raw."""

    def __init__(self, message: memoryview) -> None:
        members = {number: value for number, _, value in read_fields(message) if number in (DATA_TYPE, NAME, RAW_DATA)}
        self.name = bytes(members.get(NAME, b"")).decode(errors="replace")
        self._kind, self._raw = read_number(members.get(DATA_TYPE)), members.get(RAW_DATA, memoryview(b""))

    def numbers(self, kind: int, count: int) -> np.ndarray:
        """ValueError if they are not `count` numbers of this kind."""
        dtype = np.dtype("<f4") if kind == FLOAT else np.dtype(np.int8)
        if self._kind != kind or len(self._raw) != count * dtype.itemsize:
            raise ValueError(f"{self.name} is no {count} numbers of {dtype}")
        return np.frombuffer(self._raw, dtype)


def _initializers(network: bytes) -> dict[str, _Tensor]:
    graphs = (graph for number, _, graph in read_fields(memoryview(network)) if number == GRAPH)
    tensors = (_Tensor(value) for graph in graphs for number, _, value in read_fields(graph) if number == INITIALIZER)
    return {tensor.name: tensor for tensor in tensors}
