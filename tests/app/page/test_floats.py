"""Networks without doubles give what they gave, and have none; what is no plain cast keeps its doubles."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import halfstep
from halfstep.app.page.floats import without_doubles


def doubles(network: bytes) -> int:
    """How many tensors of double there are among constants and weights."""
    graph = onnx.load_from_string(network).graph
    constants = [one.t for node in graph.node if node.op_type == "Constant" for one in node.attribute]
    return sum(one.data_type == TensorProto.DOUBLE for one in (*constants, *graph.initializer))


def test_the_networks_of_the_package_have_none_left_and_the_same_weights():
    folder = halfstep.load().folder
    for name in (one.file for one in folder.manifest.denoisers):
        data = folder.read(name)
        changed = without_doubles(data)
        onnx.checker.check_model(onnx.load_from_string(changed))
        assert doubles(changed) == 0
        before, after = (onnx.load_from_string(one).graph for one in (data, changed))
        assert list(before.initializer) == list(after.initializer)
        assert len(before.node) == len(after.node)


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize(("kind", "left"), [(TensorProto.FLOAT, 0), (TensorProto.INT64, 1)])
def test_a_constant_that_is_cast_gives_the_same_bits(raw: bool, kind: int, left: int):
    values = np.array([1 / 3, 2.7, -1e-3])
    held = numpy_helper.from_array(values) if raw else helper.make_tensor("", TensorProto.DOUBLE, [3], values)
    network = of(
        [helper.make_node("Constant", [], ["c"], value=held), helper.make_node("Cast", ["c"], ["y"], to=kind)], kind
    )
    changed = without_doubles(network)
    assert doubles(network) == 1
    assert doubles(changed) == left
    one, other = (onnxruntime.InferenceSession(data).run(None, {})[0] for data in (network, changed))
    np.testing.assert_array_equal(one, other)


def test_a_constant_that_is_used_otherwise_stays():
    held = numpy_helper.from_array(np.array([1 / 3]))
    nodes = [
        helper.make_node("Constant", [], ["c"], value=held),
        helper.make_node("Mul", ["c", "c"], ["square"]),
        helper.make_node("Cast", ["c"], ["one"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["square"], ["other"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["one", "other"], ["y"]),
    ]
    network = of(nodes, TensorProto.FLOAT)
    assert without_doubles(network) == network


def of(nodes: list[onnx.NodeProto], kind: int) -> bytes:
    """A network of these nodes, which gives `y`."""
    graph = helper.make_graph(nodes, "some", [], [helper.make_tensor_value_info("y", kind, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return model.SerializeToString()
