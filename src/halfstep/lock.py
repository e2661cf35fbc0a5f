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
from halfstep.fields import read_json

MOST_PID = 1 << 32
LONGEST_LOCK = 4096
"""Bytes."""
SECONDS = 0.05
"""How long is tried: who lets go removes the file, and whoever opened it just then opens it again."""


@contextmanager
def folder_lock(folder: Path) -> Generator[None, None, None]:
    """Hold `folder`/lock while the block runs. InputError naming pid and host when a live process holds it, and where
    something else than a lock stands there.

    The system's own lock on that file (filelock) says who lives; what is written in it says who that is. A file system
    of several machines may lock nothing between them, so what another machine wrote counts though nothing is locked.
    """
    from filelock import FileLock, Timeout  # late: playing never needs it

    path = folder / "lock"
    if os.path.lexists(path) and not (path.is_file() and not path.is_symlink()):
        raise InputError(f"{path}: a link, folder, FIFO or device, no lock of ours; remove it")
    lock = FileLock(path, timeout=SECONDS, poll_interval=SECONDS / 5)
    try:
        lock.acquire()
    except Timeout:
        raise _held(folder, _holder(path)) from None
    mine = False
    try:
        holder = _holder(path)
        if holder and holder["host"] != socket.gethostname():
            raise _held(folder, holder)
        mine = True  # whatever the disk takes of it
        path.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}), encoding="utf-8")
        yield
    finally:
        if sys.platform == "win32":  # no open file is removed there
            lock.release()
        if mine:
            with suppress(OSError):
                path.unlink()
        lock.release()


def _held(folder: Path, holder: dict[str, Any]) -> InputError:
    who = f"process {holder['pid']} on {holder['host']}" if holder else "another process"
    return InputError(f"{folder}: in use by {who}; {_remedy(holder, folder / 'lock')}")


def _holder(path: Path) -> dict[str, Any]:
    """Who holds it: pid and host; empty where the lock is gone, says nothing, or is not to be read while it is held."""
    try:
        holder: Any = read_json(path, longest=LONGEST_LOCK)
    except (OSError, InputError):
        return {}
    known = isinstance(holder, dict) and isinstance(holder.get("pid"), int) and isinstance(holder.get("host"), str)
    return holder if known and 0 < holder["pid"] < MOST_PID else {}


def _remedy(holder: dict[str, Any], path: Path) -> str:
    """Of a process elsewhere nobody here can say whether it lives: a container's host name is another each time."""
    if not holder or holder["host"] == socket.gethostname():
        return "wait for it, or stop it first"
    return f"wait for it, or, if it is gone (that host, or container, is no more), delete {path}"
