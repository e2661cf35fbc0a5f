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
        if self._failure is not None:
            return 0
        try:
            return self._file.readinto(buffer)  # pyright: ignore[reportAttributeAccessIssue]
        except OSError as error:
            self._failure = error
            return 0

    def write(self, data: bytes) -> int:
        if self._failure is not None:
            return 0
        try:
            return self._file.write(data)
        except OSError as error:
            self._failure = error
            return 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._file.seek(offset, whence)
        except (OSError, ValueError, OverflowError):
            return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()
