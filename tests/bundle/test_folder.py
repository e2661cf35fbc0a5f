"""A model folder is used only where every byte is the declared one and every shape the implied one."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from halfstep.bundle import load_folder, open_folder, read_manifest, verify, write_manifest
from halfstep.errors import InputError

WriteModel = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path, write_model: WriteModel) -> Path:
    return write_model(tmp_path / "model")


def test_the_denoiser_gives_the_networks_v(tiny_model: Path):
    """Data ~ N(0, 1/4), z_t at alpha = .6, sigma = .8: v = .48 * .75 / .73 z, and the hint of the context."""
    opened = open_folder(tiny_model)
    z_t = np.random.default_rng(0).standard_normal((3, 24, 8), np.float32)
    aligned = np.zeros((3, 27, 8), np.float32)
    v = opened.denoiser(4)(z_t, 0.6, 0.8, aligned)
    np.testing.assert_allclose(v, 0.48 * 0.75 / 0.73 * z_t, rtol=1e-5)
    np.testing.assert_allclose(opened.denoiser(4)(z_t, 0.6, 0.8, aligned + 1), v + 0.01, rtol=1e-5, atol=1e-6)


def test_a_model_without_context_is_shown_none(tmp_path: Path, write_model: WriteModel):
    opened = open_folder(write_model(tmp_path / "m", context=False, packing="none"))
    assert opened.manifest.aligned_channels == 0
    assert opened.denoiser(1)(np.ones((1, 8, 24), np.float32), 0.6, 0.8).shape == (1, 8, 24)


def test_steps_it_does_not_serve_are_refused_by_name(tiny_model: Path):
    with pytest.raises(InputError, match=r"^steps 3: model tiny-gauss serves 1, 4; choose one of the"):
        open_folder(tiny_model).denoiser(3)


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def lengthen(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def pickle_instead(path: Path) -> None:
    path.write_bytes(b"\x80\x04cos\nsystem\n.".ljust(path.stat().st_size, b"\0"))


def link_outside(path: Path) -> None:
    outside = path.parent.parent / "outside.onnx"
    path.rename(outside)
    path.symlink_to(outside)


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (flip_a_bit, "its sha256 is not the one in model.json"),
        (pickle_instead, "its sha256 is not the one in model.json"),
        (cut_short, r"bytes, model\.json says \d+"),
        (lengthen, r"bytes, model\.json says \d+"),
        (link_outside, "leads out of the model folder"),
        (fifo, "missing"),
        (Path.unlink, "missing"),
    ],
)
def test_a_file_that_is_not_the_declared_one_is_refused(folder: Path, harm: Callable[[Path], None], reason: str):
    harm(folder / "denoiser-4.onnx")
    with pytest.raises(InputError, match=rf"denoiser-4\.onnx: .*{reason}"):
        open_folder(folder).denoiser(4)
    problems = verify(folder)
    assert len(problems) == 1
    assert "denoiser-4.onnx" in problems[0]


def test_a_harmed_file_does_not_hinder_the_others(folder: Path):
    flip_a_bit(folder / "denoiser-4.onnx")
    z_t = np.zeros((1, 24, 8), np.float32)
    v = open_folder(folder).denoiser(1)(z_t, 0.0, 1.0, np.zeros((1, 27, 8), np.float32))
    np.testing.assert_array_equal(v, z_t)


def describe_again(folder: Path, **members: object) -> None:
    """Overwrite members of model.json and leave the rest."""
    value = json.loads((folder / "model.json").read_text()) | members
    (folder / "model.json").write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("members", "found", "implied"),
    [
        ({"packing": "none"}, r"z_t tensor\(float\)\[any, 24, 8\]", r"z_t tensor\(float\)\[any, 8, 24\]"),
        ({"frames": 12}, r"v tensor\(float\)\[any, 24, 8\]|z_t", r"\[any, 24, 4\]"),
        ({"context": False}, r"aligned tensor\(float\)\[any, 27, 8\]", "alpha"),
    ],
)
def test_a_network_that_disagrees_is_refused_with_both_shapes(folder: Path, members: dict, found: str, implied: str):
    describe_again(folder, **members)
    with pytest.raises(InputError, match=rf"inputs are .*({found}).*model\.json implies .*{implied}"):
        open_folder(folder).denoiser(4)
    assert len(verify(folder)) == 2


def replace_network(folder: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    path = folder / "denoiser-4.onnx"
    model = onnx.load(path)
    change(model)
    onnx.save(model, path)
    write_manifest(folder, read_manifest(folder))


def fixed_batch(model: onnx.ModelProto) -> None:
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_value = 2


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "LaunchMissiles"


def infinite_weight(model: onnx.ModelProto) -> None:
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "rest")
    weight.raw_data = np.array([np.inf], np.float32).tobytes()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (fixed_batch, r"z_t tensor\(float\)\[2, 24, 8\]"),
        (unknown_operator, "has the operator .*LaunchMissiles"),
        (infinite_weight, "gives values that are not finite"),
    ],
)
def test_a_network_that_cannot_work_is_refused(folder: Path, change: Callable, reason: str):
    replace_network(folder, change)
    problems = verify(folder)
    assert len(problems) == 1
    assert "denoiser-4.onnx" in problems[0]
    with pytest.raises(InputError, match=reason):
        open_folder(folder).denoiser(4)(np.ones((1, 24, 8), np.float32), 0.5, 0.5, np.zeros((1, 27, 8), np.float32))


def test_a_whole_folder_has_no_problems(tiny_model: Path):
    assert verify(tiny_model) == []


def test_what_is_not_a_model_folder_is_one_problem(tmp_path: Path):
    assert len(verify(tmp_path)) == 1
    assert "No such file" in verify(tmp_path)[0]


def test_a_model_is_found_by_its_id(monkeypatch: pytest.MonkeyPatch, tiny_model: Path):
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    assert load_folder("tiny-gauss").path == tiny_model


def test_a_model_is_found_by_its_folder(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    assert load_folder(tiny_model).manifest.id == "tiny-gauss"
    monkeypatch.chdir(tiny_model.parent)
    assert load_folder(tiny_model.name).manifest.id == "tiny-gauss"


@pytest.mark.parametrize("name", ["nobody", "../nobody", "/nobody/here", "a\0b"])
def test_an_unknown_model_is_refused_with_what_is_installed(
    name: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    with pytest.raises(InputError, match=r"neither a folder nor an installed model \(installed: .*tiny-gauss"):
        load_folder(name)


def test_a_broken_installed_model_hides_no_other(
    tmp_path: Path, write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
):
    (write_model(tmp_path / "a") / "model.json").write_text("{}")
    write_model(tmp_path / "b", id="whole")
    monkeypatch.setenv("HALFSTEP_MODELS", str(tmp_path))
    assert load_folder("whole").path == tmp_path / "b"
