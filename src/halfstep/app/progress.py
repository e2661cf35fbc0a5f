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
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[word]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(title, word="")
        yield lambda done, of, word: bars.update(task, completed=done, total=of, word=word)


def _lines(title: str) -> Report:
    """A reporter that prints at most one line in ten seconds, and none for work shorter than that."""
    last = time.monotonic()

    def report(done: float, of: float, word: str) -> None:
        nonlocal last
        if time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(f"{title} {done / of:.0%} {word}".rstrip() if of else title, file=sys.stderr, flush=True)

    return report
