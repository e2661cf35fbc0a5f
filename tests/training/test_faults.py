"""A full disk and a folder that may not be written, for real where this machine allows it."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from halfstep.training.log import TrainingLog

NOBODY = 65534


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as refused:
        pytest.skip(f"mounting a small disk is not allowed here ({refused})")
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk: Path, leave: int) -> Path:
    """A file that takes all of the disk but `leave` bytes."""
    room = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(b"x" * (room.f_bavail * room.f_frsize - leave))
    return filler


def test_a_full_disk_stops_training_and_the_last_checkpoint_is_as_it_was(
    apart: Callable, left: Callable, small_disk: Path, tmp_path: Path
):
    """With room again, the same call goes on from it."""
    run, printed = small_disk / "run", tmp_path / "printed.txt"
    job = {"folder": str(run), "steps": 8, "save_seconds": 0}
    assert apart(**job, kill=["loss", 4]) == -9
    before = left(run)
    assert before[0] == "step-00000004.safetensors"
    filler = fill(small_disk, leave=len(before[1]) // 2)
    assert apart(**job, stderr=str(printed)) == 1
    assert "No space left on device" in printed.read_text()
    assert left(run)[:2] == before[:2]
    filler.unlink()
    assert apart(**job) == 0
    assert apart(folder=str(tmp_path / "straight"), steps=8) == 0
    assert left(run) == left(tmp_path / "straight")


def test_a_full_disk_says_how_much_is_needed(apart: Callable, small_disk: Path, library: Path, command: Callable,
                                             tmp_path: Path):  # fmt: skip
    """On the command line: exit code 1, one line with the file, the reason, the bytes and the remedy."""
    printed = tmp_path / "printed.txt"
    fill(small_disk, leave=100_000)
    assert apart(command=command(library, small_disk / "run"), stderr=str(printed)) == 1
    lines = [line for line in printed.read_text().splitlines() if line.startswith("halfstep:")]
    assert len(lines) == 1
    assert "step-00000000.safetensors: No space left on device" in lines[0]
    assert "bytes are needed; free some" in lines[0]
    assert list((small_disk / "run" / "checkpoints").iterdir()) == []


def test_a_log_that_cannot_be_written_is_loud(small_disk: Path):
    with pytest.raises(OSError, match="No space left"), TrainingLog(small_disk, 0) as journal:
        fill(small_disk, leave=0)
        for step in range(1, 1000):
            journal.log(step, loss=1.0)


@pytest.fixture
def anyones() -> Iterator[Path]:
    """A folder that every user may read: pytest's own are closed."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize("exists", [True, False])
def test_a_run_folder_that_may_not_be_written_is_refused(
    apart: Callable, write_library: Callable, command: Callable, anyones: Path, tmp_path: Path, exists: bool
):
    """Exit code 2 at once, naming the folder and the remedy; nothing is left behind."""
    data, run, printed = write_library(anyones / "data"), anyones / "runs" / "mine", tmp_path / "printed.txt"
    (run if exists else run.parent).mkdir(parents=True)
    (run if exists else run.parent).chmod(0o555)
    user = {"as_user": NOBODY} if os.geteuid() == 0 else {}
    assert apart(command=command(data, run), stderr=str(printed), **user) == 2
    assert f"{run}: not writable (Permission denied); choose another --out" in printed.read_text()
    assert not exists or list(run.iterdir()) == []
    (run if exists else run.parent).chmod(0o755)


def test_a_read_only_disk_is_refused_too(apart: Callable, small_disk: Path, library: Path, command: Callable,
                                         tmp_path: Path):  # fmt: skip
    run, printed = small_disk / "run", tmp_path / "printed.txt"
    run.mkdir()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert apart(command=command(library, run), stderr=str(printed)) == 2
    assert f"{run}: not writable (Read-only file system)" in printed.read_text()


def test_data_that_may_not_be_read_is_not_called_an_unwritable_run(
    apart: Callable, write_library: Callable, command: Callable, anyones: Path, tmp_path: Path
):
    if os.geteuid() != 0:
        pytest.skip("giving a file to another user needs root")
    data, run, printed = write_library(anyones / "data"), anyones / "runs" / "mine", tmp_path / "printed.txt"
    run.mkdir(parents=True)
    os.chown(run, NOBODY, NOBODY)
    track = next((data / "tracks").iterdir())
    track.chmod(0o000)
    assert apart(command=command(data, run), stderr=str(printed), as_user=NOBODY) == 2
    assert str(track) in printed.read_text()
    assert "not writable" not in printed.read_text()
