"""Files that are either whole or absent: written aside, flushed to the disk, then renamed."""

import errno
import hashlib
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from halfstep.errors import InputError
from halfstep.processes import runs

PARTIAL_SUFFIX = ".partial"
OURS = re.compile(rf"\.(?P<stem>.+)\.(?P<pid>\d+)(-\d+)?{re.escape(PARTIAL_SUFFIX)}(?P<suffix>\..*)?", re.DOTALL)
"""The name of a partial file: whose it becomes, and the number of the process that writes it."""
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
"""What the system says of a disk without room, or of a user's share of it."""
USUAL_LONGEST_NAME = 255
NUMBER_BYTES = 20
LONGEST_SUFFIX = 16
"""Longer ones are no extension that an encoder knows."""


@contextmanager
def replacing(path: Path) -> Generator[Path, None, None]:
    """Yield an empty file beside `path` to write to; rename it onto `path` once the block ends without an error.

    The old file stays byte-identical until the rename, and the new one has its permissions. On an error the partial
    file is removed; after SIGKILL it stays behind under `*.partial`, until `path` is written again or
    `remove_partials` clears its folder. The partial keeps the real extension, since encoders choose the format by it,
    and is this process's own: what a killed run's worker still writes, or another process with the same path, never
    lands in it. For what cannot be replaced see `replaceable`.
    """
    target = replaceable(path)
    prefix, suffix = _around_the_number(target)
    for left in _alike(target.parent, prefix, suffix):
        if _abandoned(left):
            left.unlink(missing_ok=True)
    partial, held = _claimed(target.parent, prefix, suffix)
    try:
        with disk_named(path):
            yield partial
        with suppress(FileNotFoundError):
            partial.chmod(stat.S_IMODE(target.stat().st_mode))
        _flush(partial)
        os.replace(partial, target)  # noqa: PTH105 (what kill tests watch)
        _flush(target.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        if held is not None:
            os.close(held)


@contextmanager
def replacing_folder(path: Path) -> Generator[Path, None, None]:
    """Yield a new folder beside `path` to fill; rename it to `path`, absent or empty, once the block ends well.

    What killed processes left of it is removed.
    """
    with folder_aside(path) as partial:
        yield partial
        if path.exists():
            path.rmdir()
        partial.rename(path)
        _flush(path.parent)


@contextmanager
def folder_aside(path: Path) -> Generator[Path, None, None]:
    """Yield a new folder beside `path`, for what is to be moved there once it is whole; it is gone after the block, and
    so is what killed processes left of theirs.
    """
    prefix, suffix = _around_the_number(path)
    for left in _alike(path.parent, prefix, suffix):
        pid = int(OURS.fullmatch(left.name)["pid"])  # pyright: ignore[reportOptionalSubscript]  it is alike
        if left.is_dir() and not left.is_symlink() and not runs(pid):
            shutil.rmtree(left)
    partial = path.parent / f"{prefix}{os.getpid()}{suffix}"
    try:
        with disk_named(path):
            partial.mkdir()
            yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replaceable(path: Path) -> Path:
    """The file that is written when `path` is: itself, or what it is a link to, as with cp.

    InputError where something other than a file stands there; OSError where it is a link to nothing, is not to be
    written, or its name is too long.
    """
    try:
        there = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise InputError(f"{path}: a link to {path.readlink()}, which is not there; name a file") from None
        _check_name(path)
        return path
    if not stat.S_ISREG(there.st_mode):
        raise InputError(
            f"{path}: a {KINDS.get(stat.S_IFMT(there.st_mode), 'special thing')} stands there; choose another name"
        )
    if not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "it is there, and not to be written", str(path))
    return Path(os.path.realpath(path))


KINDS = {
    stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}  # fmt: skip


@contextmanager
def disk_named(path: Path) -> Generator[None, None, None]:
    """The system does not say which file it could not write when a write fails; this does, and how much was free where
    the disk was full. path: the file, or the folder of all that the block writes.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename:
            raise
        said = error.strerror or str(error)
        if error.errno in FULL and "bytes" not in said:
            said = f"{said}, {_free(path)} bytes free"
        raise OSError(error.errno, said, str(path)) from error


def _free(path: Path) -> int:
    """Bytes, on the disk of a path that need not be there yet."""
    return shutil.disk_usage(next(place for place in path.absolute().parents if place.exists())).free


def write_json(path: Path, value: object) -> None:
    """Write `value` as stable JSON: sorted keys, one final newline, no NaN (ValueError)."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def remove_partials(folder: Path) -> list[Path]:
    """Remove what a killed writer left in `folder`, one of ours; return the removed paths."""
    left = sorted(path for path in folder.glob(f".*{PARTIAL_SUFFIX}*") if OURS.fullmatch(path.name) and path.is_file())
    for path in left:
        path.unlink(missing_ok=True)
    return left


def _around_the_number(target: Path) -> tuple[str, str]:
    """What of a partial's name stands before and after the process's number; within what the file system allows."""
    stem, extension = (target.stem, target.suffix) if len(target.suffix) <= LONGEST_SUFFIX else (target.name, "")
    suffix = PARTIAL_SUFFIX + extension
    room = _longest_name(target.parent) - NUMBER_BYTES - len(os.fsencode(suffix)) - len("..")
    if len(os.fsencode(stem)) > room:
        mark = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:8]
        while len(os.fsencode(stem)) > room - len(mark):
            stem = stem[:-1]
        stem += mark
    return f".{stem}.", suffix


def _longest_name(folder: Path) -> int:
    """Bytes."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):
        return USUAL_LONGEST_NAME


def _check_name(path: Path) -> None:
    if len(os.fsencode(path.name)) > _longest_name(path.parent):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))


def _alike(folder: Path, prefix: str, suffix: str) -> list[Path]:
    """The partials in `folder` of the same file."""
    number = re.compile(re.escape(prefix) + r"\d+(-\d+)?" + re.escape(suffix), re.DOTALL)
    with suppress(PermissionError):  # a folder may be written to and not be listed
        return [path for path in folder.iterdir() if number.fullmatch(path.name)]
    return []


def _claimed(folder: Path, prefix: str, suffix: str) -> tuple[Path, int | None]:
    """A new partial, and the descriptor by which its lock is held while it is written."""
    tried = 0
    while True:
        partial = folder / f"{prefix}{os.getpid()}{f'-{tried}' if tried else ''}{suffix}"
        tried += 1
        try:
            held = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        except FileExistsError:  # a thread's, or that of another container's process of this number
            continue
        if sys.platform == "win32":
            os.close(held)
            return partial, None
        import fcntl

        with suppress(OSError):  # some network file systems lock nothing
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(FileNotFoundError):  # taken for abandoned before it was locked
            if partial.stat().st_ino == os.fstat(held).st_ino:
                return partial, held
        os.close(held)


def _abandoned(partial: Path) -> bool:
    """Whether whoever wrote it is gone: its lock goes with a process, also one in another container."""
    match = OURS.fullmatch(partial.name)
    dead = match is not None and not runs(int(match["pid"]))
    if sys.platform == "win32":
        return dead
    import fcntl

    try:
        descriptor = os.open(partial, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return dead
    finally:
        os.close(descriptor)
    return True


def _flush(path: Path) -> None:
    """To the disk; a folder too, where the system lets a folder be opened: Windows does not, and renames in order."""
    folder = path.is_dir()
    if folder and sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)  # Windows flushes only what may be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
