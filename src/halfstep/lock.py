"""One process a folder: the second is told who holds it, and a lock left by a dead process is taken over."""

import json
import os
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from halfstep.errors import InputError

MOST_PID = 1 << 32


@contextmanager
def folder_lock(folder: Path) -> Generator[None, None, None]:
    """Hold `folder`/lock while the block runs. InputError naming pid and host when a live process holds it."""
    path = folder / "lock"
    with _looking_alone(folder):
        holder = _holder(path)
        if _alive(holder):
            raise InputError(
                f"{folder}: in use by process {holder['pid']} on {holder['host']}; {_remedy(holder, path)}"
            )
        mine = {"pid": os.getpid(), "host": socket.gethostname(), "start": _start_time(os.getpid())}
        try:
            path.write_text(json.dumps(mine), encoding="utf-8")
        except OSError:
            path.unlink(missing_ok=True)
            raise
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _looking_alone(folder: Path) -> Generator[None, None, None]:
    """Of processes that would look at a lock and take it over, one at a time; the system lets go for one that dies."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    opened = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems lock no folders
            fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


def _holder(path: Path) -> dict[str, Any]:
    """Who holds it: pid, host, start; empty where the lock is gone or says nothing."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    known = isinstance(holder, dict) and isinstance(holder.get("pid"), int) and isinstance(holder.get("host"), str)
    return holder if known and 0 < holder["pid"] < MOST_PID and "start" in holder else {}


def _remedy(holder: dict[str, Any], path: Path) -> str:
    """Of a process elsewhere nobody here can say whether it lives: a container's host name is another each time."""
    if holder["host"] == socket.gethostname():
        return "wait for it, or stop it first"
    return f"wait for it, or, if it is gone (that host, or container, is no more), delete {path}"


def _alive(holder: dict[str, Any]) -> bool:
    """A process on another host counts as alive; one here only if its start time is the one noted."""
    if not holder:
        return False
    if holder["host"] != socket.gethostname():
        return True
    try:
        os.kill(int(holder["pid"]), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return holder["start"] == _start_time(int(holder["pid"]))


def _start_time(pid: int) -> str | None:
    """Field 22 of /proc/PID/stat: tells a process from a later one of its number. None without /proc."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except (OSError, IndexError):
        return None
