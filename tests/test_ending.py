"""The signals that end a command in good order."""

import signal
import subprocess
import sys
from pathlib import Path

import halfstep

CODE = "from halfstep.ending import asked_to_end; print([int(number) for number in asked_to_end()])"
PACKAGE = str(Path(halfstep.__path__[0]).parent)


def asked(ignored: bool) -> str:
    handler = f"signal.signal(signal.SIGHUP, signal.{'SIG_IGN' if ignored else 'SIG_DFL'})"
    code = f"import signal, sys; sys.path.insert(0, {PACKAGE!r}); {handler}; {CODE}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_closed_terminal_ends_it_but_not_under_nohup():
    assert asked(ignored=False) == f"[{int(signal.SIGTERM)}, {int(signal.SIGHUP)}]\n"
    assert asked(ignored=True) == f"[{int(signal.SIGTERM)}]\n"
