"""One process a folder: the second is told who holds it, and a lock left by a dead process is taken over."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from halfstep.errors import InputError


@contextmanager
def folder_lock(folder: Path) -> Iterator[None]:
    """Hold `folder`/lock while the block runs. InputError naming pid and host when a live process holds it."""
    path = folder / "lock"
    while not _create(path):
        holder = _holder(path)
        if _alive(holder):
            raise InputError(
                f"{folder}: in use by process {holder['pid']} on {holder['host']}; wait for it, or stop it first"
            )
        _clear(path, holder)
    try:
        for left in folder.glob(".lock-*"):  # of processes killed while they locked
            if (holder := _holder(left)) and not _alive(holder):
                left.unlink(missing_ok=True)
        yield
    finally:
        path.unlink(missing_ok=True)


def _create(path: Path) -> bool:
    """Make the lock appear with its content in one step (a hard link fails if the name is taken)."""
    mine = path.with_name(f".lock-{os.getpid()}")
    start = _start_time(os.getpid())
    mine.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "start": start}), encoding="utf-8")
    try:
        os.link(mine, path)
    except FileExistsError:
        return False
    finally:
        mine.unlink(missing_ok=True)
    return True


def _clear(path: Path, stale: dict) -> None:
    """Take a stale lock away; one that another process has put in its place meanwhile is given back."""
    aside = path.with_name(f".lock-{os.getpid()}")
    try:
        path.rename(aside)
        if _holder(aside) != stale:
            os.link(aside, path)
    except (FileNotFoundError, FileExistsError):  # others were quicker; the next look tells
        pass
    finally:
        aside.unlink(missing_ok=True)


def _holder(path: Path) -> dict:
    """Who holds it: pid, host, start; empty where the lock is gone or says nothing."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return holder if isinstance(holder, dict) and holder.keys() >= {"pid", "host", "start"} else {}


def _alive(holder: dict) -> bool:
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
