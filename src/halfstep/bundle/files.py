"""Files of a folder beside a table of their sizes and hashes: read only where they are the very ones."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from halfstep.bundle.manifest import FileEntry
from halfstep.errors import InputError
from halfstep.fields import AGAIN, PLAIN_NAME, Fields

MOST_BYTES = 16 << 30
HASH_BLOCK = 1 << 20
Table = Mapping[str, FileEntry]


def table_of(folder: Path, but: str) -> dict[str, FileEntry]:
    """Every file of a folder but the one that the table will stand in."""
    return {
        path.name: FileEntry(sha256=sha256_of(path), bytes=path.stat().st_size)
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != but and PLAIN_NAME.fullmatch(path.name)
    }


def table_from(fields: Fields) -> dict[str, FileEntry]:
    """A table as JSON has it, every value checked. InputError as of `Fields`."""
    names = fields.names()
    if len(names) > 1000 or not all(PLAIN_NAME.fullmatch(name) for name in names):
        raise fields.fail("the list of names", names, "at most 1000 plain file names")
    return {name: _entry_from(fields.inside(name)) for name in names}


def _entry_from(fields: Fields) -> FileEntry:
    sha256 = fields.text("sha256", longest=64)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise fields.fail("sha256", sha256, "64 hexadecimal digits")
    entry = FileEntry(sha256=sha256, bytes=fields.integer("bytes", 0, MOST_BYTES))
    fields.done()
    return entry


def read_checked(folder: Path, name: str, table: Table, of: str) -> bytes:
    """The bytes of a file of the table in the file `of`, whose sha256 was compared. InputError if it is another."""
    path = checked_path(folder, name, table, of)
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != table[name].sha256:
        raise InputError(f"{path}: {changed_since(of)}")
    return data


def checked_path(folder: Path, name: str, table: Table, of: str) -> Path:
    """The file's path, once it is a regular file of the declared size that lies in the folder itself."""
    path, declared = folder / name, table[name].bytes
    if path.resolve().parent != folder.resolve():
        raise InputError(f"{path}: leads out of the model folder; put the file itself there")
    if not path.is_file():
        raise InputError(f"{path}: missing; {AGAIN}")
    if path.stat().st_size != declared:
        size = path.stat().st_size
        raise InputError(f"{path}: {size} bytes, {of} says {declared}; {AGAIN}")
    return path


def changed_since(of: str) -> str:
    """Of a file whose hash is not the one in the file `of`."""
    return f"its sha256 is not the one in {of}; {AGAIN}"


def sha256_of(path: Path) -> str:
    """The sha256 of a file of any size, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()
