"""Being asked to stop: a signal is noted, and acted upon between two updates."""

import contextlib
import signal
from typing import Any

from halfstep.ending import asked_to_end


class Stop:
    """While entered, SIGINT and `asked_to_end` are noted instead of ending the process mid-step."""

    def __init__(self) -> None:
        self.signal = 0

    def __enter__(self) -> "Stop":
        self._before: dict[signal.Signals, Any] = {}
        with contextlib.suppress(ValueError):  # not the main thread: leave signals alone
            for number in (*asked_to_end(), signal.SIGINT):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: object) -> None:
        self.signal = number

    def raise_if_asked(self) -> None:
        """KeyboardInterrupt after SIGINT, SystemExit(128 + its number) after another."""
        if self.signal == signal.SIGINT:
            raise KeyboardInterrupt
        if self.signal:
            raise SystemExit(128 + self.signal)
