"""Which files there are to prepare, and what each is called in the report."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from halfstep.errors import InputError, NamedError, unbraced
from halfstep.printable import printable

VARIANT_MARK = "__"
SIDE = frozenset(
    {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "system volume information", "lost+found", "@eadir"}
    | {"#recycle", "recycler", "recycled", "icon\r"}
)
"""Names, in lower case, of what is no user's recording; what is named itself is read all the same."""

Stamp = tuple[int, int]
"""Size in bytes and time of change in ns: a file that keeps both is taken for unchanged."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """One file below a source, with the reason why it cannot be read if that shows without opening it."""

    path: Path
    name: str
    """Path from the source folder on, that folder's own name first: the same wherever the folder lies."""
    stamp: Stamp = (0, 0)
    reason: str | None = None

    @property
    def size(self) -> int:
        return self.stamp[0]

    @property
    def group(self) -> str:
        """What must stay on one side of the split: `piece__t+3.flac` is a variant of `piece`."""
        name = PurePath(self.name)
        return str(name.parent / (name.stem.split(VARIANT_MARK)[0] or name.stem))


def stamp_of(path: Path) -> Stamp:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def find(sources: list[Path], leave_out: Path) -> list[Found]:
    """Every file under `sources`, sorted by name, but for the folder `leave_out`.

    Hidden files and folders, and a system's own beside them, are not among them. Folders that are links are searched
    too, but no folder twice. InputError for a source that is not there, or that is `leave_out` itself or inside it.
    """
    found: dict[Path, Found] = {}
    for source in sources:
        if not os.path.lexists(source):
            raise InputError(f"{printable(source)}: no such file or folder; name what is to be prepared")
        root = Path(os.path.normpath(source.absolute()))
        if source.resolve().is_relative_to(leave_out.resolve()):
            raise NamedError(
                f"{unbraced(printable(source))}: lies in the data set's own folder, "
                f"{{out}} {unbraced(printable(leave_out))}; choose another {{out}}"
            )
        for entry in _walk(root, root.name or root.anchor, leave_out):
            found.setdefault(entry.path, entry)
    return sorted(found.values(), key=lambda entry: (os.fsencode(entry.name), os.fsencode(entry.path)))


def _walk(root: Path, root_name: str, leave_out: Path) -> Iterator[Found]:
    seen = {_identity(leave_out.stat())} if leave_out.exists() else set()
    waiting = [(root, root_name)]
    while waiting:
        path, name = waiting.pop()
        try:
            facts = path.stat()
            if not stat.S_ISDIR(facts.st_mode):
                yield _file(path, name, facts)
            elif _identity(facts) not in seen:
                seen.add(_identity(facts))
                inside = sorted(filter(_may_hold_sound, path.iterdir()), key=os.fsencode, reverse=True)
                waiting += [(entry, f"{name}/{entry.name}") for entry in inside]
            elif path.is_symlink():
                yield Found(path=path, name=name, reason="a link to a folder that is searched already")
        except OSError as error:
            yield Found(path=path, name=name, reason=f"cannot be read: {error.strerror}")


def _may_hold_sound(path: Path) -> bool:
    """Not what is hidden, nor what a system puts beside a user's files: `._x`, `.DS_Store`, trash, thumbnails."""
    return not path.name.startswith((".", "$")) and path.name.lower() not in SIDE


def _identity(facts: os.stat_result) -> tuple[int, int]:
    return facts.st_dev, facts.st_ino


def _file(path: Path, name: str, facts: os.stat_result) -> Found:
    reason = None
    if not stat.S_ISREG(facts.st_mode):
        reason = f"no file but a {KINDS.get(stat.S_IFMT(facts.st_mode), 'special thing')}"
    elif facts.st_size == 0:
        reason = "an empty file"
    elif not os.access(path, os.R_OK):
        reason = "cannot be read: Permission denied"
    return Found(path=path, name=name, stamp=(facts.st_size, facts.st_mtime_ns), reason=reason)


KINDS = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
