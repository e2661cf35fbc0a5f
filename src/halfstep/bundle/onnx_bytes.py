"""What an ONNX file must not do, read from its bytes without the `onnx` package (the playing half has none).

ONNX is a protocol buffer: a message is a run of (field number, wire type, value). Only the fields that lead
to operators, weights, operator sets and outside files are followed; their numbers are those of onnx.proto. What may
be in a file is a list of what is known to be harmless: operators that compute tensors from tensors, once each, so that
a network ends. Control flow, functions, randomness, text and pictures are not among them.
"""

import re
from collections import Counter
from collections.abc import Iterator

import numpy as np

from halfstep.bundle.protocol_buffer import BYTES, read_fields, read_number

FLOAT, DOUBLE = 1, 11
PLAIN_DOMAINS = {b"", b"ai.onnx"}
DATA_TYPES = {1: np.dtype("<f4"), 10: np.dtype("<f2"), 11: np.dtype("<f8")}

MOST_FIELDS = 1_000_000
"""Of one file; a real one has some ten thousand, however large its weights are."""

# message -> {field number: the message inside it}
CHILDREN = {
    "model": {7: "graph", 8: "operator set"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 10: "tensor", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "operator set": {},
    "tensor": {},
}
# message -> {field number: what it would bring in}
REFUSED = {
    "model": {20: "training steps", 25: "functions"},
    "attribute": {6: "a graph inside a node", 11: "graphs inside a node"},
    "tensor": {13: "weights in another file"},
}
KEPT = {"node": {4, 7}, "operator set": {1}, "tensor": {2, 4, 9, 10, 14}}
"""The other fields that are looked at."""

OPERATORS = frozenset(re.findall(r"\w+", """
    Abs Acos Add And ArgMax ArgMin Asin Atan AveragePool BatchNormalization BitShift BitwiseAnd BitwiseNot BitwiseOr
    BitwiseXor Cast CastLike Ceil Celu Clip Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh
    CumSum DepthToSpace DequantizeLinear Div DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand Flatten Floor Gather
    GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization
    HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax
    MatMul MatMulInteger Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pad Pow QLinearConv QLinearMatMul
    QuantizeLinear Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin
    ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize Round ScatterElements ScatterND Selu Shape Sigmoid Sign
    Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Tan Tanh Tile Transpose
    Trilu Unsqueeze Upsample Where Xor
"""))  # fmt: skip
"""Of ONNX's own domain: no Loop, If or Scan, whose length is in the data, and nothing that draws or reads."""


def onnx_problems(data: bytes) -> list[str]:
    """Why these bytes are refused: operators that are not on the list, graphs inside nodes, outside files, NaN weights.

    Memory stays near the size of the data, and time near that of its fields.
    """
    problems: dict[str, None] = {}
    waiting = [("model", memoryview(data))]
    counted = Counter[str]()
    try:
        while waiting:
            kind, message = waiting.pop()
            members: dict[int, memoryview] = {}
            for number, wire, value in read_fields(message):
                counted["fields"] += 1
                if counted["fields"] > MOST_FIELDS:
                    raise ValueError(f"more than {MOST_FIELDS} fields")
                if wire == BYTES and number in CHILDREN[kind]:
                    waiting.append((CHILDREN[kind][number], value))
                elif number in KEPT.get(kind, ()):
                    members[number] = value
                elif number in REFUSED.get(kind, ()):
                    problems[f"has {REFUSED[kind][number]}"] = None
            problems |= dict.fromkeys(_problems_of(kind, members))
    except ValueError as error:
        return [f"not an ONNX file ({error})"]
    return list(problems)


def _problems_of(kind: str, members: dict[int, memoryview]) -> Iterator[str]:
    if kind == "operator set" and bytes(members.get(1, b"")) not in PLAIN_DOMAINS:
        yield f"has operators of the domain {_shown(members[1])}"
    if kind == "node":
        if bytes(members.get(7, b"")) not in PLAIN_DOMAINS:
            yield f"has operators of the domain {_shown(members[7])}"
        operator = members.get(4, memoryview(b""))
        if bytes(operator[:40]).decode(errors="replace") not in OPERATORS:
            yield f"has the operator {_shown(operator)}, which no model of halfstep needs"
    if kind == "tensor":
        if read_number(members.get(14)) == 1:
            yield "has weights in another file"
        if any(
            _has_nan(data_type, members.get(field, memoryview(b"")))
            for data_type, field in ((read_number(members.get(2)), 9), (FLOAT, 4), (DOUBLE, 10))
        ):
            yield "has weights that are not numbers"


def _shown(name: memoryview) -> str:
    return ascii(bytes(name[:40]).decode(errors="replace"))


def _has_nan(data_type: int, raw: memoryview) -> bool:
    dtype = DATA_TYPES.get(data_type)
    if dtype is None or len(raw) % dtype.itemsize:
        return False
    return bool(np.isnan(np.frombuffer(raw, dtype)).any())
