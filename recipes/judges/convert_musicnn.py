#!/usr/bin/env python3
"""Turn musicnn's TensorFlow-1 checkpoint into ONNX, without TensorFlow.

    pip download --no-deps musicnn==0.1.0 && unzip musicnn-0.1.0-py3-none-any.whl -d musicnn
    python recipes/judges/convert_musicnn.py musicnn/musicnn/MTT_musicnn src/halfstep/metrics/judges/musicnn.onnx

The file has the outputs `embedding` [B, 200] (the penultimate layer, after its batch norm) and `tags` [B, 50] (logits).
"""

import argparse
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from halfstep.export.onnx_writing import write_onnx

EPSILON = 1e-3
"""tf.layers.batch_normalization's own."""
RESTART_BYTES, FOOTER_BYTES = 4, 48


def read_checkpoint(folder: Path) -> dict[str, np.ndarray]:
    """Every float32 tensor by name. The index is a LevelDB table of BundleEntryProto, the data plain bytes."""
    index, data = (folder / ".index").read_bytes(), (folder / ".data-00000-of-00001").read_bytes()
    handles = Bytes(index[-FOOTER_BYTES:])
    _ = handles.varint(), handles.varint()  # of the meta block
    tensors = {}
    for _, handle in block(index, handles.varint(), handles.varint()):
        inner = Bytes(handle)
        for key, value in block(index, inner.varint(), inner.varint()):
            entry = message(value)
            if key and entry.get(1) == 1:
                shape = [int(message(dim).get(1, 0)) for dim in repeated(entry[2], 2)] if 2 in entry else []
                raw = data[int(entry.get(4, 0)) :][: int(entry[5])]
                tensors[key.decode()] = np.frombuffer(raw, "<f4").reshape(shape)
    return tensors


class Bytes:
    """A cursor."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self, count: int) -> bytes:
        self.at += count
        return self.data[self.at - count : self.at]


def block(index: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of one uncompressed LevelDB block: each key shares a prefix with the one before."""
    if index[offset + size] != 0:
        raise ValueError("the index is compressed: an uncompressed one was expected")
    content = index[offset : offset + size]
    restarts = struct.unpack("<I", content[-RESTART_BYTES:])[0]
    cursor, key = Bytes(content[: -RESTART_BYTES * (restarts + 1)]), b""
    while cursor.at < len(cursor.data):
        shared, added, length = cursor.varint(), cursor.varint(), cursor.varint()
        key = key[:shared] + cursor.take(added)
        yield key, cursor.take(length)


def message(data: bytes) -> dict[int, Any]:
    """Fields of one protocol buffer by number, of a repeated one the last."""
    return dict(_fields(data))


def repeated(data: bytes, number: int) -> list[Any]:
    """All values of one field."""
    return [value for which, value in _fields(data) if which == number]


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    cursor = Bytes(data)
    while cursor.at < len(data):
        key = cursor.varint()
        number, wire = key >> 3, key & 7
        yield number, {0: cursor.varint, 2: lambda: cursor.take(cursor.varint()), 5: lambda: cursor.take(4)}[wire]()


class Norm(nn.Module):
    """Batch norm in inference mode over axis 1."""

    scale: Tensor
    shift: Tensor

    def __init__(self, tensors: dict[str, np.ndarray], name: str) -> None:
        super().__init__()
        part = {
            key: torch.tensor(tensors[f"{name}/{key}"]) for key in ("gamma", "beta", "moving_mean", "moving_variance")
        }
        scale = part["gamma"] / torch.sqrt(part["moving_variance"] + EPSILON)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", part["beta"] - part["moving_mean"] * scale)

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (x.dim() - 2))
        return x * self.scale.reshape(shape) + self.shift.reshape(shape)


class Convolution(nn.Module):
    """relu(conv), then batch norm, as musicnn has it; x [B, C, T, F]."""

    def __init__(self, tensors: dict[str, np.ndarray], conv: str, norm: str) -> None:
        super().__init__()
        kernel = np.ascontiguousarray(tensors[f"{conv}/kernel"].transpose(3, 2, 0, 1))
        self.weight = nn.Parameter(torch.tensor(kernel))
        self.bias = nn.Parameter(torch.tensor(tensors[f"{conv}/bias"]))
        self.norm = Norm(tensors, norm)

    def forward(self, x: Tensor, before: int, after: int) -> Tensor:
        padded = functional.pad(x, (0, 0, before, after))
        return self.norm(torch.relu(functional.conv2d(padded, self.weight, self.bias)))


class Musicnn(nn.Module):
    """mel [B, T, 96] -> (embedding [B, 200], tags [B, 50])."""

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        super().__init__()

        def named(kind: str, number: int) -> str:
            return kind + (f"_{number}" if number else "")

        self.norm = Norm(tensors, named("batch_normalization", 0))
        self.convolutions = nn.ModuleList(
            Convolution(tensors, named("conv2d", k), named("batch_normalization", k + 1)) for k in range(8)
        )
        self.pool_norm = Norm(tensors, named("batch_normalization", 9))
        self.dense, self.out = (self._dense(tensors, named("dense", k)) for k in range(2))
        self.dense_norm = Norm(tensors, named("batch_normalization", 10))

    @staticmethod
    def _dense(tensors: dict[str, np.ndarray], name: str) -> nn.Linear:
        kernel = tensors[f"{name}/kernel"]
        layer = nn.Linear(*kernel.shape)
        layer.load_state_dict({"weight": torch.tensor(kernel.T.copy()), "bias": torch.tensor(tensors[f"{name}/bias"])})
        return layer

    def forward(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        x = self.norm(mel[:, None])
        tall, taller, *along, first, second, third = self.convolutions
        views = [convolution(x, 3, 3) for convolution in (tall, taller)]
        for convolution in along:  # TensorFlow's "same": one more after than before
            reach = convolution.get_parameter("weight").shape[2] - 1
            views.append(convolution(x, reach // 2, reach - reach // 2))
        front = torch.cat([view.amax(3) for view in views], 1)  # [B, 561, T]
        middle = [front]
        for convolution in (first, second, third):
            output = convolution(middle[-1].transpose(1, 2)[:, None], 3, 3)[:, :, :, 0]
            middle.append(output if len(middle) == 1 else output + middle[-1])
        features = torch.cat(middle, 1)
        pooled = torch.stack([features.amax(2), features.mean(2)], 2).flatten(1)
        embedding = self.dense_norm(torch.relu(self.dense(self.pool_norm(pooled))))
        return embedding, self.out(embedding)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    asked = parser.parse_args()
    tensors = read_checkpoint(asked.checkpoint)
    network = Musicnn(tensors).eval()
    changing = {name: {0: "batch"} for name in ("mel", "embedding", "tags")}
    write_onnx(network, {"mel": torch.zeros(2, 187, 96)}, ("embedding", "tags"), changing, asked.out, "fp16")
    print(f"{len(tensors)} tensors read; {asked.out}: {asked.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
