"""ONNX read without the onnx package: what is refused, and that nothing else is."""

import tracemalloc
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from halfstep.bundle import onnx_bytes
from halfstep.bundle.onnx_bytes import OPERATORS, onnx_problems


def adding(weights: np.ndarray, domain: str = "") -> onnx.ModelProto:
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"], domain=domain)],
        "adding",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, weights.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, weights.shape)],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)])


def branching(inner: onnx.TensorProto) -> onnx.ModelProto:
    """A tensor two levels down, in a branch of an If."""
    constant = helper.make_node("Constant", [], ["c"], value=inner)
    branch = helper.make_graph([constant], "branch", [], [helper.make_tensor_value_info("c", 1, [4])])
    choose = helper.make_node("If", ["b"], ["y"], then_branch=branch, else_branch=branch)
    condition = helper.make_tensor_value_info("b", TensorProto.BOOL, [])
    graph = helper.make_graph([choose], "g", [condition], [helper.make_tensor_value_info("y", 1, [4])])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])


def test_a_plain_model_has_no_problems(tiny_model: Path):
    assert onnx_problems((tiny_model / "denoiser-4.onnx").read_bytes()) == []


def test_weights_in_another_file_are_found(tmp_path: Path):
    model = adding(np.ones(2000, np.float32))
    external_data_helper.convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
    onnx.save(model, tmp_path / "m.onnx")
    assert onnx_problems((tmp_path / "m.onnx").read_bytes()) == ["has weights in another file"]


def test_graphs_inside_nodes_are_not_even_looked_into():
    problems = onnx_problems(branching(numpy_helper.from_array(np.ones(4, np.float32))).SerializeToString())
    assert "has the operator 'If', which no model of halfstep needs" in problems
    assert "has a graph inside a node" in problems


@pytest.mark.parametrize(
    "operator", ["Loop", "Scan", "SequenceMap", "RandomNormal", "ImageDecoder", "StringConcat", "No\x1b[31mSuch", ""]
)
def test_operators_that_are_not_on_the_list_are_found_and_escaped(operator: str):
    model = adding(np.ones(3, np.float32))
    model.graph.node[0].op_type = operator
    problems = onnx_problems(model.SerializeToString())
    assert problems == [f"has the operator {operator!a}, which no model of halfstep needs"]


def test_functions_of_a_model_are_found():
    model = adding(np.ones(3, np.float32))
    model.functions.add(name="f", domain="")
    assert onnx_problems(model.SerializeToString()) == ["has functions"]


def test_every_operator_of_the_list_is_onnx_s_own():
    known = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert known >= OPERATORS


def test_too_many_tiny_fields_are_refused_in_the_memory_of_the_file(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(onnx_bytes, "MOST_FIELDS", 10_000)
    data = b"\x40\x01" * (1 << 20)
    tracemalloc.start()
    problems = onnx_problems(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert problems == ["not an ONNX file (more than 10000 fields)"]
    assert peak < 100_000


def test_weights_that_are_no_numbers_are_found_among_plain_fields_too():
    model = adding(np.ones(3, np.float32))
    del model.graph.initializer[:]
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [3], [1.0, float("nan"), 1.0]))
    assert onnx_problems(model.SerializeToString()) == ["has weights that are not numbers"]


def test_a_foreign_domain_is_found():
    problems = onnx_problems(adding(np.ones(3, np.float32), "com.evil").SerializeToString())
    assert problems == ["has operators of the domain 'com.evil'"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_weights_that_are_not_numbers_are_found(dtype: type):
    weights = np.ones(9, dtype)
    weights[5] = np.nan
    assert onnx_problems(adding(weights).SerializeToString()) == ["has weights that are not numbers"]


@given(cut=st.integers(0, 500))
def test_a_file_cut_short_is_refused_or_shorter_than_a_field(tiny_model: Path, cut: int):
    data = (tiny_model / "denoiser-4.onnx").read_bytes()
    problems = onnx_problems(data[: cut % len(data)])
    assert problems in ([], ["not an ONNX file (cut short)"])


@given(data=st.binary(max_size=300))
def test_random_bytes_never_raise(data: bytes):
    assert isinstance(onnx_problems(data), list)


def test_a_number_without_end_is_refused():
    assert onnx_problems(b"\xff" * 40) == ["not an ONNX file (a number without end)"]
