"""Folders that a command fills: they were empty when it came, or carry its mark. A user's own are never entered."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from halfstep.atomic import disk_named
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.fields import read_json

MARK = ".halfstep"
"""A file that says what the folder is."""
LONGEST_MARK = 100
LONGEST_FACTS = 64 << 20
DATA_SET, RUN, REPORT, SITE, STREAM = "data set", "run", "report", "site", "stream of segments"


def enter(folder: Path, kind: str, looks_like_one: Callable[[Path], bool] = lambda _: False) -> None:
    """Make `folder`, or make sure that it is a `kind` of ours; mark it. Errors as for `check`."""
    check(folder, kind, looks_like_one)
    folder.mkdir(parents=True, exist_ok=True)
    if _marked(folder) is None:
        with disk_named(folder / MARK):
            (folder / MARK).write_text(kind + "\n", encoding="ascii")


def check(folder: Path, kind: str, looks_like_one: Callable[[Path], bool] = lambda _: False) -> None:
    """InputError unless `folder` is absent, empty or a `kind` of ours, whose own files are no links to other files.
    looks_like_one: says so of what was made before there were marks.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: not a folder; name one for the {kind}")
    marked = _marked(folder)
    if marked is None and (looks_like_one(folder) or not any(folder.iterdir())):
        return
    if marked is None:
        raise NamedError(f"{unbraced(folder)}: not empty, and no {kind} made by halfstep; choose another {{out}}")
    if marked != kind:
        raise NamedError(f"{unbraced(folder)}: holds a {unbraced(marked)}, not a {kind}; choose another {{out}}")
    for path in folder.iterdir():
        if path.is_symlink() and not path.is_dir():
            raise InputError(f"{path}: a link where a {kind} has a file, which would be written over; remove the link")


def _marked(folder: Path) -> str | None:
    """What the mark says; None without one, or with one that a kill left empty in an empty folder."""
    try:
        with (folder / MARK).open(encoding="utf-8", errors="replace") as file:
            said = file.read(LONGEST_MARK).strip()
    except OSError:
        return None
    if not said and [path.name for path in folder.iterdir()] == [MARK]:
        (folder / MARK).unlink()
        return None
    return said


def members(path: Path) -> dict[str, Any]:
    """The object in a JSON file of ours; an empty one for whatever else is there."""
    try:
        facts = read_json(path, longest=LONGEST_FACTS)
    except (OSError, InputError):
        return {}
    return facts if isinstance(facts, dict) else {}
