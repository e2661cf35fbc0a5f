"""VGGish and CLAP from weights files: tiny networks made here; what is no weights file is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file

from halfstep.errors import InputError
from halfstep.metrics.judges.embedding import (
    CLAP_SAMPLES,
    clap,
    embedding,
    vggish,
)
from halfstep.metrics.judges.vggish_mel import VGGISH_SAMPLES, htk_filters, vggish_mel
from halfstep.metrics.judges.vggish_net import VggishNet


def mean_network(path: Path, shape: list[int], features: int) -> str:
    """The mean of the input, `features` times over."""
    axes = list(range(1, len(shape) + 1))
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], axes=axes, keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
        helper.make_node("Expand", ["column", "row"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", features])],
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("row", TensorProto.INT64, [2], [1, features]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return str(path)


def test_vggish_front_end():
    """A tone of 1 kHz is loudest in the band whose triangle peaks nearest to it; silence is log .01."""
    assert htk_filters().shape == (64, 257)
    assert htk_filters()[:, 0].max() == 0
    time = np.arange(VGGISH_SAMPLES) / 16000
    seen = vggish_mel(np.sin(2 * np.pi * 1000 * time).astype(np.float32))
    assert seen.shape == (1, 96, 64)
    lowest, highest = 1127 * np.log1p(np.array([125, 7500]) / 700)
    centres = 700 * np.expm1(np.linspace(lowest, highest, 66)[1:-1] / 1127)
    assert np.abs(centres - 1000).argmin() == seen[0].mean(0).argmax()
    np.testing.assert_allclose(vggish_mel(np.zeros(VGGISH_SAMPLES, np.float32)), np.log(0.01), rtol=1e-6)


def test_vggish_from_onnx(tmp_path: Path):
    network = vggish(mean_network(tmp_path / "vggish.onnx", [1, 96, 64], 128))
    windows = np.random.default_rng(0).standard_normal((2, 2 * VGGISH_SAMPLES)).astype(np.float32)
    result = network.embed(windows)
    assert result.shape == (2, 2, 128)
    np.testing.assert_allclose(result[1, 0, 5], vggish_mel(windows[1, :VGGISH_SAMPLES]).mean(), rtol=1e-4)


def test_vggish_from_safetensors(tmp_path: Path):
    torch.manual_seed(0)
    net = VggishNet(widths=((2,), (3,), (4, 4), (5, 5)), dense=(8, 8, 6)).eval()
    save_file(net.state_dict(), tmp_path / "vggish.safetensors")
    windows = np.random.default_rng(0).standard_normal((2, VGGISH_SAMPLES)).astype(np.float32)
    result = embedding(f"vggish={tmp_path / 'vggish.safetensors'}").embed(windows)
    seen = torch.from_numpy(np.stack([vggish_mel(window) for window in windows]))
    np.testing.assert_allclose(result[:, 0], net(seen).detach().numpy(), atol=1e-6)


def test_clap_hears_ten_seconds_of_a_repeated_window(tmp_path: Path):
    network = embedding(f"clap={mean_network(tmp_path / 'clap.onnx', [CLAP_SAMPLES], 512)}")
    assert network.sample_rate == 48000
    window = np.concatenate([np.ones(60000), np.zeros(60000)]).astype(np.float32)[None]
    result = network.embed(window)
    assert result.shape == (1, 1, 512)
    np.testing.assert_allclose(result, 0.5, atol=1e-3)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("vggish=absent.onnx", "no such file"),
        ("clap=hub:owner", "expected hub:OWNER/NAME/FILE"),
        ("openl3=file.onnx", "embedding openl3=file.onnx: give musicnn"),
        ("vggish", "give musicnn"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_line(asked: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=said):
        embedding(asked)


@pytest.mark.parametrize(("load", "name"), [(vggish, "a.onnx"), (clap, "a.onnx"), (vggish, "a.safetensors")])
def test_a_file_that_is_no_network_is_refused(load, name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(b"no weights at all, but long enough to be read")
    with pytest.raises(InputError, match=name):
        load(str(tmp_path / name))


def test_the_hub_is_asked_only_with_its_client(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match="huggingface_hub is not installed"):
        vggish("hub:owner/name/vggish.onnx")
