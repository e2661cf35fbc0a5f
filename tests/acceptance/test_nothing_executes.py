"""A pickle, under any name that data sets, runs and models have, is refused and never run."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfstep.app.cli import run


class Trap:
    """What makes a file when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable, tuple]:
        return Path.touch, (self.sprung,)


@pytest.fixture
def trap(tmp_path: Path) -> bytes:
    """A pickle that would leave a file `sprung`."""
    content = pickle.dumps(Trap(tmp_path / "sprung"))
    pickle.loads(content)
    assert (tmp_path / "sprung").exists()  # it works, where somebody falls into it
    (tmp_path / "sprung").unlink()
    return content


def vouched(path: Path, content: bytes, **notes: object) -> None:
    """Write it with the note beside it that ours have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    note = {**notes, "sha256": hashlib.sha256(content).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(note))


@pytest.mark.parametrize("name", ["tracks/0.npy", "dataset.json"])
def test_in_a_data_set(name: str, trap: bytes, library: Path, command: Callable, tmp_path: Path):
    data = tmp_path / "data"
    shutil.copytree(library, data)
    (data / name).write_bytes(trap)
    assert run(command(data, tmp_path / "run", 1)) == 2
    assert not (tmp_path / "sprung").exists()


def test_an_array_of_objects_in_a_data_set(library: Path, command: Callable, tmp_path: Path):
    """NumPy's own way of holding a pickle."""
    data = tmp_path / "data"
    shutil.copytree(library, data)
    np.save(data / "tracks" / "0.npy", np.array([[Trap(tmp_path / "sprung")]], dtype=object))
    assert run(command(data, tmp_path / "run", 1)) == 2
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["config.json", "teacher.safetensors"])
def test_in_a_run(name: str, trap: bytes, library: Path, command: Callable, tmp_path: Path):
    made = tmp_path / "run"
    assert run(command(library, made, 1)) == 0
    if name.endswith(".json"):
        (made / name).write_bytes(trap)
    else:
        vouched(made / name, trap, steps=1, figures={})
    assert run(["distill", str(made), "--to", "8"]) == 2
    assert run(["generate", str(tmp_path / "a.wav"), "--model", str(made), "--seconds", "1"]) == 2
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "a.wav").exists()


def test_in_a_checkpoint(trap: bytes, library: Path, command: Callable, tmp_path: Path):
    """It is named, and the one before is taken: here there is none, so training begins."""
    made = tmp_path / "run"
    vouched(made / "checkpoints" / "step-00000001.safetensors", trap, step=1, counts={})
    (made / ".halfstep").write_text("run\n")
    assert run(command(library, made, 2)) == 0
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["model.json", "denoiser-4.onnx", "denoiser-1.onnx"])
def test_in_a_model(name: str, trap: bytes, write_model: Callable, tmp_path: Path):
    model = write_model(tmp_path / "model")
    if name.endswith(".onnx"):
        text = (model / "model.json").read_text()
        was = hashlib.sha256((model / name).read_bytes()).hexdigest()
        assert was in text
        (model / "model.json").write_text(text.replace(was, hashlib.sha256(trap).hexdigest()))
    (model / name).write_bytes(trap)
    steps = "1" if name == "denoiser-1.onnx" else "4"
    words = ["generate", str(tmp_path / "a.wav"), "--model", str(model), "--seconds", "1", "--steps", steps]
    assert run(words) == 2
    assert not (tmp_path / "sprung").exists()
    assert not (tmp_path / "a.wav").exists()
