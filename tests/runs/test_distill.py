"""`distill` on a run: its table, pictures and files; resuming. What it refuses is in `test_ladder_begun.py`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from halfstep.audio.files.writing import write
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.synthetic import piece
from halfstep.errors import InputError
from halfstep.runs.distill import distill_command, finished_rungs
from halfstep.runs.ladder_report import table
from halfstep.runs.run_folder import open_run
from halfstep.runs.train import train_command
from halfstep.training import drawing
from halfstep.training.checkpoint import load_tensors

SETTINGS = [
    "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "music.frames=24", "train.batch_size=4",
    "train.log_every=1", "distill.start_steps=4", "distill.updates=3", "distill.batch_size=4",
]  # fmt: skip


def quiet(done: int, of: int, line: str) -> None:
    return None


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small teacher, finished; copy it before use."""
    folder = tmp_path_factory.mktemp("distill")
    (folder / "music").mkdir()
    for seed in range(2):
        write(folder / "music" / f"{seed}.wav", [piece(4, seed)], 44100, {})
    config = PrepareConfig(decode=DecodeConfig(min_frames=24), heldout_share=0.5)
    prepare([folder / "music"], folder / "data", config, 1)
    train_command(folder / "data", folder / "run", "tiny", SETTINGS, 4, quiet)
    return folder / "run"


@pytest.fixture(scope="module")
def distilled(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole ladder of it, 4 -> 2 -> 1; read only."""
    run = tmp_path_factory.mktemp("distilled") / "run"
    shutil.copytree(trained, run)
    distill_command(run, 1, None, quiet)
    return run


@pytest.fixture(autouse=True)
def no_pictures(distilled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than the rest; `distilled` has drawn everything already."""
    for name in ("draw_rows", "draw_ladder", "write_samples"):
        monkeypatch.setattr(drawing, name, lambda *_: None)


@pytest.fixture
def fresh(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained, tmp_path / "run")


def students(run: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in (run / "ladder").glob("*/student.safetensors")}


def test_the_ladder_is_told_in_a_table_a_picture_and_json(distilled: Path):
    rows = json.loads((distilled / "ladder" / "ladder.json").read_text())
    assert [row["steps"] for row in rows] == [4, 2, 1]
    for row in rows[1:]:
        assert np.isfinite(list(row.values())).all()
        assert {"correlation", "rms_nepers", "heldout_loss", "window_seconds"} <= row.keys()
        assert -1 <= row["correlation"] <= 1
        assert row["window_seconds"] > 0
    assert rows[0]["correlation"] == pytest.approx(1)
    assert rows[0]["rms_nepers"] == 0
    assert (distilled / "ladder" / "ladder.md").read_text() == table(rows)
    for picture in ("ladder.png", "same-noise.png"):
        assert (distilled / "ladder" / picture).stat().st_size > 5000


def test_the_teacher_is_as_it_was(trained: Path, distilled: Path):
    for name in ("teacher.safetensors", "teacher.json", "config.json"):
        assert (distilled / name).read_bytes() == (trained / name).read_bytes()


def test_finished_rungs_are_loaded_as_they_landed(distilled: Path):
    with open_run(distilled) as opened:
        rungs = finished_rungs(opened)
        assert list(rungs) == [2, 1]
        result = rungs[1]().state_dict()
    kept, notes = load_tensors(distilled / "ladder" / "0001" / "student.safetensors")
    assert notes["num_steps"] == 1
    assert all(torch.equal(result[name], kept[name]) for name in kept)


class Cut(Exception):
    """Someone pulls the plug."""


@pytest.mark.parametrize("cut_at", [2, 3, 5])
def test_cut_and_resumed_the_students_are_the_same_bytes(distilled: Path, fresh: Path, cut_at: int):
    def cut(done: int, of: int, line: str) -> None:
        assert of == 6
        if done == cut_at:
            raise Cut

    with pytest.raises(Cut):
        distill_command(fresh, 1, None, cut)
    assert not (fresh / "lock").exists()
    rows = distill_command(fresh, 1, None, quiet)
    assert students(fresh) == students(distilled)
    before = json.loads((distilled / "ladder" / "ladder.json").read_text())
    for row, was in zip(rows, before, strict=True):
        assert {k: v for k, v in row.items() if k != "window_seconds"} == {
            k: v for k, v in was.items() if k != "window_seconds"
        }


def test_again_and_further_down_it_goes_on(distilled: Path, fresh: Path):
    assert [row["steps"] for row in distill_command(fresh, 2, None, quiet)] == [4, 2]
    assert [row["steps"] for row in distill_command(fresh, 1, None, quiet)] == [4, 2, 1]
    assert students(fresh) == students(distilled)


def test_a_student_that_is_not_whole_is_refused_by_name(distilled: Path, tmp_path: Path):
    run = shutil.copytree(distilled, tmp_path / "run")
    path = run / "ladder" / "0002" / "student.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    before = students(run)
    with pytest.raises(InputError, match=r"0002/student\.safetensors"):
        distill_command(run, 1, None, quiet)
    assert students(run) == before
