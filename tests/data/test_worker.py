import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from halfstep.data import decode, worker
from halfstep.data.sources import Found, stamp_of
from halfstep.data.supervisor import _environment


def found(path: Path) -> Found:
    return Found(path=path, name=path.name, stamp=stamp_of(path))


@pytest.fixture
def process():
    started = subprocess.Popen(
        [sys.executable, "-m", "halfstep.data.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=_environment(),
    )
    yield started
    started.kill()
    started.wait()
    for pipe in (started.stdin, started.stdout):
        assert pipe is not None
        pipe.close()


def ask(process, job):
    process.stdin.write(json.dumps(job).encode() + b"\n")
    process.stdin.flush()
    while "beat" in (answer := json.loads(process.stdout.readline())):
        pass
    return answer


def test_a_worker_answers_job_after_job_and_ends_with_its_parent(tmp_path, process, write_song):
    song = found(write_song(tmp_path / "a.flac", 1))
    (tmp_path / "b.txt").write_text("hello there")
    assert ask(process, worker.identify_job(song))["done"]["seconds"] == 2.0
    assert ask(process, worker.identify_job(found(tmp_path / "b.txt"))) == {"skipped": "not audio: text"}
    process.send_signal(signal.SIGINT)  # Ctrl-C goes to the whole group; ending it is the parent's affair
    assert ask(process, worker.identify_job(song))["done"]["seconds"] == 2.0
    process.stdin.close()
    assert process.wait(timeout=10) == 0


def test_a_file_that_vanished_or_changed_is_unreadable_today(tmp_path, write_song):
    song = found(write_song(tmp_path / "a.flac", 1))
    os.utime(song.path, ns=(1, 1))
    assert worker.answer_to(worker.identify_job(song), lambda _: None) == {
        "unreadable": "cannot be read: it changed while it was read"
    }
    song.path.unlink()
    assert worker.answer_to(worker.identify_job(song), lambda _: None) == {
        "unreadable": "cannot be read: No such file or directory"
    }


def test_our_own_mistakes_fail_one_file(tmp_path, write_song, monkeypatch):
    def mistake(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(decode, "_content_hash", mistake)
    job = worker.identify_job(found(write_song(tmp_path / "a.flac", 1)))
    assert worker.answer_to(job, lambda _: None) == {"failed": "ZeroDivisionError: division by zero"}


def test_a_full_disk_is_no_fault_of_the_file(tmp_path, write_song, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(decode, "_content_hash", full)
    job = worker.identify_job(found(write_song(tmp_path / "a.flac", 1)))
    assert "disk_full" in worker.answer_to(job, lambda _: None)


def test_a_worker_deep_in_work_ends_when_its_parent_is_gone(tmp_path, process):
    """A FIFO that nobody writes: opening it blocks for ever."""
    os.mkfifo(tmp_path / "fifo")
    job = {"task": "identify", "path": str(tmp_path / "fifo"), "stamp": [0, 0]}
    process.stdin.write(json.dumps(job).encode() + b"\n")
    process.stdin.flush()
    time.sleep(1.0)
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(timeout=10) == 0
