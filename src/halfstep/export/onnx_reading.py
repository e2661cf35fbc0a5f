"""An exported network's weights as they are when it runs: the way back from `onnx_writing`."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import ModelProto, numpy_helper
from torch import Tensor

from halfstep.bundle.session import onnx_session
from halfstep.export.onnx_writing import Range


def weights_of(
    path: Path, shapes: Mapping[str, Sequence[int]], prefix: str = "", optional: Collection[str] = ()
) -> dict[str, Tensor]:
    """The weights of those names in PyTorch, where the module had `prefix` before them, in these shapes where they fit.

    The `optional` ones are left out where the file does not hold them. ValueError naming another that it does not hold.
    """
    model = onnx.load(path)
    constants = _constants(model)
    shapes = {name: shape for name, shape in shapes.items() if name not in optional or prefix + name in constants}
    missing = [prefix + name for name in shapes if prefix + name not in constants]
    known = constants | _worked_out(model, missing)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        value = known.get(prefix + name)
        if value is None:
            value = _of_a_norm(model, prefix + name, int(np.prod(shape)), constants)
        fits = value.size == np.prod(shape)  # a network of other sizes has them as they are
        tensors[name] = torch.from_numpy((value.reshape(tuple(shape)) if fits else value).copy())
    return tensors


def ranges_of(path: Path) -> dict[str, Range]:
    """Weight -> the lowest and highest number it is multiplied with, of products that are of bytes."""
    model = onnx.load(path)
    constants = _constants(model)
    tensors: dict[str, Range] = {}
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            product = node.output[0].removesuffix(".x")
            weight = next(n.input[0] for n in model.graph.node if n.output[0] == f"{product}.size")
            step, zero = float(constants[node.input[1]]), int(constants[node.input[2]])
            tensors[weight] = (-zero * step, (255 - zero) * step)
    return tensors


def _constants(model: ModelProto) -> dict[str, np.ndarray]:
    constants = {part.name: numpy_helper.to_array(part) for part in model.graph.initializer}
    return constants | {
        node.output[0]: numpy_helper.to_array(node.attribute[0].t)
        for node in model.graph.node
        if node.op_type == "Constant"
    }


def _worked_out(model: ModelProto, names: list[str]) -> dict[str, np.ndarray]:
    """Those of `names` that the graph works out from integers."""
    made = {output for node in model.graph.node for output in node.output}
    names = [name for name in names if name in made]
    opened = ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in names)
    session = onnx_session(opened.SerializeToString(), optimised=False)
    nothing = {
        put.name: np.zeros([1 if isinstance(size, str) else size for size in put.shape], np.float32)
        for put in session.get_inputs()
    }
    return dict(zip(names, map(np.asarray, session.run(names, nothing)), strict=True)) if names else {}


def _of_a_norm(model: ModelProto, name: str, size: int, constants: Mapping[str, np.ndarray]) -> np.ndarray:
    """A group norm's gain or offset: the exporter multiplies and adds a constant without a name of its own."""
    module, _, kind = name.rpartition(".")
    wanted = {"weight": "Mul", "bias": "Add"}.get(kind)
    for node in model.graph.node:
        if node.op_type == wanted and node.name.replace("/", ".").startswith(f".{module}."):
            for put in node.input:
                if put in constants and constants[put].size == size:
                    return constants[put]
    raise ValueError(f"{name} is not in the exported network")
