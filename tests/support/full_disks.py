"""A disk of any size, without mounting one: what Python writes in a folder, counted."""

import builtins
import errno
import io
import math
import os
from pathlib import Path
from typing import Any

import pytest

REAL_OPEN = open


class Disk:
    """A folder, in which `left` more bytes can be written by `open` and what stands on it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.left, self.refused = folder, math.inf, 0
        monkeypatch.setattr(builtins, "open", self._open)
        monkeypatch.setattr(io, "open", self._open)

    def _open(self, file: Any, mode: str = "r", buffering: int = -1, encoding=None, errors=None, newline=None, **more):
        inside = isinstance(file, (str, os.PathLike)) and Path(file).absolute().is_relative_to(self.folder)
        if not inside or not set(mode) & set("wax+"):
            return REAL_OPEN(file, mode, buffering, encoding, errors, newline, **more)
        raw = _Counted(self, REAL_OPEN(file, mode.replace("t", "").replace("b", "") + "b", 0))
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)


class _Counted(io.RawIOBase):
    """A file whose writes take from the disk's room: what fits, then nothing, as the system does it."""

    def __init__(self, disk: Disk, file: Any) -> None:
        self._disk, self._file = disk, file
        self.name, self.mode = file.name, file.mode

    def write(self, data: Any) -> int:
        data = memoryview(data).cast("B")
        part = data if self._disk.left >= len(data) else data[: int(self._disk.left)]
        if len(data) and not len(part):
            self._disk.refused += 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._disk.left -= len(part)
        return self._file.write(part)

    def readinto(self, buffer: Any) -> int:
        return self._file.readinto(buffer)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None) -> int:
        return self._file.truncate(size)

    def fileno(self) -> int:
        return self._file.fileno()

    def readable(self) -> bool:
        return self._file.readable()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        if not self.closed:
            self._file.close()
            super().close()
