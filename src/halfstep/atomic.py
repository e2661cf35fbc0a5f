"""Files that are either whole or absent: written aside, flushed to the disk, then renamed."""

import glob
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL_SUFFIX = ".partial"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; rename it onto `path` once the block ends without an error.

    The old file stays byte-identical until the rename. On an error the partial file is removed; after
    SIGKILL it stays behind under `*.partial`, until `path` is written again or `remove_partials` clears its folder.
    The partial keeps the real extension, since encoders choose the format by it, and is this process's own: what a
    killed run's worker still writes, or another process with the same path, never lands in it.
    """
    _remove_left_by_the_dead(path)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{PARTIAL_SUFFIX}{path.suffix}")
    try:
        yield partial
        _flush(partial)
        os.replace(partial, path)  # noqa: PTH105 (what kill tests watch)
        _flush(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write `value` as stable JSON: sorted keys, one final newline, no NaN (ValueError)."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def remove_partials(folder: Path) -> list[Path]:
    """Remove what a killed writer left in `folder`; return the removed paths."""
    left = sorted(folder.glob(f".*{PARTIAL_SUFFIX}*"))
    for path in left:
        path.unlink(missing_ok=True)
    return left


def _remove_left_by_the_dead(path: Path) -> None:
    """The partials of `path` whose processes are gone."""
    for left in path.parent.glob(f".{glob.escape(path.stem)}.*{PARTIAL_SUFFIX}{glob.escape(path.suffix)}"):
        pid = left.name.removeprefix(f".{path.stem}.").removesuffix(f"{PARTIAL_SUFFIX}{path.suffix}")
        if pid.isdigit() and not _runs(int(pid)):
            left.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's, and there
        return True
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
