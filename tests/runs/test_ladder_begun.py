"""What `distill` asks of a ladder before it climbs, and how it begins one: nothing here is trained."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from halfstep.data.dataset import Library
from halfstep.errors import InputError
from halfstep.runs import distill as under_test
from halfstep.runs.distill import distill_command, finished_rungs
from halfstep.runs.run_folder import Run, new_run, open_run, settle
from halfstep.runs.train import resolved
from halfstep.training.checkpoint import load_tensors, save_tensors

SETTINGS = [
    "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "music.frames=24", "train.batch_size=4",
    "distill.start_steps=8", "distill.updates=3", "distill.batch_size=4",
]  # fmt: skip


def quiet(done: int, of: int, line: str) -> None:
    return None


@pytest.fixture
def make_run(tmp_path: Path, write_library: Callable[..., Path]) -> Callable[..., Path]:
    """make_run("distill.updates=9", ...) -> a run whose teacher is an untrained network."""

    def make(*settings: str) -> Path:
        data = write_library(tmp_path / "data")
        made = new_run(tmp_path / "run", resolved(data, "tiny", [*SETTINGS, *settings], None), Library(data))
        assert isinstance(made, Run)
        made.path.mkdir()
        settle(made)
        torch.manual_seed(0)
        save_tensors(made.path / "teacher.safetensors", made.network().state_dict(), {"steps": 1})
        return made.path

    return make


class Climbs:
    """In place of the ladder and its report: what they are given, and a row for each rung."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.rows: list[int] = []
        monkeypatch.setattr(under_test, "climb", self._climb)
        monkeypatch.setattr(under_test, "LadderReport", lambda *_: self)

    def _climb(self, teacher: Any, rungs: list[int], *rest: Any) -> None:
        self.calls.append((teacher, rungs, *rest))
        for num_steps in rungs:
            rest[7](num_steps, teacher, teacher)

    def landed(self, num_steps: int, student: Any, its_teacher: Any) -> None:
        self.rows.append(num_steps)


@pytest.fixture
def climbs(monkeypatch: pytest.MonkeyPatch) -> Climbs:
    return Climbs(monkeypatch)


def test_it_climbs_from_the_runs_teacher_in_the_runs_folder(
    make_run: Callable[..., Path], climbs: Climbs, monkeypatch: pytest.MonkeyPatch
):
    """Every rung sees batches of its own: the first of one is not the first of another."""
    monkeypatch.setattr(Run, "observer", lambda run, folder, num_steps: (folder, num_steps))
    run = make_run()
    assert distill_command(run, 2, None, quiet) == [4, 2] == climbs.rows
    ((teacher, rungs, config, base, batches, folder, observe, _, progress, _, diffusion),) = climbs.calls
    kept, _ = load_tensors(run / "teacher.safetensors")
    assert all(torch.equal(kept[name], value.cpu()) for name, value in teacher.state_dict().items())
    assert (rungs, config.updates, config.batch_size, folder, progress) == ([4, 2], 3, 4, run / "ladder", quiet)
    assert base.batch_size == 4 and diffusion.parameterization == "x"
    assert [len(batches(num_steps)(0).x) for num_steps in rungs] == [4, 4]
    assert not torch.equal(batches(4)(0).x, batches(2)(0).x)
    assert observe(4) == (run / "ladder" / "0004", 4)


def test_updates_that_are_asked_for_go_before_the_settings(make_run: Callable[..., Path], climbs: Climbs):
    run = make_run()
    distill_command(run, 1, 7, quiet)
    assert climbs.calls[0][2].updates == 7
    begun = json.loads((run / "ladder" / "config.json").read_text())
    assert begun == {"updates": 7, "teacher": load_tensors(run / "teacher.safetensors")[1]["sha256"]}
    distill_command(run, 1, 7, quiet)  # the same goes on
    with pytest.raises(InputError, match="began with 7 updates a rung, now 3 are asked for; use updates 7"):
        distill_command(run, 1, None, quiet)


def test_what_a_killed_writer_left_is_gone_once_it_begins(make_run: Callable[..., Path], climbs: Climbs):
    run = make_run()
    (run / "ladder").mkdir()
    (run / "ladder" / ".ladder.md.12345.partial").write_text("half")
    distill_command(run, 1, None, quiet)
    assert [path.name for path in (run / "ladder").iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    ("settings", "to", "said"),
    [
        *((["distill.start_steps=4"], to, f"to is {to}: a power of two below distill.start_steps, 4,")
          for to in (0, 3, 4, 8)),
        (["diffusion.parameterization=eps", "diffusion.schedule=ddpm-cosine"], 1,
         "its teacher predicts eps, which says nothing of x at pure noise"),
        (["diffusion.schedule=ddpm-cosine", "diffusion.train_steps=4"], 1,
         "distill.start_steps is 8, and its chain has 4 steps; begin with fewer"),
        (["distill.batch_size=500"], 1, "windows of 24 frames to train on, fewer than a batch of 500"),
    ],
)  # fmt: skip
def test_what_cannot_be_climbed_is_refused(
    make_run: Callable[..., Path], climbs: Climbs, settings: list[str], to: int, said: str
):
    run = make_run(*settings)
    with pytest.raises(InputError, match=said):
        distill_command(run, to, None, quiet)
    assert not climbs.calls and not (run / "ladder").exists()


def test_a_chain_of_just_its_steps_is_climbed(make_run: Callable[..., Path], climbs: Climbs):
    distill_command(make_run("diffusion.schedule=ddpm-cosine", "diffusion.train_steps=8"), 4, None, quiet)
    assert climbs.rows == [4]


def test_students_of_a_teacher_that_was_trained_on_are_refused(make_run: Callable[..., Path], climbs: Climbs):
    """They would mix two teachers on one ladder."""
    run = make_run()
    distill_command(run, 1, None, quiet)
    tensors, notes = load_tensors(run / "teacher.safetensors")
    before = notes.pop("sha256")
    save_tensors(run / "teacher.safetensors", {k: v + (v.dim() > 0) * 0.1 for k, v in tensors.items()}, notes)
    with pytest.raises(InputError, match=f"began from the teacher {before[:8]}, since trained on to"):
        distill_command(run, 1, None, quiet)


def test_an_unfinished_teacher_is_refused(make_run: Callable[..., Path], climbs: Climbs):
    run = make_run()
    (run / "teacher.json").unlink()
    with pytest.raises(InputError, match="its teacher is not finished"):
        distill_command(run, 1, None, quiet)


def test_finished_rungs_are_loaded_most_steps_first(make_run: Callable[..., Path]):
    """And one without the note that vouches for it is not finished."""
    run = make_run()
    with open_run(run) as opened:
        for num_steps in (8, 2, 64, 16, 4, 32):
            torch.manual_seed(num_steps)
            rung = run / "ladder" / f"{num_steps:04d}"
            rung.mkdir(parents=True)
            save_tensors(rung / "student.safetensors", opened.network().state_dict(), {"num_steps": num_steps})
        (run / "ladder" / "0002" / "student.json").unlink()
        rungs = finished_rungs(opened)
        assert list(rungs) == [64, 32, 16, 8, 4]
        student = rungs[4]()
    kept, _ = load_tensors(run / "ladder" / "0004" / "student.safetensors")
    assert all(torch.equal(kept[name], value) for name, value in student.state_dict().items())
    assert not student.training
