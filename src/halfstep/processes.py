"""Whether a process runs, on any system."""

import os
import sys

STILL_ACTIVE = 259
QUERY = 0x1000
"""PROCESS_QUERY_LIMITED_INFORMATION"""
ACCESS_DENIED = 5


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
