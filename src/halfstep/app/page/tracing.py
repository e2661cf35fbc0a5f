"""Formulas of numpy as ONNX graphs, so that what browsers run is written once: in Python.

A function is called with arrays that record what is done to them (`Traced`). Each has the shape and the kind of number
of the array that it stands for, so numpy itself says what comes of every operation; whatever has no ONNX operator here
is a TypeError. ONNX is a protocol buffer; the few fields that are written have the numbers of onnx.proto, so that the
`onnx` package, which the playing half has not, is not needed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from halfstep.bundle.protocol_buffer import field, number, text

OPSET, IR_VERSION = 18, 8
ELEMENT_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(np.float64): 11}
OPERATORS: dict[np.ufunc, str] = {
    np.add: "Add", np.subtract: "Sub", np.multiply: "Mul", np.true_divide: "Div", np.maximum: "Max",
    np.minimum: "Min", np.sqrt: "Sqrt", np.log: "Log", np.matmul: "MatMul", np.exp: "Exp", np.tanh: "Tanh",
    np.negative: "Neg",
}  # fmt: skip
Plain = np.ndarray[Any, np.dtype[Any]]


class Graph:
    """The nodes and constants so far, as bytes."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self.constants: list[bytes] = []
        self._known: dict[bytes, str] = {}
        self._names = 0

    def name(self) -> str:
        """One that no tensor has yet."""
        self._names += 1
        return f"t{self._names}"

    def constant(self, values: Plain) -> str:
        """The name of a tensor of these values."""
        dims = b"".join(number(1, size) for size in values.shape)
        raw = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
        kind = ELEMENT_TYPES[values.dtype]
        described = dims + number(2, kind) + field(9, raw)
        if described not in self._known:
            self._known[described] = self.name()
            self.constants.append(described + text(8, self._known[described]))
        return self._known[described]

    def node(self, operator: str, inputs: Sequence[str], /, **attributes: int | list[int]) -> str:
        """The name of what a new node gives."""
        output = self.name()
        message = b"".join(text(1, name) for name in inputs) + text(2, output) + text(4, operator)
        for name, value in attributes.items():
            if isinstance(value, int):
                written = number(3, value) + number(20, 2)
            else:
                written = b"".join(number(8, one) for one in value) + number(20, 7)
            message += field(5, text(1, name) + written)
        self.nodes.append(message)
        return output

    def shaped(self, name: str, shape: Sequence[int]) -> str:
        """A tensor in another shape."""
        return self.node("Reshape", [name, self.constant(np.array(shape, np.int64))])

    def cast(self, name: str, dtype: np.dtype[Any]) -> str:
        """A tensor as another kind of number."""
        return self.node("Cast", [name], to=ELEMENT_TYPES[dtype])


class Traced(np.ndarray[Any, np.dtype[Any]]):
    """An array of which only the shape and the kind of number count, and that records what is done to it."""

    graph: Graph
    name: str

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> "Traced":
        if ufunc is np.square or (ufunc is np.power and np.all(np.asarray(inputs[1]) == 2)):
            ufunc, inputs = np.multiply, (inputs[0], inputs[0])
        if ufunc is np.arctanh:
            return cast(Traced, 0.5 * np.log((1 + inputs[0]) / (1 - inputs[0])))
        if method != "__call__" or ufunc not in OPERATORS or options:
            raise TypeError(f"{ufunc.__name__} ({method}, {options}) has no ONNX operator here")
        with np.errstate(all="ignore"):
            result = ufunc(*map(_plain, inputs))
        names = [self.operand(one, np.asarray(result).dtype) for one in inputs]
        return self.of(OPERATORS[ufunc], names, result)

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> "Traced":
        if func not in FUNCTIONS:
            raise TypeError(f"{func.__name__} has no ONNX operator here")
        return FUNCTIONS[func](*args, **kwargs)

    def __getitem__(self, index: Any) -> "Traced":
        result, name, axis = self.view(np.ndarray)[index], self.name, 0
        parts = list(index) if isinstance(index, tuple) else [index]
        at = next((place for place, one in enumerate(parts) if one is Ellipsis), len(parts))
        own = sum(one is not None and one is not Ellipsis for one in parts)
        parts[at : at + 1] = [slice(None)] * (self.ndim - own)
        for part in parts:
            if part is None:
                continue  # the last reshaping makes room for it
            if isinstance(part, slice):
                begin, stop, step = part.indices(self.shape[axis])
                if (begin, stop, step) != (0, self.shape[axis], 1):
                    ends = [self.graph.constant(np.array([one], np.int64)) for one in (begin, stop, axis, step)]
                    name = self.graph.node("Slice", [name, *ends])
                axis += 1
            else:
                places = np.asarray(part).astype(np.int64)
                name = self.graph.node("Gather", [name, self.graph.constant(places)], axis=axis)
                axis += places.ndim
        return self._named(self.graph.shaped(name, result.shape), result)

    def swapaxes(self, axis1: Any, axis2: Any) -> "Traced":
        order = list(range(self.ndim))
        order[axis1], order[axis2] = order[axis2], order[axis1]
        return self.of("Transpose", [self.name], self.view(np.ndarray).transpose(order), perm=order)

    @property
    def T(self) -> "Traced":  # noqa: N802, numpy's
        return self.swapaxes(0, 1)

    def reshape(self, *shape: Any, **_: Any) -> "Traced":
        result = self.view(np.ndarray).reshape(*shape)
        return self._named(self.graph.shaped(self.name, result.shape), result)

    def astype(self, dtype: Any, **_: Any) -> "Traced":
        result = self.view(np.ndarray).astype(dtype)
        return self if result.dtype == self.dtype else self._named(self.graph.cast(self.name, result.dtype), result)

    def sum(self) -> "Traced":
        return self.of("ReduceSum", [self.name], self.view(np.ndarray).sum(), keepdims=0)

    def min(self, axis: int, keepdims: bool) -> "Traced":
        result = self.view(np.ndarray).min(axis=axis, keepdims=keepdims)
        axes = self.graph.constant(np.array([axis], np.int64))
        return self.of("ReduceMin", [self.name, axes], result, keepdims=int(keepdims))

    def mean(self, axis: int, dtype: Any) -> "Traced":
        result = self.view(np.ndarray).mean(axis=axis, dtype=dtype)
        axes = self.graph.constant(np.array([axis], np.int64))
        return self.of("ReduceMean", [self.operand(self, result.dtype), axes], result, keepdims=0)

    def __float__(self) -> float:
        raise TypeError("a number that is not known until the graph runs")

    def operand(self, value: Any, dtype: np.dtype[Any]) -> str:
        """The name of a number, an array or a traced one, as this kind of number."""
        if not isinstance(value, Traced):
            return self.graph.constant(np.asarray(value, dtype))
        return value.name if value.dtype == dtype else self.graph.cast(value.name, dtype)

    def of(self, operator: str, names: Sequence[str], result: Any, **attributes: int | list[int]) -> "Traced":
        """What a new node gives, shaped as `result`."""
        return self._named(self.graph.node(operator, names, **attributes), result)

    def _named(self, name: str, like: Any) -> "Traced":
        return _traced(self.graph, name, np.shape(like), np.asarray(like).dtype)


def _traced(graph: Graph, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Traced:
    array = np.broadcast_to(np.ones((), dtype), shape).view(Traced)
    array.graph, array.name = graph, name
    return array


def _plain(value: Any) -> Any:
    return value.view(np.ndarray) if isinstance(value, Traced) else value


def _first(values: Sequence[Any]) -> Traced:
    return next(one for one in values if isinstance(one, Traced))


def _concatenate(parts: Sequence[Any], axis: int = 0) -> Traced:
    one, result = _first(parts), np.concatenate([_plain(part) for part in parts], axis)
    names = [one.operand(part, result.dtype) for part in parts]
    return one.of("Concat", names, result, axis=axis % result.ndim)


def _cumsum(a: Traced, axis: int, dtype: Any) -> Traced:
    wide, places = a.astype(dtype), a.graph.constant(np.array(axis, np.int64))
    return wide.of("CumSum", [wide.name, places], _plain(wide))


def _pad(array: Traced, pad_width: Any) -> Traced:
    result = np.pad(_plain(array), pad_width)
    widths = np.array(pad_width, np.int64).T.reshape(-1)
    return array.of("Pad", [array.name, array.graph.constant(widths)], result)


def _repeat(a: Traced, repeats: int, axis: int) -> Traced:
    return a[(*(slice(None),) * (axis % a.ndim), np.repeat(np.arange(a.shape[axis]), repeats))]


def _split(ary: Traced, indices_or_sections: int) -> Any:
    size = len(ary) // indices_or_sections
    return [ary[at * size : (at + 1) * size] for at in range(indices_or_sections)]


def _copy(a: Traced, order: str) -> Traced:
    return a


def _clip(a: Traced, a_min: float, a_max: float) -> Traced:
    return cast(Traced, np.minimum(np.maximum(a, a_min), a_max))


FUNCTIONS: dict[Callable[..., Any], Callable[..., Traced]] = {
    np.concatenate: _concatenate, np.cumsum: _cumsum, np.pad: _pad, np.repeat: _repeat, np.clip: _clip,
    np.copy: _copy, np.split: _split,
}  # fmt: skip


def onnx_graph(function: Callable[..., Any], inputs: Mapping[str, tuple[int, ...]], outputs: Sequence[str]) -> bytes:
    """`function`, called with float32 arrays of these shapes in order, as an ONNX file. It gives one array, or a tuple
    of them, which are called `outputs`.
    """
    graph = Graph()
    taken = [_traced(graph, name, shape, np.dtype(np.float32)) for name, shape in inputs.items()]
    given = function(*taken)
    given = list(cast(Any, given)) if isinstance(given, tuple) else [given]
    assert len(given) == len(outputs), "a name for every array"
    ends = [(name, one.astype(np.float32)) for name, one in zip(outputs, given, strict=True)]
    nodes = graph.nodes + [text(1, one.name) + text(2, name) + text(4, "Identity") for name, one in ends]
    message = b"".join(field(1, node) for node in nodes) + text(2, getattr(function, "__name__", "formula"))
    message += b"".join(field(5, constant) for constant in graph.constants)
    message += b"".join(field(11, _described(name, shape)) for name, shape in inputs.items())
    message += b"".join(field(12, _described(name, one.shape)) for name, one in ends)
    return number(1, IR_VERSION) + text(2, "halfstep") + field(7, message) + field(8, number(2, OPSET))


def _described(name: str, shape: Sequence[int]) -> bytes:
    """Name, kind of number and shape of an input or output."""
    dims = b"".join(field(1, number(1, size)) for size in shape)
    return text(1, name) + field(2, field(1, number(1, ELEMENT_TYPES[np.dtype(np.float32)]) + field(2, dims)))
