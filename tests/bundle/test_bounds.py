"""Small files that ask for a lot: tensors of any size out of none, hours of work. They end, and are named."""

import resource
import threading
import time
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from halfstep.bundle import bounds
from halfstep.bundle.onnx_bytes import onnx_problems
from halfstep.bundle.session import OnnxNetwork
from halfstep.errors import InputError

HUGE = 1 << 33
"""Numbers: 32 GiB of float32."""


def network(nodes: list[onnx.NodeProto], **constants: list[Any] | float) -> bytes:
    """x [16] -> y [16] = x + the mean of `big`, which the nodes make."""
    nodes = [
        *nodes,
        helper.make_node("ReduceMean", ["big"], ["r"], keepdims=0),
        helper.make_node("Add", ["x", "r"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes, "hostile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [16])],
        [
            numpy_helper.from_array(array.astype(np.float32) if array.dtype == np.float64 else array, name)
            for name, array in ((name, np.array(value)) for name, value in constants.items())
        ],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def node(kind: str, *inputs: str, to: str = "big", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(kind, list(inputs), [to], **attributes)


HOSTILE = {
    "ConstantOfShape": network([node("ConstantOfShape", "size")], size=[HUGE]),
    "Expand": network(
        [node("ReduceMean", "x", to="m", keepdims=1), node("Expand", "m", "size")], size=[HUGE // 64, 64]
    ),
    "Expand of a constant": network([node("Expand", "one", "size")], one=[1.0], size=[HUGE // 64, 64]),
    "Range": network([node("Range", "from", "to", "by")], **{"from": 0.0, "to": 1e10, "by": 1.0}),
    "Tile": network([node("Tile", "x", "times")], times=[HUGE // 16]),
    "Resize": network(
        [node("Reshape", "x", "shape", to="picture"), node("Resize", "picture", "", "", "size", mode="nearest")],
        shape=[1, 1, 4, 4], size=[1, 1, 1 << 17, 1 << 16],
    ),
    "Pad": network([node("Pad", "x", "ends")], ends=[0, HUGE]),
    "Concat of itself": network(
        [
            node("Concat", *["x" if k == 0 else f"c{k}"] * 128, axis=0, to="big" if k == 3 else f"c{k + 1}")
            for k in range(4)
        ]
    ),
    "outer product": network(
        [
            node("Tile", "x", "times", to="long"), node("Reshape", "long", "down", to="d"),
            node("Reshape", "long", "across", to="a"), node("MatMul", "d", "a"),
        ],
        times=[1 << 13], down=[-1, 1], across=[1, -1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_network_that_asks_for_more_than_there_is_for_it_is_named(name: str):
    assert onnx_problems(HOSTILE[name]) == []
    assert len(HOSTILE[name]) < 3000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.monotonic()
    with pytest.raises(InputError, match=r"^net: (fails while it runs|ONNX Runtime refuses it) \(.*; "):
        OnnxNetwork(HOSTILE[name], "net", 1)({"x": np.ones(16, np.float32)}, ["y"])
    assert time.monotonic() - began < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < bounds.MOST_BYTES / 1024


def test_a_call_without_end_is_ended(monkeypatch: pytest.MonkeyPatch):
    steps = [node("Sin", f"s{k}", to="big" if k == 3999 else f"s{k + 1}") for k in range(4000)]
    slow = OnnxNetwork(network([node("Tile", "x", "times", to="s0"), *steps], times=[1 << 17]), "net", 1)
    monkeypatch.setattr(bounds, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(bounds, "LOOKS_EVERY_SECONDS", 0.05)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"net: fails while it runs \(it takes more than .* s\)"):
        slow({"x": np.ones(16, np.float32)}, ["y"])
    assert time.monotonic() - began < 10


def test_a_loading_without_end_is_ended(monkeypatch: pytest.MonkeyPatch):
    constant = [node("Sin", f"s{k}", to=f"s{k + 1}") for k in range(200)]
    nodes = [node("Tile", "one", "times", to="s0"), *constant, node("Identity", "s200")]
    data = network(nodes, one=[1.0] * 16, times=[1 << 17])
    monkeypatch.setattr(bounds, "MOST_SECONDS", 0.2)
    monkeypatch.setattr(bounds, "LOOKS_EVERY_SECONDS", 0.05)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"net: ONNX Runtime refuses it \(it takes more than .* s\)"):
        OnnxNetwork(data, "net", 1)
    assert time.monotonic() - began < 10
    for thread in threading.enumerate():
        if thread.name == "loading a network":
            thread.join(60)
            assert not thread.is_alive()


def test_calls_beside_each_other_are_watched_apart():
    small = OnnxNetwork(network([node("Neg", "x")]), "net", 1)
    threads = [
        threading.Thread(target=lambda: [small({"x": np.ones(16, np.float32)}, ["y"]) for _ in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bounds.WATCH._calls == {}
