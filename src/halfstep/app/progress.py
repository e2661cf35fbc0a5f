"""How far a long piece of work is: a bar on a terminal, a plain line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from halfstep.app.terminal import QUIET
from halfstep.printable import printable

Report = Callable[[float, float, str], None]
"""(done, of, a word on what is going on)."""

SECONDS_BETWEEN_LINES = 10.0
ESTIMATED_OVER_SECONDS = 600.0
"""How long the bar looks back to say how long the rest takes."""


@contextmanager
def progress(title: str) -> Generator[Report, None, None]:
    """What to call as the work goes on; on stderr, so that stdout is the result's alone. It never goes back."""
    if QUIET.get():
        yield lambda done, of, word: None
    elif sys.stderr.isatty():
        with _bar(printable(title)) as report:
            yield _onward(report)
    else:
        yield _onward(_lines(printable(title)))


class Remaining:
    """How long the rest takes, from how fast it went since the first report: what was done before does not count."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None

    def left(self, done: float, of: float) -> float | None:
        """Seconds; None where nothing was done since."""
        now = time.monotonic()
        if self._first is None:
            self._first = (done, now)
        begun, at = self._first
        return (now - at) * (of - done) / (done - begun) if done > begun else None


def lasting(seconds: float) -> str:
    """In words, as finely as it matters."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _onward(report: Report) -> Report:
    """Of work in stages that each begin at nothing: the farthest it came is shown until more is done."""
    farthest = 0.0

    def scaled(done: float, of: float, word: str) -> None:
        nonlocal farthest
        share = min(1.0, done / of) if of else 0.0
        if share >= farthest:
            farthest = share
            report(done, of, printable(word))
        else:
            report(farthest * of, of, printable(word))

    return scaled


@contextmanager
def _bar(title: str) -> Generator[Report, None, None]:
    # Late: it takes .1 s to import, and only a terminal needs it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[word]}", markup=False),
    )
    with Progress(
        *columns, console=Console(stderr=True), transient=True, speed_estimate_period=ESTIMATED_OVER_SECONDS
    ) as bars:
        tasks: list[TaskID] = []

        def report(done: float, of: float, word: str) -> None:
            if not tasks:  # where it begins, so that what was done before is no speed
                tasks.append(bars.add_task(title, total=of, completed=int(done), word=word))
            bars.update(tasks[0], completed=done, total=of, word=word)

        yield report


def _lines(title: str) -> Report:
    """A reporter that prints at most one line in ten seconds, and none for work shorter than that."""
    last, pace = time.monotonic(), Remaining()

    def report(done: float, of: float, word: str) -> None:
        nonlocal last
        left = pace.left(done, of)
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            rest = "" if left is None or left < 1 else f", about {lasting(left)} left"
            print(f"{title} {done / of:.0%} {word}".rstrip() + rest if of else title, file=sys.stderr, flush=True)

    return report
