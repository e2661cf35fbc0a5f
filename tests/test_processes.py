"""Whether a process runs."""

import os
import subprocess
import sys

import pytest

from halfstep.processes import runs


def test_a_process_runs_until_it_has_ended():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert runs(child.pid)
        child.communicate(b"\n")
    assert not runs(child.pid)


@pytest.mark.parametrize(("pid", "there"), [(1, True), (2**22 + 1, False), (2**70, False)])
def test_numbers_of_any_kind_are_answered(pid: int, there: bool):
    assert runs(pid) == there
    assert runs(os.getpid())
