"""The ablations and the ladder from one noise, each run whole at a size of seconds."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from halfstep.data.dataset import Library
from halfstep.runs.distill import distill_command
from halfstep.runs.experiment import with_settings
from halfstep.runs.presets import PRESETS
from halfstep.runs.train import train_command

STUDIES = Path(__file__).parents[2] / "studies"
SMALL = [
    "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "music.frames=24", "train.batch_size=2",
    "train.warmup_steps=1", "distill.start_steps=4", "distill.updates=2", "distill.batch_size=2",
]  # fmt: skip


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STUDIES)


def test_an_ablation_measures_a_variant_and_its_table_has_every_column(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """On a clock of its own: sixteen updates that take 8 s, so 12 in 6.4 s, which then take 5 s."""
    import ablations

    clock = SimpleNamespace(process_time=iter([0.0, 1.0, 1.0, 9.0, 9.0, 14.0]).__next__)
    monkeypatch.setattr(ablations, "time", clock)
    experiment = with_settings(PRESETS["tiny"](), SMALL)
    figures = ablations.measure(experiment, Library(library), 6.4, tmp_path / "windows.png")
    assert (figures["updates"], figures["cpu_seconds"]) == (12, 5.0)
    assert all(np.isfinite(value) for value in figures.values())
    assert (tmp_path / "windows.png").exists()
    head, _, row = ablations.table({"small": figures}).splitlines()
    assert head.count("|") == row.count("|") == len(ablations.COLUMNS) + 2
    assert len(ablations.variants()) == len({variant.to_json().__repr__() for variant in ablations.variants().values()})


def test_a_ladder_is_drawn_from_one_noise(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    import same_noise

    train_command(library, tmp_path, "tiny", SMALL, 2, lambda *_: None)
    distill_command(tmp_path, 2, None, lambda *_: None)
    monkeypatch.setattr(sys, "argv", ["same_noise.py", str(tmp_path), "--steps", "4", "2", "--count", "2"])
    same_noise.main()
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("4 steps: correlation 1.000, RMS 0.000")
    assert said[1].startswith("2 steps: correlation ")
    assert (tmp_path / "same-noise-4-2.png").exists()
    monkeypatch.setattr(sys, "argv", ["same_noise.py", str(tmp_path), "--steps", "1"])
    with pytest.raises(SystemExit, match=r"has no student of \[1\] steps; distil it that far first"):
        same_noise.main()
