"""Killed anywhere, the same call again ends as the uninterrupted run: weights, EMA, optimizer, statistics, log."""

import itertools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfstep.atomic import PARTIAL_SUFFIX

STEPS = 20


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, apart: Callable, left: Callable):
    """The small training that nothing interrupts."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    assert apart(folder=str(folder), steps=STEPS, save_seconds=1e9) == 0
    result = left(folder)
    assert result[0] == f"step-{STEPS:08d}.safetensors"
    assert [line["step"] for line in result[2]] == sorted([*range(2, STEPS + 1, 2), 5, 10, 15, 20])
    return result


def test_another_seed_of_the_data_would_show(straight, apart: Callable, left: Callable, tmp_path: Path):
    """The comparison can fail: one update more is another run."""
    assert apart(folder=str(tmp_path), steps=STEPS + 1, save_seconds=1e9) == 0
    assert left(tmp_path)[1] != straight[1]


@pytest.mark.parametrize("save_seconds", [0, 0.05, 1e9])
def test_kill_9_at_random_steps(straight, apart: Callable, left: Callable, tmp_path: Path, save_seconds: float):
    """Six kills: in the data thread, in the loss, in the log, while measuring, while sampling."""
    rng = np.random.default_rng(int(save_seconds * 100) % 97)
    kills = [[str(place), int(rng.integers(1, 12))] for place in rng.permutation(["batch", "loss", "progress"] * 2)]
    for kill in [*kills, ["measure", 0], ["sample", 10]]:
        # A place may not be passed: a step that is saved already, an odd one in the log.
        assert apart(folder=str(tmp_path), steps=STEPS, save_seconds=save_seconds, kill=kill) in (-signal.SIGKILL, 0)
    assert apart(folder=str(tmp_path), steps=STEPS, save_seconds=save_seconds) == 0
    assert left(tmp_path) == straight
    assert list(tmp_path.rglob(f".*{PARTIAL_SUFFIX}*")) == []


def test_kill_9_at_every_point_of_writing_a_checkpoint(straight, apart: Callable, left: Callable, tmp_path: Path):
    """Before, during and after the file, its flush, its renaming, its note, and the removal of the oldest."""
    for event in itertools.count():
        folder, printed = tmp_path / str(event), tmp_path / f"{event}.txt"
        job = {"folder": str(folder), "steps": STEPS, "stderr": str(printed)}
        code = apart(**job, save_event=[7, event])
        if code == 0:
            break
        assert code == -signal.SIGKILL
        kept = {path.name for path in (folder / "checkpoints").iterdir()}
        assert {"step-00000006.safetensors", "step-00000006.json"} <= kept
        assert apart(**job, kill=["loss", 3]) == -signal.SIGKILL  # it goes on from 6 or 7, three updates
        half = [name for name in kept if PARTIAL_SUFFIX in name]
        if f"step-{7:08d}.safetensors" in kept and f"step-{7:08d}.json" not in kept:
            half.append(f"step-{7:08d}.safetensors")
        warned = printed.read_text()
        assert all(name in warned for name in half), (event, half, warned)
        assert bool(half) == ("half-written" in warned)
        assert left(folder)[0] in ("step-00000009.safetensors", "step-00000010.safetensors")
        assert list(folder.rglob(f".*{PARTIAL_SUFFIX}*")) == []
    assert event > 8
    assert left(folder) == straight


def test_a_run_killed_while_saving_ends_as_the_straight_one(straight, apart: Callable, left: Callable, tmp_path: Path):
    for event in (0, 2, 4):
        assert apart(folder=str(tmp_path), steps=STEPS, save_event=[5 + 3 * event, event]) == -signal.SIGKILL
    assert apart(folder=str(tmp_path), steps=STEPS) == 0
    assert left(tmp_path) == straight


@pytest.fixture(scope="module")
def uncut(tmp_path_factory: pytest.TempPathFactory, apart: Callable, left: Callable, library: Path, command: Callable):
    """`halfstep train`, whole; its teacher's bytes too."""
    folder = tmp_path_factory.mktemp("uncut") / "run"
    assert apart(command=command(library, folder)) == 0
    return left(folder), (folder / "teacher.safetensors").read_bytes()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGHUP, 129), (signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_asked_to_stop_it_saves_first(
    uncut, apart: Callable, left: Callable, library: Path, command: Callable, tmp_path: Path, number: int, code: int
):
    run = tmp_path / "run"
    words = command(library, run)
    assert apart(command=words, signal_at=[6, int(number)], stderr=str(tmp_path / "printed.txt")) == code
    assert left(run)[0] == "step-00000006.safetensors"
    assert not (run / "lock").exists()
    assert not (run / "teacher.safetensors").exists()
    assert "Traceback" not in (tmp_path / "printed.txt").read_text()
    assert apart(command=words) == 0
    assert (left(run), (run / "teacher.safetensors").read_bytes()) == uncut


def test_the_second_process_on_a_run_is_told_of_the_first(apart, library: Path, command: Callable, tmp_path: Path):
    """And the lock of a first that is killed does not keep a third out."""
    run, go, printed = tmp_path / "run", tmp_path / "go", tmp_path / "printed.txt"
    first = apart.start(command=command(library, run), wait_at=[4, str(go)])
    while not go.with_suffix(".waiting").exists():
        assert first.is_alive()
    assert apart(command=command(library, run), stderr=str(printed)) == 2
    assert f"in use by process {first.pid} on {os.uname().nodename}" in printed.read_text()
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    assert (run / "lock").exists()
    assert apart(command=command(library, run)) == 0
