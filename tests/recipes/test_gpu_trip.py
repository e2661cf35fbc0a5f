"""Carried, trained away from home in a given time, brought back and exported: three recipes in a row, in seconds."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from halfstep.bundle import load_folder
from halfstep.data.carried import read_carried
from halfstep.errors import InputError
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.runs.distill import finished_rungs
from halfstep.runs.export_model import Card, ExportConfig, export_run
from halfstep.runs.presets import PRESETS
from halfstep.runs.run_folder import open_run
from halfstep.tasks.music.task import MusicConfig
from halfstep.training.ladder import DistillConfig

RECIPES = Path(__file__).parents[2] / "recipes" / "models"


@pytest.fixture(scope="module", autouse=True)
def tiny_preset() -> Iterator[None]:
    """A preset `pocket`, of components, that trains in a moment; and the recipes on the path."""
    experiment = dataclasses.replace(
        PRESETS["tiny"](),
        name="pocket",
        net=UNet1dConfig(widths=(16, 16), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=8),
        task=MusicConfig(frames=24, packing="components", components=16, patch_frames=4),
        distill=DistillConfig(start_steps=4, updates=2, batch_size=4),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "pocket", lambda: experiment)
        patch.syspath_prepend(RECIPES)
        yield


@pytest.fixture(scope="module")
def carried(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import carry

    file = tmp_path_factory.mktemp("carried") / "c.npz"
    assert carry.main([str(library), str(file), "--preset", "pocket"]) == 0
    return file


@pytest.fixture(scope="module")
def files(carried: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a trip of some seconds leaves."""
    import gpu_trip

    folder = tmp_path_factory.mktemp("trip")
    words = [
        str(carried), str(folder / "out"), "--seconds", "4", "--preset", "pocket", "--work", str(folder / "work"),
        "--batch", "4", "--precision", "fp32", "--no-compile", "--device", "cpu", "--log-every", "5",
    ]  # fmt: skip
    assert gpu_trip.main(words) == 0
    return folder / "out"


def test_what_is_carried_has_the_presets_components(carried: Path, library: Path, capsys: pytest.CaptureFixture[str]):
    import carry

    assert read_carried(carried).components.count == 16
    assert carry.main([str(library), str(carried.with_name("x.npz")), "--preset", "tiny"]) == 2
    assert "carry: --preset tiny: its packing is patch, which has no components" in capsys.readouterr().err


def test_a_trip_leaves_a_teacher_and_every_rung_in_bytes(files: Path):
    assert {path.name for path in files.iterdir()} == {
        f"model-{name}.0.safetensors" for name in ("teacher", "0002", "0001")
    }
    weights = load_file(files / "model-0001.0.safetensors")
    assert {tensor.dtype for name, tensor in weights.items() if tensor.dim() > 1} == {torch.int8}
    assert any(tensor.any() for tensor in weights.values())


@pytest.mark.parametrize(("half", "error"), [(True, 1e-3), (False, 1 / 254)])
def test_weights_larger_than_a_file_may_be_lie_in_several_and_come_back(
    half: bool, error: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """In bytes, every weight within half a step of a 127th of its row's largest."""
    import weight_parts

    network = torch.nn.Sequential(*(torch.nn.Linear(10, 10) for _ in range(4)))
    monkeypatch.setattr(weight_parts, "LARGEST_FILE", 500)
    weight_parts.save_in_parts(network, tmp_path / "n", half)
    assert len(list(tmp_path.iterdir())) > 1
    assert all(path.stat().st_size < 500 + 1000 for path in tmp_path.iterdir())
    back = weight_parts.whole(tmp_path, "n")
    assert back.keys() == network.state_dict().keys()
    for name, tensor in network.state_dict().items():
        largest = tensor.abs().amax(-1, keepdim=True)
        assert ((back[name] - tensor).abs() <= largest * error * 1.01).all(), name


def test_what_is_brought_back_is_a_run_that_is_exported(files: Path, carried: Path, library: Path, tmp_path: Path):
    """The model's network is the trip's own, its components those that were carried."""
    import bring_back
    import weight_parts

    words = [str(files), str(library), str(tmp_path / "run"), "--preset", "pocket", "--carried", str(carried)]
    assert bring_back.main(words) == 0
    jumping = export_run(tmp_path / "run", tmp_path / "jump", Card(id="jump"), ExportConfig(steps=(2,), jump=True))
    assert [(one.steps, one.file, one.respacing) for one in jumping.denoisers] == [(1, "denoiser-1.onnx", "jump")]
    with pytest.raises(InputError, match="leaves the student of 2 steps no number"):
        export_run(tmp_path / "run", tmp_path / "both", Card(id="both"), ExportConfig(steps=(2, 1), jump=True))
    with open_run(tmp_path / "run") as run:
        assert list(finished_rungs(run)) == [2, 1]
        student, wanted = finished_rungs(run)[1](), weight_parts.whole(files, "model-0001")
        for name, tensor in student.state_dict().items():
            torch.testing.assert_close(tensor, wanted[name], rtol=0, atol=0)
        run.teacher()
    manifest = export_run(tmp_path / "run", tmp_path / "model", Card(id="pocket"))
    assert (manifest.packing, manifest.channels, manifest.steps) == ("components", 16, (1,))
    components = load_folder(str(tmp_path / "model")).packing.components
    assert components is not None
    np.testing.assert_array_equal(components.matrix, read_carried(carried).components.matrix)


def test_what_does_not_fit_is_refused_in_one_line(
    files: Path, carried: Path, library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    import bring_back
    import gpu_trip

    assert gpu_trip.main([str(carried), str(tmp_path / "o"), "--preset", "flagship", "--device", "cpu"]) == 2
    assert "carries MelConfig" in capsys.readouterr().err
    assert gpu_trip.main([str(tmp_path / "none.npz"), str(tmp_path / "o"), "--preset", "pocket"]) == 2
    assert "none.npz: not a carried data set" in capsys.readouterr().err
    words = [str(files), str(library), str(tmp_path / "run"), "--name", "other", "--preset", "pocket"]
    assert bring_back.main(words) == 2
    assert "no other-teacher.0.safetensors; name the folder" in capsys.readouterr().err
    assert bring_back.main([str(files), str(library), str(tmp_path / "run"), "--preset", "tiny"]) == 2
    assert capsys.readouterr().err.startswith("bring_back: ")
