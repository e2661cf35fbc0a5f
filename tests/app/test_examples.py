"""Every example of every `--help` runs as it stands, in a folder that holds what it names."""

import functools
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.core import TyperGroup

from halfstep.app.cli import app, run
from halfstep.audio.files.io import Audio
from halfstep.bundle import DenoiserFile
from halfstep.conditioning import LabelCondition, Likeness
from halfstep.vocoders.griffin_lim import GriffinLimStream


def examples() -> list[str]:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    epilogs = [command.epilog or "" for command in group.commands.values()]
    return [line.strip() for epilog in epilogs for line in re.findall(r"halfstep [^\n]*", epilog)]


@pytest.fixture
def workplace(
    tmp_path: Path, tiny_model: Path, write_model: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A folder with recordings, a small model in place of the package's, and stand-ins for what takes hours."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (1, 20 * 8000)).astype(np.float32)
    for name in ("take.mp3", "take.wav", "take.flac", "a.wav", "b.wav"):
        Audio(noise, 8000).save(tmp_path / name)
    write_model(tmp_path / "runs" / "mine", denoisers=(DenoiserFile(steps=64, file="denoiser-64.onnx"),))
    alike = Likeness(weights=((0.0,) * 32, (1.0,) * 32), bias=(0.0, 0.0))
    styles = LabelCondition(name="style", values=("piano", "strings"), likeness=alike)
    write_model(tmp_path / "models" / "mine", conditions=(styles,), guide="rhythm")
    # a module whose name in its package is that of its function
    monkeypatch.setattr(sys.modules["halfstep.bundle.installed"], "model_places", lambda: [tiny_model.parent])
    return tmp_path


def called(seen: list[str], name: str, answer: object = None) -> Callable[..., object]:
    def stand_in(*words: object, **named: object) -> object:
        seen.append(name)
        return answer

    return stand_in


@pytest.mark.parametrize("line", examples())
def test_an_example_runs_as_it_stands(line: str, workplace: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[str] = []
    manifest = SimpleNamespace(bytes=1, steps=(4,), serving="4", measured={}, vocoder=None)
    report = SimpleNamespace(found=1, used=1, skipped=[], failed=[], flagged=[], seconds=1.0, heldout_seconds=0.1)
    monkeypatch.setattr("halfstep.data.preparing.prepare", called(seen, "prepare", report))
    monkeypatch.setattr("halfstep.runs.train.train_command", called(seen, "train", {}))
    monkeypatch.setattr("halfstep.runs.distill.distill_command", called(seen, "distill", []))
    monkeypatch.setattr("halfstep.runs.export_model.export_run", called(seen, "export", manifest))
    monkeypatch.setattr("halfstep.evaluation.evaluate.evaluate_command", called(seen, "evaluate", ""))
    monkeypatch.setattr("halfstep.generation.model.Model.push_to_hub", called(seen, "push", "hf://me/mine"))
    monkeypatch.setattr(
        "halfstep.app.play.player.Player.__init__", lambda self, rate, channels: setattr(self, "gaps", 0)
    )
    monkeypatch.setattr("halfstep.app.play.player.Player.play", called(seen, "play"))
    monkeypatch.setattr("halfstep.app.serve.running.run", called(seen, "serve"), raising=False)
    hasty = functools.partial(GriffinLimStream, iterations=1)
    monkeypatch.setattr("halfstep.generation.engine.GriffinLimStream", hasty)
    words = shlex.split(line)
    if words[1] in ("doctor", "bench", "serve", "page") or "--ray" in words:  # slow here, or needs what is not here
        words.append("--help")
    with monkeypatch.context() as patch:
        patch.setattr("dataclasses.asdict", vars)  # pytest itself needs it when an assertion fails
        code = run(words[1:])
    assert code == 0
    if words[1] in ("prepare", "train", "distill", "export", "evaluate", "play"):
        assert seen == [words[1]]


def test_an_example_fits_in_a_line_of_a_terminal():
    """Help of 80 columns, indented by two: what is broken into two lines cannot be pasted."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    lines = [line for command in group.commands.values() for line in (command.epilog or "").splitlines()]
    assert [line for line in lines if len(line) > 76] == []


def test_there_is_an_example_of_every_command():
    assert {shlex.split(line)[1] for line in examples()} >= {"generate", "prepare", "train", "serve", "vocode"}
