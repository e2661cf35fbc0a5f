"""Whether a process runs, on any system, and for how long this one did."""

import os
import sys
import threading
import time
from collections.abc import Callable

STILL_ACTIVE = 259
QUERY = 0x1000
"""PROCESS_QUERY_LIMITED_INFORMATION"""
ACCESS_DENIED = 5
LONGEST_LOOK_SECONDS = 1.0


class AwakeSeconds:
    """How long this process ran since a moment, for whoever looks several times a second.

    Between two looks no more than LONGEST_LOOK_SECONDS count: a process that was stopped (Ctrl-Z), or whose machine
    slept, is not late.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """clock: seconds."""
        self._clock = clock
        self._lock = threading.Lock()
        self.restart()

    def restart(self) -> None:
        with self._lock:
            self._seconds, self._last = 0.0, self._clock()

    def passed(self) -> float:
        """Looks, and says how many seconds there were."""
        with self._lock:
            now = self._clock()
            self._seconds += min(now - self._last, LONGEST_LOOK_SECONDS)
            self._last = now
            return self._seconds


def runs(pid: int) -> bool:
    """Whether there is a process of this number, ours or somebody else's."""
    if sys.platform == "win32":  # there os.kill(pid, 0) ends it
        return _runs_on_windows(pid)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # it is somebody else's, and there
        return True
    return True


def _runs_on_windows(pid: int) -> bool:  # pragma: no cover
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # pyright: ignore[reportAttributeAccessIssue]
    if not 0 < pid < 1 << 32:
        return False
    process = kernel.OpenProcess(QUERY, False, pid)
    if not process:
        return ctypes.get_last_error() == ACCESS_DENIED  # pyright: ignore[reportAttributeAccessIssue]
    code = ctypes.c_ulong()
    known = kernel.GetExitCodeProcess(process, ctypes.byref(code))
    kernel.CloseHandle(process)
    return not known or code.value == STILL_ACTIVE
