"""Files are whole or absent, whatever happens while they are written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import halfstep
from halfstep.atomic import remove_partials, replacing, replacing_folder, write_json


def test_the_old_file_stays_until_the_new_one_is_whole(tmp_path: Path):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"old")
    with replacing(path) as partial:
        partial.write_bytes(b"new")
        assert path.read_bytes() == b"old"
        assert partial.suffix == ".bin"
        assert partial.parent == tmp_path
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: type[BaseException]):
    path = tmp_path / "weights.bin"
    path.write_bytes(b"old")
    with pytest.raises(error), replacing(path) as partial:
        partial.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_the_end(tmp_path: Path, monkeypatch):
    """Power may fail between any two of these."""
    order = []
    real_sync, real_replace = os.fsync, os.replace

    def fsync(descriptor: int) -> None:
        order.append(os.fstat(descriptor).st_ino)
        real_sync(descriptor)

    def replace(source: Path, target: Path) -> None:
        order.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "a.txt"
    with replacing(path) as partial:
        partial.write_text("x")
    assert order == [path.stat().st_ino, "rename", tmp_path.stat().st_ino]


def test_a_killed_writer_leaves_a_partial_that_is_cleared_later(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom halfstep.atomic import replacing\n"
        f"with replacing(Path({str(path)!r})) as partial:\n"
        "    partial.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(halfstep.__file__).parents[1])}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == -signal.SIGKILL
    assert path.read_text() == "old"
    (left,) = set(tmp_path.iterdir()) - {path}
    assert remove_partials(tmp_path) == [left]
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_stable_and_has_no_nan(tmp_path: Path):
    path = tmp_path / "a.json"
    write_json(path, {"b": 1, "a": [0.1]})
    assert path.read_text() == '{\n "a": [\n  0.1\n ],\n "b": 1\n}\n'
    with pytest.raises(ValueError, match="Out of range float"):
        write_json(path, {"a": float("nan")})
    assert path.read_text().startswith('{\n "a"')
    assert list(tmp_path.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from halfstep.atomic import replacing
with replacing(Path(sys.argv[1])) as partial:
    file = partial.open("w")
    file.write("theirs, written late")  # still in the buffer
    print("opened", flush=True)
    sys.stdin.readline()
    file.close()
"""


def start_writer(path: Path) -> subprocess.Popen[str]:
    """A process in the middle of writing `path`; a line on its standard input lets it finish."""
    package = str(Path(halfstep.__path__[0]).parent)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": package},
    )  # fmt: skip
    assert writer.stdout is not None and writer.stdout.readline() == "opened\n"
    return writer


def test_what_another_process_still_writes_never_lands_in_ours(tmp_path: Path):
    """A worker outlives its killed parent for a moment: its buffer must not be flushed over the next run's file."""
    path = tmp_path / "track.npy"
    other = start_writer(path)
    with replacing(path) as partial:
        partial.write_text("ours")
        other.communicate("\n")
        assert partial.read_text() == "ours"
    assert path.read_text() == "ours"
    assert list(tmp_path.iterdir()) == [path]


def test_a_killed_writers_partial_goes_when_the_file_is_written_again_but_not_a_living_ones(tmp_path: Path):
    path = tmp_path / "take [1].wav"
    killed, living = start_writer(path), start_writer(path)
    killed.kill()
    killed.communicate()
    assert len(list(tmp_path.iterdir())) == 2
    with replacing(path) as partial:
        partial.write_text("ours")
    assert sorted(left.name for left in tmp_path.iterdir()) == [f".take [1].{living.pid}.partial.wav", path.name]
    living.communicate("\n")
    assert list(tmp_path.iterdir()) == [path]


def test_threads_with_one_path_have_a_partial_each(tmp_path: Path):
    path = tmp_path / "a.txt"
    with replacing(path) as first, replacing(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_partial_is_known_by_its_lock_not_by_a_number_that_another_container_has_too(tmp_path: Path):
    path = tmp_path / "a.txt"
    living = start_writer(path)
    (theirs,) = tmp_path.iterdir()
    elsewhere = tmp_path / f".a.{2**22 + 1}.partial.txt"  # no process here has that number
    theirs.rename(elsewhere)
    with replacing(path) as partial:
        partial.write_text("ours")
    assert elsewhere.exists()
    living.kill()
    living.communicate()
    with replacing(path) as partial:
        partial.write_text("ours")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [".notes.partial.txt", ".a.partial", "a.12.partial.txt", ".a.x.partial.txt"])
def test_only_partials_of_ours_are_removed(tmp_path: Path, name: str):
    (tmp_path / name).write_text("mine")
    assert remove_partials(tmp_path) == []
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_is_whole_or_absent(tmp_path: Path):
    """What a killed process left beside it goes with the next good one; a living one's, and a user's, stay."""
    path = tmp_path / "m"
    for name in (f".m.{2**22 + 1}.partial", f".m.{os.getppid()}.partial", ".m.mine"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    with pytest.raises(ValueError, match="half"), replacing_folder(path):
        raise ValueError("half")
    assert not path.exists()
    path.mkdir()
    with replacing_folder(path) as partial:
        (partial / "file").write_text("whole")
    assert (path / "file").read_text() == "whole"
    assert {left.name for left in tmp_path.iterdir()} == {"m", f".m.{os.getppid()}.partial", ".m.mine"}
