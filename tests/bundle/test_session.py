"""A network of a folder: its inputs and outputs by name, whichever names the file has."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from halfstep.bundle.session import OnnxNetwork
from halfstep.errors import InputError


def difference(first: str, second: str, output: str) -> bytes:
    """first - second, as ONNX: not the same either way round."""
    places = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3]) for name in (first, second, output)]
    graph = helper.make_graph([helper.make_node("Sub", [first, second], [output])], "g", places[:2], places[2:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


@pytest.mark.parametrize("names", [("found", "wanted", "found_after"), ("frames", "targets", "frames_after")])
def test_a_vocoder_exported_under_former_names_is_the_same_to_its_user(names: tuple[str, str, str]):
    network = OnnxNetwork(difference(*names), "bass.onnx", 1)
    network.expect({"frames": (2, 3), "targets": (2, 3)}, {"frames_after": (2, 3)})
    assert network.fixed_size("targets", 1) == 3
    inputs = {"targets": np.ones((2, 3), np.float32), "frames": np.full((2, 3), 5, np.float32)}
    np.testing.assert_array_equal(network(inputs, ["frames_after"])[0], np.full((2, 3), 4))


def test_another_name_is_refused():
    network = OnnxNetwork(difference("frames", "lines", "frames_after"), "bass.onnx", 1)
    with pytest.raises(InputError, match=r"its inputs are frames .*, lines .*, model.json implies .* targets"):
        network.expect({"frames": (2, 3), "targets": (2, 3)}, {"frames_after": (2, 3)})


@pytest.mark.parametrize("said", ["std::bad_alloc", "Failed to allocate memory for requested buffer of size 9"])
def test_too_little_memory_is_not_the_networks_fault(monkeypatch: pytest.MonkeyPatch, said: str):
    net = OnnxNetwork(difference("frames", "targets", "frames_after"), "net", 1)

    class Full:
        def run(self, *_: object) -> None:
            raise RuntimeError(f"[ONNXRuntimeError] : 6 : {said}")

    monkeypatch.setattr(net, "_session", Full())
    with pytest.raises(MemoryError, match=said):
        net({}, [])
