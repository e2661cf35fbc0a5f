"""PyTorch modules as self-contained ONNX files, their weights as small as asked for."""

import warnings
from collections.abc import Callable, Container, Mapping
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from halfstep.atomic import replacing

OPSET = 18
SMALLEST_PACKED = 4096  # values: below this a tensor is not worth packing
GROUP = 32
CLIPPED_AT = (1.0, 0.9, 0.8, 0.7)
BYTE_LEVELS = 63
"""Of a weight, to either side of 0: with a byte on the other side, two products fit the 16 bits in which processors
without VNNI add them up."""
Range = tuple[float, float]
Restored = tuple[list[onnx.TensorProto], list[onnx.NodeProto]]
"""What is stored of a weight, and the nodes that make it float32 again."""


def write_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: tuple[str, ...],
    changing: Mapping[str, Mapping[int, str]],
    path: Path,
    weights: str = "fp32",
    ranges: Mapping[str, Range] | None = None,
) -> None:
    """`module`, called with `inputs` in order, as one file.

    changing: input or output -> the axes that may have another size at every call, each with a name. weights: a key of
    STORED. ranges: large weight [outputs, inputs] -> the lowest and highest number it is multiplied with; these
    products are of bytes (`_in_bytes`).
    """
    with replacing(path) as partial, warnings.catch_warnings():
        # The tracing exporter is on its way out; the new one takes 65 s where it takes 2, for a graph no faster.
        for said in ("You are using the legacy TorchScript-based ONNX export", "The feature will be removed"):
            warnings.filterwarnings("ignore", said, DeprecationWarning)
        # group_norm asks whether there is more than one value a channel: yes, whatever the batch.
        warnings.filterwarnings("ignore", "Converting a tensor to a Python boolean", TracerWarning)
        # It tries its folding though it is told not to.
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1 can be constant folded", UserWarning)
        torch.onnx.export(
            module.to("cpu").eval(), tuple(inputs.values()), str(partial), dynamo=False, opset_version=OPSET,
            do_constant_folding=False,  # weights keep their names and axes; the loader folds
            input_names=list(inputs), output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in changing.items()},
        )  # fmt: skip
        model = onnx.load_model(str(partial))
        kept = {name for name, _ in module.named_buffers()}
        _pack(model, STORED[weights], kept)
        _in_bytes(model, ranges or {})
        onnx.checker.check_model(model, full_check=True)
        onnx.save_model(model, str(partial))


def _as_fp32(weight: np.ndarray, name: str) -> Restored:
    """As it is."""
    return [numpy_helper.from_array(weight, name)], []


def _as_fp16(weight: np.ndarray, name: str) -> Restored:
    """As float16, cast up when the model is loaded."""
    small = numpy_helper.from_array(weight.astype(np.float16), f"{name}.packed")
    return [small], [_cast(f"{name}.packed", name)]


def _as_int8(weight: np.ndarray, name: str) -> Restored:
    """As int8 with one scale an output channel (the first axis), multiplied out when the model is loaded."""
    largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
    scale = (np.maximum(largest, 1e-12) / 127).astype(np.float32)
    values = {"packed": np.rint(weight / scale).astype(np.int8), "scale": scale}
    nodes = [
        _cast(f"{name}.packed", f"{name}.cast"),
        helper.make_node("Mul", [f"{name}.cast", f"{name}.scale"], [name]),
    ]
    return _stored(name, values), nodes


def _as_int4(weight: np.ndarray, name: str) -> Restored:
    """As 15 levels, two to a byte, with one float16 scale for GROUP values that follow each other.

    A scale is the largest value's, or a little less where the group as a whole then fits better.
    """
    count = weight.size
    groups = np.pad(weight.reshape(-1), (0, -count % GROUP)).reshape(-1, GROUP)
    largest = np.maximum(np.abs(groups).max(axis=1, keepdims=True), 1e-6)
    scales = np.stack([largest * share / 7 for share in CLIPPED_AT]).astype(np.float16)
    errors = [np.square(groups - s * np.clip(np.rint(groups / s), -7, 7)).sum(1) for s in scales.astype(np.float32)]
    scale = np.take_along_axis(scales, np.argmin(errors, axis=0)[None, :, None], axis=0)[0]
    levels = (np.clip(np.rint(groups / scale.astype(np.float32)), -7, 7) + 8).astype(np.uint8)
    values: dict[str, np.ndarray | np.float32 | np.uint8] = {
        "packed": levels[:, 0::2] + 16 * levels[:, 1::2],
        "scale": scale,
        "fifteen": np.uint8(15),
        "four": np.uint8(4),
        "eight": np.float32(8),
        "last": np.array([-1]),
        "rows": np.array([-1, GROUP]),
        "shape": np.array(weight.shape),
    }
    # What is worked out once, as the network is loaded, stays in memory until all of it is: bytes as long as may be.
    shift = helper.make_node("BitShift", [f"{name}.packed", f"{name}.four"], [f"{name}.odd"], direction="RIGHT")
    columns = [f"{name}.even_column", f"{name}.odd_column"]

    def node(operator: str, inputs: str, output: str) -> onnx.NodeProto:
        names = [f"{name}.{part}" for part in inputs.split()]
        return helper.make_node(operator, names, [f"{name}.{output}" if output else name])

    nodes = [
        node("BitwiseAnd", "packed fifteen", "even"),
        shift,
        node("Unsqueeze", "even last", "even_column"),
        node("Unsqueeze", "odd last", "odd_column"),
        helper.make_node("Concat", columns, [f"{name}.pairs"], axis=-1),
        node("Reshape", "pairs rows", "level"),
        _cast(f"{name}.level", f"{name}.byte"),
        _cast(f"{name}.scale", f"{name}.step"),
        node("Sub", "byte eight", "signed"),
        node("Mul", "signed step", "value"),
    ]
    if count % GROUP == 0:
        nodes.append(node("Reshape", "value shape", ""))
    else:
        values |= {"flat": np.array([-1]), "start": np.array([0]), "end": np.array([count])}
        nodes += [
            node("Reshape", "value flat", "row"),
            node("Slice", "row start end", "whole"),
            node("Reshape", "whole shape", ""),
        ]
    return _stored(name, values), nodes


def _as_sparse(weight: np.ndarray, name: str) -> Restored:
    """What is not 0, and where, in a row."""
    places = np.flatnonzero(weight)
    values = {
        "places": places.astype(np.int32),
        "values": weight.reshape(-1)[places],
        "size": np.array([weight.size]),
        "shape": np.array(weight.shape),
    }
    nodes = [
        helper.make_node("ConstantOfShape", [f"{name}.size"], [f"{name}.zeros"]),
        helper.make_node(
            "ScatterElements", [f"{name}.{part}" for part in ("zeros", "places", "values")], [f"{name}.row"]
        ),
        helper.make_node("Reshape", [f"{name}.row", f"{name}.shape"], [name]),
    ]
    return _stored(name, values), nodes


def _cast(source: str, target: str) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], to=TensorProto.FLOAT)


def _stored(name: str, values: Mapping[str, np.ndarray | np.float32 | np.uint8]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(value), f"{name}.{part}") for part, value in values.items()]


STORED: dict[str, Callable[[np.ndarray, str], Restored]] = {
    "fp32": _as_fp32, "fp16": _as_fp16, "int8": _as_int8, "int4": _as_int4,
}  # fmt: skip


def _pack(model: onnx.ModelProto, packed: Callable[[np.ndarray, str], Restored], kept: Container[str]) -> None:
    """Replace large weights by smaller tensors and the nodes that restore them, which the loader folds away. Those
    `kept` stay exact; where they are mostly zeros, only what is not is stored.
    """
    graph = model.graph
    restoring: list[onnx.NodeProto] = []
    for initializer in [i for i in graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) > 1]:
        weight = numpy_helper.to_array(initializer)
        if weight.size < SMALLEST_PACKED or (initializer.name in kept and np.count_nonzero(weight) > weight.size / 8):
            continue
        graph.initializer.remove(initializer)
        tensors, nodes = (_as_sparse if initializer.name in kept else packed)(weight, initializer.name)
        graph.initializer.extend(tensors)
        restoring += nodes
    nodes = [*restoring, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _in_bytes(model: onnx.ModelProto, ranges: Mapping[str, Range]) -> None:
    """Let products x @ weight.T be of 8-bit integers: a third of the time of float32 on AVX-512 with VNNI.

    A weight has BYTE_LEVELS to either side of 0 and one scale an output, which the loader folds. x has 256 levels over
    its range, whatever comes with it, so that a frame's answer does not depend on the frames beside it; what lies
    beyond is clipped.
    """
    graph = model.graph
    weights = {
        node.output[0]: node.input[0]
        for node in graph.node
        if node.op_type == "Transpose" and node.input[0] in ranges and list(node.attribute[0].ints) == [1, 0]
    }
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            weight = weights[node.input[1]]
            tensors, product = _byte_product(node.input[0], weight, node.output[0], ranges[weight])
            graph.initializer.extend(tensors)
            nodes += product
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _byte_product(x: str, weight: str, output: str, of_x: Range) -> Restored:
    lowest, highest = min(of_x[0], 0.0), max(of_x[1], 0.0)
    step = max(highest - lowest, 1e-6) / 255
    values = {
        "x_step": np.float32(step),
        "x_zero": np.uint8(round(-lowest / step)),
        "levels": np.float32(BYTE_LEVELS),
        "tiny": np.float32(1e-12),
        "axis": np.array([1]),
        "row": np.array([-1]),
    }

    def named(inputs: str) -> list[str]:
        """`.name` is one of this product's own."""
        return [f"{output}{part}" if part.startswith(".") else part for part in inputs.split()]

    def node(operator: str, inputs: str, result: str) -> onnx.NodeProto:
        return helper.make_node(operator, named(inputs), named(result))

    nodes = [
        node("Abs", weight, ".size"),
        node("ReduceMax", ".size .axis", ".largest"),
        node("Max", ".largest .tiny", ".range"),
        node("Div", ".range .levels", ".step"),
        node("Div", f"{weight} .step", ".scaled"),
        node("Round", ".scaled", ".level"),
        helper.make_node("Cast", named(".level"), named(".rows"), to=TensorProto.INT8),
        helper.make_node("Transpose", named(".rows"), named(".columns"), perm=[1, 0]),
        node("Reshape", ".step .row", ".steps"),
        node("Mul", ".x_step .steps", ".unit"),
        node("QuantizeLinear", f"{x} .x_step .x_zero", ".x"),
        node("MatMulInteger", ".x .columns .x_zero", ".sum"),
        _cast(f"{output}.sum", f"{output}.float"),
        node("Mul", ".float .unit", output),
    ]
    return [numpy_helper.from_array(np.asarray(value), f"{output}.{name}") for name, value in values.items()], nodes
