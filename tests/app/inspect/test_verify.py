"""`halfstep verify`: what a folder is, and what in it is not whole."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.app.cli import run


def test_a_whole_model(tiny_model: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["verify", str(tiny_model)]) == 0
    assert capsys.readouterr().out == f"{tiny_model}: model, whole\n"


def test_an_installed_model_by_its_id(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    assert run(["verify", "tiny-gauss"]) == 0
    assert capsys.readouterr().out == f"{tiny_model}: model, whole\n"


def test_a_harmed_model(tmp_path: Path, write_model, capsys: pytest.CaptureFixture[str]):
    model = write_model(tmp_path / "m")
    (model / "denoiser-1.onnx").unlink()
    assert run(["verify", str(model), "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["kind"] == "model"
    assert len(answer["problems"]) == 1
    assert "denoiser-1.onnx: missing" in answer["problems"][0]


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_is_none_of_these_is_refused(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "empty").mkdir()
    assert run(["verify", str(tmp_path / name)]) == 2
    assert "neither a model nor a data set nor a run" in capsys.readouterr().err


@pytest.fixture
def data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """Two short recordings, prepared by the command itself."""
    (tmp_path / "audio").mkdir()
    for number in range(2):
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, 6 * 44100)
        soundfile.write(tmp_path / "audio" / f"{number}.wav", noise, 44100)
    out = tmp_path / "data"
    assert run(["prepare", str(tmp_path / "audio"), "--out", str(out), "--workers", "1"]) == 0
    assert "2 files found, 2 used" in capsys.readouterr().out
    return out


def harm_shape(track: Path) -> None:
    np.save(track, np.load(track)[:-1])


def harm_values(track: Path) -> None:
    frames = np.load(track)
    frames[7, 7] = np.nan
    np.save(track, frames)


def harm_a_bit(track: Path) -> None:
    content = bytearray(track.read_bytes())
    content[5001] ^= 0x10
    track.write_bytes(content)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (harm_shape, "declared"),
        (harm_values, "not finite"),
        (Path.unlink, "No such file"),
        (lambda track: track.write_bytes(track.read_bytes()[:5000]), "prepare again"),
        (lambda track: track.write_bytes(b""), "prepare again"),
        (harm_a_bit, "does not match its checksum; prepare again"),
    ],
)
def test_a_data_set(data_set: Path, harm, said: str, capsys: pytest.CaptureFixture[str]):
    assert run(["verify", str(data_set)]) == 0
    assert capsys.readouterr().out == f"{data_set}: data set, whole\n"
    track = sorted(data_set.glob("tracks/*.npy"))[0]
    harm(track)
    assert run(["verify", str(data_set)]) == 2
    shown = capsys.readouterr().out
    assert track.name in shown
    assert said in shown
    assert shown.count("\n") == 1
