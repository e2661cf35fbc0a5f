"""The bytes below libsndfile: a file that keeps its errors until asked, since C code cannot raise them."""

import os
from typing import BinaryIO


class RawFile:
    """What soundfile needs of a file, without exceptions: on their way through C they are printed and lost.

    After a failure reads and writes give 0 bytes, which ends the work of a decoder or encoder; `check` then
    raises what happened. A seek outside the file, as broken headers ask for, stays where it was.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._failure: OSError | None = None

    def check(self) -> None:
        """Raise the first OSError that a read or write met."""
        if self._failure is not None:
            raise self._failure

    def readinto(self, buffer: memoryview) -> int:
        return self._guarded(lambda: self._read_all(buffer))

    def write(self, data: bytes) -> int:
        return self._guarded(lambda: self._file.write(data))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()

    def _read_all(self, buffer: memoryview) -> int:
        return self._file.readinto(buffer)  # type: ignore[attr-defined]

    def _guarded(self, work) -> int:
        if self._failure is not None:
            return 0
        try:
            return work()
        except OSError as error:
            self._failure = error
            return 0
