"""Folders at an address of an object store: what is there comes here first, and what changes here goes there.

While a command works it sees a folder of this machine, in the cache. Every so often, and as it ends, however it ends,
what is new goes to the address: tensors before the JSON that vouches for them, and last the file by which a folder is
whole. So whoever reads there finds a checkpoint, a run or a model whole, or not at all. Needs the extra `hub`.
"""

import hashlib
import json
import logging
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from halfstep.addresses import cache_folder, is_address
from halfstep.atomic import OURS, replacing, write_json
from halfstep.errors import InputError
from halfstep.lock import folder_lock

logger = logging.getLogger(__name__)
SECONDS = 60.0
"""How often changes go there; after a machine is lost, what came since is lost with it."""
STATE, UNSENT, LOCK = ".mirror.json", ".unsent", "lock"
LAST = ("dataset.json", "teacher.json", "model.json", "report.json")
"""By these a folder is whole."""


def place(given: str) -> Path | str:
    """An address as it is, anything else as a path."""
    return given if is_address(given) else Path(given)


@contextmanager
def at_hand(given: str) -> Generator[Path, None, None]:
    """A folder of this machine that stands for `given`; that folder itself where it is no address.

    InputError where the address cannot be read or written, and for names there that lead out of it.
    """
    if not is_address(given):
        yield Path(given)
        return
    mirror = Mirror(given)
    mirror.fetch()
    if os.environ.get("RANK", "0") != "0":  # the first process of a team writes, for all
        yield mirror.folder
        return
    with mirror.kept_in_step():
        yield mirror.folder


class Mirror:
    """`folder` of this machine, and the same at an address."""

    def __init__(self, address: str) -> None:
        import fsspec

        self.address = address.rstrip("/")
        digest = hashlib.sha256(self.address.encode()).hexdigest()[:16]
        # The last part is the address's own: commands call what they make by it.
        self.folder = cache_folder() / "mirrors" / digest / (PurePosixPath(self.address).name or "folder")
        self._state_path = self.folder.parent / STATE
        self._unsent = self.folder.parent / UNSENT
        with self._named():
            self._system, root = fsspec.core.url_to_fs(self.address)
        self._root = root.rstrip("/")

    def fetch(self) -> None:
        """Make the folder what is at the address now; what only this machine has is removed.

        But for what a command made here and could not send: it goes there first, unless somebody else was there since.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with folder_lock(self.folder.parent), self._named():
            if self._unsent.exists():
                if self._is_as_left():
                    self.push()
                else:
                    logger.warning("%s: changed from elsewhere; what was not sent from here is given up", self.address)
                self._unsent.unlink()
            there, known = self._there(), self._known()
            for name in self._here().keys() - there.keys():
                (self.folder / name).unlink()
            for name, token in there.items():
                path = self.folder / name
                if path.is_file() and known.get(name) == [token, _stamp(path)]:
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as partial:
                    self._system.get_file(f"{self._root}/{name}", str(partial))
                known[name] = [token, _stamp(path)]
            write_json(self._state_path, {name: known[name] for name in there})

    def push(self) -> None:
        """Make the address what the folder is now."""
        with self._named():
            known, here = self._known(), self._here()
            changed = [name for name, stamp in here.items() if known.get(name, [None, None])[1] != stamp]
            for name in sorted(changed, key=_order):
                target = f"{self._root}/{name}"
                with suppress(OSError):  # some stores have no folders, and need not let anyone make one
                    self._system.makedirs(target.rpartition("/")[0], exist_ok=True)
                with suppress(FileNotFoundError):  # a newer one has taken its place: the next time
                    self._system.put_file(str(self.folder / name), target)
            there = self._there() if changed or known.keys() - here.keys() else {}
            for name in sorted((known.keys() - here.keys()) & there.keys(), key=_order, reverse=True):
                self._system.rm_file(f"{self._root}/{name}")
            if changed or known.keys() - here.keys():
                write_json(self._state_path, {name: [there[name], here[name]] for name in here if name in there})

    @contextmanager
    def kept_in_step(self) -> Generator[None, None, None]:
        """Push now and then while the block runs, and as it ends, even by an error."""
        ended = threading.Event()
        self._unsent.touch()

        def push_often() -> None:
            while not ended.wait(SECONDS):
                with suppress(InputError):  # a store may be away for a while; the last push says so
                    self.push()

        pusher = threading.Thread(target=push_often, daemon=True)
        pusher.start()
        try:
            yield
        finally:
            ended.set()
            pusher.join()
            try:
                self.push()
            except InputError as fault:
                raise InputError(f"{fault}; what was made is kept here, and the same command sends it") from fault
            self._unsent.unlink(missing_ok=True)

    def _is_as_left(self) -> bool:
        """Whether nothing is other at the address than this machine knows, but for what it may itself have sent."""
        there, known, here = self._there(), self._known(), self._here()
        other = {name for name in there.keys() | known.keys() if there.get(name) != known.get(name, [None])[0]}
        return all(name in there and name in here and json.loads(there[name])[0] == here[name][0] for name in other)

    def _there(self) -> dict[str, str]:
        """Every file at the address, and what tells one content of it from another."""
        try:
            listed = self._system.find(self._root, detail=True)
        except FileNotFoundError:
            return {}
        there: dict[str, str] = {}
        for path, facts in listed.items():
            name = path.removeprefix(self._root).lstrip("/")
            if not name or not _is_inside(name):
                raise InputError(f"{self.address}: a name there, {name!r}, leads out of it; remove it")
            marks = [facts.get(mark) for mark in ("size", "ETag", "etag", "LastModified", "mtime", "created")]
            there[name] = json.dumps(marks, default=str)
        return there

    def _here(self) -> dict[str, list[int]]:
        """Every file in the folder that is to be there."""
        names = {path.relative_to(self.folder).as_posix(): path for path in self.folder.rglob("*") if path.is_file()}
        own = {name: path for name, path in names.items() if path.name != LOCK and not OURS.fullmatch(path.name)}
        return {name: _stamp(path) for name, path in own.items() if path.is_file()}

    def _known(self) -> dict[str, Any]:
        try:
            return json.loads(self._state_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}

    @contextmanager
    def _named(self) -> Generator[None, None, None]:
        """Whatever a file system says of its own, as a line about the address."""
        try:
            yield
        except (InputError, ModuleNotFoundError):
            raise
        except Exception as fault:  # each file system has errors of its own
            said = " ".join(str(fault).split())[:200] or type(fault).__name__
            raise InputError(f"{self.address}: cannot be reached ({said})") from fault


def _order(name: str) -> tuple[int, str]:
    last = PurePosixPath(name).name
    return (2 if last in LAST else 1 if last.endswith(".json") else 0), name


def _stamp(path: Path) -> list[int]:
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns]


def _is_inside(name: str) -> bool:
    return all(part not in ("", ".", "..") and "\\" not in part and ":" not in part for part in name.split("/"))
