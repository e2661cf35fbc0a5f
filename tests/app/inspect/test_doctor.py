"""`halfstep doctor`: each lack comes with the command that mends it."""

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from halfstep.app.cli import run
from halfstep.app.inspect import doctor


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tiny_model: Path) -> None:
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))


def test_a_machine_that_runs_these_tests_can_play(capsys: pytest.CaptureFixture[str]):
    assert run(["doctor", "--json"]) == 0
    findings = {finding["name"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert {"python", "onnxruntime", "sound formats", "model tiny-gauss", "extra train", "threads"} <= set(findings)
    assert all(finding["well"] or finding["remedy"] for finding in findings.values())
    assert all(finding["well"] for finding in findings.values() if finding["needed"])


def test_a_missing_package_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    real = metadata.version

    def version(name: str) -> str:
        if name == "soxr":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    assert run(["doctor"]) == 2
    assert "missing  soxr: not installed  ->  pip install soxr\n" in capsys.readouterr().out


def test_an_absent_extra_is_no_failure(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: None)
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    assert "absent   extra train: without torch, " in shown
    assert "->  pip install 'torch==2.13.*' 'halfstep[train]'" in shown


def test_a_broken_model_is_told(
    tmp_path: Path, write_model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    model = write_model(tmp_path / "mine")
    network = model / "denoiser-4.onnx"
    network.write_bytes(network.read_bytes()[::-1])
    monkeypatch.setenv("HALFSTEP_MODELS", str(tmp_path))
    assert run(["doctor"]) == 2
    assert "its sha256 is not the one in model.json" in capsys.readouterr().out


def test_a_look_that_fails_hides_no_other(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def usage(path: Path) -> None:
        raise OSError("no such disk")

    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    assert run(["doctor"]) == 2
    shown = capsys.readouterr().out
    assert "missing  disk: OSError: no such disk" in shown
    assert "threads" in shown


def test_portaudio_is_looked_for_behind_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The package alone is there on Linux without the library."""
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert run(["doctor"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "extra play" in line)
    assert "without PortAudio" in line
    assert "apt install libportaudio2" in line
