"""Whether a process runs, and for how long this one did."""

import os
import subprocess
import sys

import pytest

from halfstep.processes import AwakeSeconds, runs


def test_a_process_runs_until_it_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert runs(child.pid)
        child.communicate(b"\n")
    assert not runs(child.pid)


@pytest.mark.parametrize(("pid", "there"), [(1, True), (2**22 + 1, False), (2**70, False)])
def test_numbers_of_any_kind_are_answered(pid: int, there: bool):
    assert runs(pid) == there
    assert runs(os.getpid())


def test_a_process_that_was_stopped_is_not_late():
    """An hour between two looks is one look: SIGSTOP, Ctrl-Z, a lid that was closed."""
    times = iter([0.0, 0.25, 0.5, 3600.5, 3600.75, 3601.0, 3601.5])
    spent = AwakeSeconds(lambda: next(times))
    assert [spent.passed() for _ in range(4)] == [0.25, 0.5, 1.5, 1.75]
    spent.restart()
    assert spent.passed() == 0.5
