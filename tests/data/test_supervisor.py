"""Workers that crash, hang and babble (F14), played by small scripts that speak the worker's language."""

import sys
import time

import pytest

from halfstep import processes
from halfstep.data.supervisor import run_jobs

SCRIPT = """
import json, os, sys, time
for line in sys.stdin:
    job = json.loads(line)
    print(json.dumps({"beat": 1.0}), flush=True)
    if job["path"].startswith("crash"):
        os.kill(os.getpid(), 11)
    elif job["path"].startswith("exit"):
        sys.exit(3)
    elif job["path"].startswith("torn"):
        os.write(1, b'{"done": ')
        os._exit(4)
    elif job["path"].startswith("hang"):
        time.sleep(1000)
    elif job["path"].startswith("quiet"):
        time.sleep(1.2)
    elif job["path"].startswith("slow"):
        for _ in range(12):
            time.sleep(0.1)
            print(json.dumps({"beat": 2.0}), flush=True)
    print(json.dumps({"done": {"path": job["path"], "pid": os.getpid()}}), flush=True)
"""
COMMAND = (sys.executable, "-c", SCRIPT)


def answers(paths, workers=2, hang_seconds=30.0):
    beats = []
    jobs = [{"path": path} for path in paths]
    found = run_jobs(jobs, workers, hang_seconds, lambda job, seconds: beats.append(job["path"]), COMMAND)
    result = {job["path"]: answer for job, answer in found}
    assert set(beats) == set(paths)
    return result


def test_every_job_has_its_answer_and_workers_are_used_again():
    paths = [f"good {number}" for number in range(20)]
    by_path = answers(paths, workers=3)
    assert {by_path[path]["done"]["path"] for path in paths} == set(paths)
    assert len({answer["done"]["pid"] for answer in by_path.values()}) <= 3


def test_a_crash_takes_one_file_with_it():
    by_path = answers(["good 1", "crash 1", "good 2", "exit", "torn", "crash 2", "good 3"])
    assert by_path["crash 1"] == by_path["crash 2"] == {"failed": "the decoder crashed (SIGSEGV)"}
    assert by_path["exit"] == {"failed": "the decoder crashed (exit code 3)"}
    assert by_path["torn"] == {"failed": "the decoder crashed (exit code 4)"}
    assert all("done" in by_path[f"good {number}"] for number in (1, 2, 3))


def test_a_hang_is_ended_and_slow_work_is_not():
    start = time.monotonic()
    by_path = answers(["good", "hang", "slow"], hang_seconds=1.0)
    assert by_path["hang"] == {"failed": "the decoder hung: no progress for 1 s"}
    assert "done" in by_path["good"]
    assert "done" in by_path["slow"]
    assert time.monotonic() - start < 15


def test_a_run_that_was_stopped_calls_nothing_hung(monkeypatch: pytest.MonkeyPatch):
    """Ctrl-Z for longer than a decoder may be silent: what nobody looked at is no sign of a hang."""
    monkeypatch.setattr(processes, "LONGEST_LOOK_SECONDS", 0.1)
    found = {}
    for job, answer in run_jobs([{"path": "good"}, {"path": "quiet"}], 2, 1.0, lambda *_: None, COMMAND):
        found[job["path"]] = list(answer)
        time.sleep(1.5 if len(found) == 1 else 0)
    assert found == {"good": ["done"], "quiet": ["done"]}


def test_nothing_to_do_is_done_at_once():
    assert answers([]) == {}


@pytest.mark.parametrize("taken", [0, 1])
def test_whoever_stops_listening_ends_the_workers(taken):
    """As Ctrl-C does: the generator is closed, and no process stays."""
    work = run_jobs([{"path": f"hang {i}" if i else "good"} for i in range(4)], 2, 30.0, lambda *_: None, COMMAND)
    for _ in range(taken):
        next(work)
    start = time.monotonic()
    work.close()
    assert time.monotonic() - start < 5
