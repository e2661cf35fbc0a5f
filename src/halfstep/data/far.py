"""Tracks of a data set at an address: rows are read when they are asked for, none is kept, so no disk need hold it.

A window is one request for a range of bytes, and a batch's are asked for together; which they are follows from the
batch's number, as from a disk. Any address that fsspec reads; the extra `hub`, and for s3 the package s3fs.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from halfstep.data.stores import Rows
from halfstep.data.track_file import header_bytes
from halfstep.errors import InputError


class FarFolder:
    """A folder at an address. InputError, whatever the file system says, where something cannot be read."""

    def __init__(self, address: str) -> None:
        import fsspec

        self.address = address.rstrip("/")
        try:
            self._system, root = fsspec.core.url_to_fs(self.address)
        except ModuleNotFoundError:
            raise
        except Exception as fault:  # each file system has errors of its own
            raise self._fail("", fault) from fault
        self._root = root.rstrip("/")

    def read(self, name: str, most: int) -> bytes:
        """A whole file. InputError for one of more bytes."""
        try:
            data = self._system.cat_ranges([self._path(name)], [0], [most + 1], on_error="raise")[0]
        except Exception as fault:
            raise self._fail(name, fault) from fault
        if len(data) > most:
            raise InputError(f"{self.address}/{name}: more than {most} bytes; that is no file of a data set")
        return data

    def sizes(self, folder: str) -> dict[str, int]:
        """The bytes of every file in a folder, by FOLDER/NAME."""
        try:
            entries = self._system.ls(self._path(folder), detail=True)
        except Exception as fault:
            raise self._fail(folder, fault) from fault
        return {f"{folder}/{str(one['name']).rpartition('/')[2]}": int(one.get("size") or 0) for one in entries}

    def ranges(self, wanted: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Of each (name, start, stop) the bytes, all of them asked for together."""
        names, starts, stops = zip(*wanted, strict=True)
        try:
            paths = [self._path(name) for name in names]
            parts = self._system.cat_ranges(paths, list(starts), list(stops), on_error="raise")
        except Exception as fault:
            raise self._fail(names[0], fault) from fault
        for (name, start, stop), part in zip(wanted, parts, strict=True):
            if len(part) != stop - start:
                said = f"{len(part)} bytes at {start}, {stop - start} expected"
                raise InputError(f"{self.address}/{name}: {said}; prepare again")
        return parts

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}" if self._root else name

    def _fail(self, name: str, fault: Exception) -> InputError:
        said = " ".join(str(fault).split())[:200] or type(fault).__name__
        return InputError(f"{self.address}/{name}: cannot be read ({said})")


class FarRows:
    """Rows [frames, width] of a track there; a slice of it is an array."""

    def __init__(self, folder: FarFolder, name: str, dtype: np.dtype[Any], width: int, span: tuple[int, int]) -> None:
        """span: its first row in the file `name`, and the one after its last."""
        self.folder, self._name, self.dtype, self._width = folder, name, dtype, width
        self._first, self._frames = span[0], span[1] - span[0]
        self._head = header_bytes(width, dtype)

    @property
    def shape(self) -> tuple[int, int]:
        return self._frames, self._width

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, rows: slice) -> Rows:
        return read_together([(self, rows)])[0]

    def place(self, rows: slice) -> tuple[str, int, int]:
        """Where those rows lie: the file, its first byte of them, and the one after the last."""
        start, stop, step = rows.indices(self._frames)
        assert step == 1, "rows are read as they lie"
        row = self._width * self.dtype.itemsize
        return self._name, self._head + (self._first + start) * row, self._head + (self._first + max(start, stop)) * row

    def decoded(self, data: bytes) -> Rows:
        return np.frombuffer(data, self.dtype).reshape(-1, self._width)


def read_together(wanted: Sequence[tuple[FarRows, slice]]) -> list[Rows]:
    """The rows of each, in one request for all. All of them are in one folder."""
    parts = wanted[0][0].folder.ranges([rows.place(span) for rows, span in wanted])
    return [rows.decoded(part) for (rows, _), part in zip(wanted, parts, strict=True)]
