"""PyTorch modules as self-contained ONNX files, their weights as small as asked for."""

import warnings
from collections.abc import Callable, Mapping
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


def write_onnx(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: tuple[str, ...],
    changing: Mapping[str, Mapping[int, str]],
    path: Path,
    weights: str = "fp32",
) -> None:
    """`module`, called with `inputs` in order, as one file.

    changing: input or output -> the axes that may have another size at every call, each with a name. weights: a key of
    STORED.
    """
    with replacing(path) as partial, warnings.catch_warnings():
        # The tracing exporter is on its way out; the new one takes 65 s where it takes 2, for a graph no faster.
        for said in ("You are using the legacy TorchScript-based ONNX export", "The feature will be removed"):
            warnings.filterwarnings("ignore", said, DeprecationWarning)
        # group_norm asks whether there is more than one value a channel: yes, whatever the batch.
        warnings.filterwarnings("ignore", "Converting a tensor to a Python boolean", TracerWarning)
        # Slices it does not fold at once are folded when the file is loaded.
        warnings.filterwarnings("ignore", "Constant folding - Only steps=1 can be constant folded", UserWarning)
        torch.onnx.export(
            module.to("cpu").eval(), tuple(inputs.values()), str(partial), dynamo=False, opset_version=OPSET,
            input_names=list(inputs), output_names=list(outputs),
            dynamic_axes={name: dict(axes) for name, axes in changing.items()},
        )  # fmt: skip
        model = onnx.load_model(str(partial))
        STORED[weights](model)
        onnx.checker.check_model(model, full_check=True)
        onnx.save_model(model, str(partial))


def _as_fp32(model: onnx.ModelProto) -> None:
    """As they are."""


def _as_fp16(model: onnx.ModelProto) -> None:
    """Weights as float16, cast up when the model is loaded."""
    _pack(model, lambda weight: [("Cast", weight.astype(np.float16))])


def _as_int8(model: onnx.ModelProto) -> None:
    """Weights as int8 with one scale an output channel (the first axis), multiplied out when the model is loaded."""

    def packed(weight: np.ndarray) -> list[tuple[str, np.ndarray]]:
        largest = np.abs(weight).max(axis=tuple(range(1, weight.ndim)), keepdims=True)
        scale = (np.maximum(largest, 1e-12) / 127).astype(np.float32)
        return [("Cast", np.rint(weight / scale).astype(np.int8)), ("Mul", scale)]

    _pack(model, packed)


STORED: dict[str, Callable[[onnx.ModelProto], None]] = {"fp32": _as_fp32, "fp16": _as_fp16, "int8": _as_int8}


def _pack(model: onnx.ModelProto, packed: Callable[[np.ndarray], list[tuple[str, np.ndarray]]]) -> None:
    """Replace large weights by smaller tensors and the nodes that restore them, which the loader folds away."""
    graph = model.graph
    restoring = []
    for initializer in [i for i in graph.initializer if i.data_type == TensorProto.FLOAT and len(i.dims) > 1]:
        weight = numpy_helper.to_array(initializer)
        if weight.size < SMALLEST_PACKED:
            continue
        graph.initializer.remove(initializer)
        (_, small), *scales = packed(weight)
        graph.initializer.append(numpy_helper.from_array(small, f"{initializer.name}.packed"))
        cast_to = f"{initializer.name}.cast" if scales else initializer.name
        restoring.append(helper.make_node("Cast", [f"{initializer.name}.packed"], [cast_to], to=TensorProto.FLOAT))
        for operator, value in scales:
            graph.initializer.append(numpy_helper.from_array(value, f"{initializer.name}.scale"))
            restoring.append(helper.make_node(operator, [cast_to, f"{initializer.name}.scale"], [initializer.name]))
    nodes = [*restoring, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
