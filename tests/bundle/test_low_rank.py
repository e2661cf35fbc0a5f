"""A network kept as a change of another is the network that was meant, and nothing else is taken for one."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from halfstep.bundle import DenoiserFile, open_folder, read_manifest, verify, write_manifest
from halfstep.bundle.low_rank import Change, Thin, changed_network, read_change, write_change
from halfstep.errors import InputError
from halfstep.export.onnx_writing import write_onnx

RNG = np.random.default_rng(5)
WEIGHT = "0.weight"


def thin(rank: int, rows: int, columns: int) -> Thin:
    up, down = (RNG.integers(-7, 8, (rank, size)).astype(np.int8) for size in (rows, columns))
    return Thin(up=up, down=down, scale=RNG.uniform(0.01, 0.02, rank).astype(np.float32))


def a_change() -> Change:
    """Of rank 2 of a weight [96, 64] and of rank 1 of one [3, 6], whose levels are odd in number, and of a bias."""
    return Change(
        thin={WEIGHT: thin(2, 96, 64), "odd": thin(1, 3, 6), "none": thin(0, 4, 2)},
        vectors={"0.bias": np.linspace(-1, 1, 96, dtype=np.float32)},
    )


def test_a_matrix_is_the_sum_of_its_products():
    part = Thin(
        up=np.array([[7, -1], [0, 2]], np.int8), down=np.array([[1, 2, 3], [-7, 0, 7]], np.int8),
        scale=np.array([0.5, 10], np.float32),
    )  # fmt: skip
    assert part.matrix.tolist() == [[3.5, 7, 10.5], [-140.5, -1, 138.5]]


def test_what_is_written_is_read():
    change = a_change()
    read = read_change(write_change(change), "x")
    assert list(read.thin) == list(change.thin)
    for name, part in change.thin.items():
        np.testing.assert_array_equal(read.thin[name].matrix, part.matrix)
    np.testing.assert_allclose(read.vectors["0.bias"], change.vectors["0.bias"], atol=1e-3)


def test_a_number_takes_half_a_byte():
    size = len(write_change(Change(thin={"w": thin(100, 300, 700)}, vectors={})))
    assert 50_000 < size < 50_000 + 100 * 4 + 1500


@pytest.mark.parametrize(("weights", "off"), [("fp32", 1e-6), ("int8", 0.51 / 127)])
def test_the_changed_file_is_that_of_the_other_network(weights: str, off: float, tmp_path: Path):
    change = a_change()
    layer = nn.Linear(64, 96)
    network = nn.Sequential(layer)
    write_onnx(network, {"x": torch.zeros(1, 64)}, ("y",), {}, tmp_path / "first.onnx", weights)
    said = replace(change, thin={WEIGHT: change.thin[WEIGHT]})
    changed = changed_network((tmp_path / "first.onnx").read_bytes(), said, "x")
    onnx.checker.check_model(onnx.load_from_string(changed), full_check=True)
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    held = {part.name: numpy_helper.to_array(part) for part in onnx.load_from_string(changed).graph.initializer}
    result = held[WEIGHT] if weights == "fp32" else held[f"{WEIGHT}.packed"] * held[f"{WEIGHT}.scale"]
    meant = weight + said.thin[WEIGHT].matrix
    largest = sum(np.abs(part).max(axis=1, keepdims=True) for part in (weight, meant))  # it is rounded twice
    assert (np.abs(result - meant) <= off * largest).all()
    np.testing.assert_allclose(held["0.bias"], bias + said.vectors["0.bias"], atol=1e-6)


def test_a_model_folder_plays_it(tmp_path: Path, write_model: Callable[..., Path]):
    """A hundredth of what is known is added to the tiny network's v; the change makes it three hundredths."""
    folder = write_model(tmp_path / "model")
    change = Change(thin={}, vectors={"hundredth": np.array([0.02], np.float32)})
    (folder / "fewer.npz").write_bytes(write_change(change))
    four = read_manifest(folder).denoiser(4)
    assert four is not None
    write_manifest(
        folder,
        replace(read_manifest(folder), denoisers=(four, DenoiserFile(steps=1, file=four.file, change="fewer.npz"))),
    )
    assert verify(folder) == []
    opened = open_folder(folder)
    z_t, known = np.zeros((1, 24, 8), np.float32), np.ones((1, 27, 8), np.float32)
    np.testing.assert_allclose(opened.denoiser(four.steps)(z_t, 0.6, 0.8, known), 0.01, rtol=1e-4)
    np.testing.assert_allclose(opened.denoiser(1)(z_t, 0.6, 0.8, known), 0.03, rtol=1e-3)
    (folder / "fewer.npz").unlink()
    assert "fewer.npz: missing" in verify(folder)[0]


TABLE = {"thin": {"hundredth": [1, 1, 1]}, "vectors": {"s2": 1}}
BYTES, SCALES, HALVES = np.zeros(1, np.uint8), np.zeros(1, np.float32), np.zeros(1, np.float16)


def _with(
    table: object = TABLE, levels: np.ndarray = BYTES, scales: np.ndarray = SCALES, vectors: np.ndarray = HALVES
) -> bytes:
    """A file one of whose parts is what it should not be."""
    file, letters = io.BytesIO(), np.frombuffer(json.dumps(table).encode(), np.uint8)
    np.savez(file, table=letters, levels=levels, scales=scales, vectors=vectors)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"PK nothing", _with(levels=np.zeros(0, np.uint8)), _with(levels=np.zeros(1, np.int64)),
        _with(scales=np.array([np.nan], np.float32)), _with(vectors=np.array([np.inf], np.float16)),
        _with(table={"thin": {"hundredth": [-1, -1, 1]}, "vectors": {}}), _with(table={"thin": {"a": [10**9, 2, 2]}}),
        _with(table={"vectors": {"s2": "1"}, "thin": {}}), _with(table=[]),
    ],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_by_name(data: bytes):
    with pytest.raises(InputError, match=r"^it\.npz: not the change of a network"):
        read_change(data, "it.npz")


@pytest.mark.parametrize(
    "vectors", [{"absent": np.zeros(1, np.float32)}, {"hundredth": np.zeros(2, np.float32)}, {"column": np.zeros(3)}]
)
def test_a_change_of_another_network_is_refused_by_name(vectors: Mapping[str, np.ndarray], tiny_model: Path):
    network = next(tiny_model.glob("*.onnx")).read_bytes()
    small = {name: value.astype(np.float32) for name, value in vectors.items()}
    with pytest.raises(InputError, match=r"^it\.npz: does not fit the network"):
        changed_network(network, Change(thin={}, vectors=small), "it.npz")
