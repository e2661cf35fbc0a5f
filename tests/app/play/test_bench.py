"""halfstep bench: figures of every number of steps, as a table and as JSON."""

import json
import shutil
from pathlib import Path

import pytest

from halfstep.app.cli import run
from halfstep.app.play.benching import measured


def test_every_number_of_steps_is_measured(tiny_model: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["bench", "--model", str(tiny_model), "--seconds", "5", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["model"], result["threads"], result["seconds"]) == ("tiny-gauss", 1, 5.0)
    assert result["processor"]
    assert [one["steps"] for one in result["speeds"]] == [4, 1]
    for one in result["speeds"]:
        assert one["real_time_factor"] == pytest.approx(one["denoiser"] + one["vocoder"])
        assert 0 < one["vocoder"] < one["real_time_factor"] < 1
        assert one["griffin_lim"] > 0
        assert 0 < one["first_sound_seconds"] < 60
        assert 20e6 < one["peak_bytes"] < 2e9


def test_the_table_names_processor_threads_and_model(tiny_model: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["bench", "--model", str(tiny_model), "--seconds", "5"]) == 0
    about, heads, *rows = capsys.readouterr().out.splitlines()
    assert "1 thread; tiny-gauss, 8000 Hz" in about
    assert "first sound" in heads
    assert [row.split()[0] for row in rows] == ["4", "1"]


@pytest.mark.parametrize("seconds", ["4", "nan", "1e9"])
def test_a_length_out_of_range_is_refused(seconds: str, tiny_model: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["bench", "--model", str(tiny_model), "--seconds", seconds]) == 2
    assert "5 to 3600 were expected" in capsys.readouterr().err


def test_no_such_model_is_refused(capsys: pytest.CaptureFixture[str]):
    assert run(["bench", "--model", "no-such-model"]) == 2
    assert "no-such-model" in capsys.readouterr().err


def test_a_model_that_is_not_whole_is_refused(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spoilt = Path(shutil.copytree(tiny_model, tmp_path / "spoilt"))
    network = spoilt / "denoiser-4.onnx"
    network.write_bytes(network.read_bytes()[:-9])
    assert run(["bench", "--model", str(spoilt), "--seconds", "5"]) == 2
    error = capsys.readouterr().err
    assert "denoiser-4.onnx" in error
    assert error.count("\n") == 1


def test_a_process_that_fails_says_why(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("halfstep.app.play.benching._CHILD", "raise SystemError('no such luck')")
    with pytest.raises(RuntimeError, match="4 steps: SystemError: no such luck"):
        measured(str(tiny_model), 4, 5.0)
