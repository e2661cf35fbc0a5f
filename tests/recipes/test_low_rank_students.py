"""Both ways to keep a student as a change: trained towards it, and by singular values of two files alone."""

import sys
from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import open_folder, verify
from halfstep.runs.distill import distill_command
from halfstep.runs.export_model import Card, ExportConfig, export_run
from halfstep.runs.train import train_command

SETTINGS = [
    "net.widths=[32, 32]", "net.attention_heads=4", "net.embedding=8", "music.frames=24", "train.batch_size=2",
    "train.warmup_steps=1", "train.precision=fp32", "train.compile=off", "distill.updates=2", "distill.batch_size=2",
    "distill.start_steps=4", "train.learning_rate=0.05", "distill.learning_rate=0.05",
]  # fmt: skip


@pytest.fixture
def recipes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "recipes" / "models")
    import add_student
    import thin_student

    return add_student, thin_student


def distance(folder: Path, before: np.ndarray, recipe) -> float:
    opened = open_folder(folder)
    return float(np.square(recipe.answer(opened, opened.entry(1)) - before).mean() / np.square(before).mean())


def test_a_student_is_added_and_another_made_thin(
    recipes, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    add_student, thin_student = recipes
    run = tmp_path / "run"
    train_command(library, run, "tiny", SETTINGS, 4, lambda *_: None)
    distill_command(run, 1, None, lambda *_: None)
    both, two = tmp_path / "both", tmp_path / "two"
    export_run(run, both, Card(id="both"), ExportConfig(steps=(2, 1), weights="int8"))
    export_run(run, two, Card(id="two"), ExportConfig(steps=(2,), weights="int8"))
    opened = open_folder(both)
    student = thin_student.answer(opened, opened.entry(1))
    apart = np.square(thin_student.answer(opened, opened.entry(2)) - student).mean() / np.square(student).mean()

    words = [str(two), str(run), str(tmp_path / "work"), "--numbers", "30000", "--updates", "2", "--batch", "2"]
    monkeypatch.setattr(sys, "argv", ["add_student.py", *words])
    add_student.main()
    assert verify(two) == []
    assert (two / "denoiser-1.npz").stat().st_size < (two / "denoiser-2.onnx").stat().st_size / 3
    assert distance(two, student, thin_student) < 0.5 * apart

    monkeypatch.setattr(sys, "argv", ["thin_student.py", str(both), "--numbers", "60000"])
    thin_student.main()
    assert not (both / "denoiser-1.onnx").exists()
    assert distance(both, student, thin_student) < 0.1 * apart
