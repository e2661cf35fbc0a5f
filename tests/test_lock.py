"""One process a folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import halfstep
from halfstep.errors import InputError
from halfstep.lock import folder_lock

HOLDER = """
import sys, time
from pathlib import Path
from halfstep.lock import folder_lock
with folder_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the folder."""
    environment = os.environ | {"PYTHONPATH": str(Path(halfstep.__file__).parents[1])}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_process_is_told_who_holds_it(tmp_path: Path, holder: subprocess.Popen):
    with pytest.raises(InputError, match=f"in use by process {holder.pid} on {socket.gethostname()}"):
        folder_lock(tmp_path).__enter__()
    assert json.loads((tmp_path / "lock").read_text())["pid"] == holder.pid


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path: Path, holder: subprocess.Popen):
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "lock").exists()
    with folder_lock(tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_later_process_of_the_same_number_does_not_count(tmp_path: Path):
    mine = {"pid": os.getpid(), "host": socket.gethostname(), "start": "1"}
    (tmp_path / "lock").write_text(json.dumps(mine))
    with folder_lock(tmp_path):
        pass


def test_a_process_on_another_host_counts(tmp_path: Path):
    (tmp_path / "lock").write_text(json.dumps({"pid": 1, "host": "elsewhere", "start": "1"}))
    with pytest.raises(InputError, match="process 1 on elsewhere"):
        folder_lock(tmp_path).__enter__()


@pytest.mark.parametrize("content", ["", "[]", "{", '{"host": 3}'])
def test_a_lock_that_says_nothing_is_taken_over(tmp_path: Path, content: str):
    (tmp_path / "lock").write_text(content)
    with folder_lock(tmp_path):
        pass


def test_released_after_an_error(tmp_path: Path):
    with pytest.raises(RuntimeError), folder_lock(tmp_path):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_of_many_that_find_a_stale_lock_only_one_wins(tmp_path: Path):
    """Eight at the same moment, fifty times over; the winner holds on until all have tried."""
    path, many = tmp_path / "lock", 8
    together, tried = (threading.Barrier(many, timeout=20) for _ in range(2))

    def attempt(_: int) -> bool:
        together.wait()
        try:
            with folder_lock(tmp_path):
                tried.wait()
        except InputError:
            tried.wait()
            return False
        return True

    with ThreadPoolExecutor(many) as pool:
        for _ in range(50):
            path.write_text(json.dumps({"pid": 2**22 + 1, "host": socket.gethostname(), "start": "1"}))
            assert sum(pool.map(attempt, range(many))) == 1
            assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("pid", ['"x"', "-1", "0", "99999999999999999999", "null", "1.5"])
def test_a_lock_of_no_process_is_taken_over(tmp_path: Path, pid: str):
    (tmp_path / "lock").write_text(f'{{"pid": {pid}, "host": "{socket.gethostname()}", "start": null}}')
    with folder_lock(tmp_path):
        pass


def test_of_a_process_elsewhere_the_lock_is_named(tmp_path: Path):
    """A container has another host name each time it starts: nobody but the user can say that it is gone."""
    (tmp_path / "lock").write_text(json.dumps({"pid": 57, "host": "laptop-2", "start": "1"}))
    with pytest.raises(InputError, match=rf"57 on laptop-2; .* if it is gone .* delete {tmp_path}/lock"):
        folder_lock(tmp_path).__enter__()


@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_lock_is_neither_waited_for_nor_written_to(tmp_path: Path, kind: str):
    run, precious = tmp_path / "run", tmp_path / "precious"
    run.mkdir()
    precious.write_text("mine")
    make = {"link": lambda path: path.symlink_to(precious), "fifo": os.mkfifo, "folder": Path.mkdir}[kind]
    make(run / "lock")
    with pytest.raises(InputError, match=r"run/lock: a link, folder, FIFO or device, no lock of ours; remove it"):
        folder_lock(run).__enter__()
    assert precious.read_text() == "mine"
