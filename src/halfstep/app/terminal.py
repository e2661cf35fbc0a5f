"""What reaches a terminal: whatever its alphabet, whether or not it is there, and never as a command to it."""

import os
import sys
from contextvars import ContextVar
from io import TextIOBase
from typing import TextIO, cast

from halfstep.printable import printable

QUIET: ContextVar[bool] = ContextVar("QUIET", default=False)
"""Whether --quiet was given: no progress, and none of the lines that only say how it went."""
STANDARD = 3
"""Descriptors that every program has: 0, 1, 2."""


class Unbreakable(TextIOBase):
    """A stream whose reader may go away: what is said then is lost, and the work goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        return not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:
        return self._stream.encoding


def make_safe() -> None:
    """Of this process: descriptors that were closed are open on nothing, so that no file takes their numbers; what an
    alphabet lacks is escaped; what stderr cannot take is lost.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < STANDARD:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 (for good)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        setattr(sys, name, stream)
    sys.stderr = cast(TextIO, Unbreakable(sys.stderr))


def note(text: str, aside: bool = False) -> None:
    """The same for lines that only say how it went; nothing under --quiet. aside: on stderr."""
    if not QUIET.get():
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr if aside else sys.stdout)


def say(text: str) -> None:
    """Print lines of which parts are another's: their control characters are escaped."""
    print("\n".join(map(printable, text.split("\n"))))
