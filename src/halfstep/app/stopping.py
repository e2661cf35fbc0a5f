"""Ctrl-C and SIGTERM while C code calls back into Python: it would lose an exception, so they wait."""

import contextlib
import signal
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn, TypeVar

from halfstep.app.failures import OF_A_SIGNAL
from halfstep.ending import asked_to_end

Block = TypeVar("Block")


def terminate(number: int, frame: FrameType | None) -> NoReturn:
    """End the command through its `finally` blocks, so that half-written files go: a handler for `asked_to_end`."""
    raise SystemExit(OF_A_SIGNAL + number)


@contextmanager
def stoppable(blocks: Iterable[Block]) -> Generator[Iterator[Block], None, None]:
    """The same blocks; SIGINT and `asked_to_end` end them, by an exception, before the next one."""
    noted: list[int] = []
    before: dict[int, Any] = {}

    def watched() -> Generator[Block, None, None]:
        for block in blocks:
            if noted:
                _raise(noted[0])
            yield block

    with contextlib.suppress(ValueError):  # not the main thread: signals are another's
        for number in (*asked_to_end(), signal.SIGINT):
            before[number] = signal.signal(number, lambda number, _: noted.append(number))
    try:
        yield watched()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if noted:
        _raise(noted[0])


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(OF_A_SIGNAL + number)
