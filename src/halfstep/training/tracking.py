"""A run's figures in trackio, an experiment tracker that keeps them on this machine. An option: see `--track`."""

import contextlib
import os
import sys
from collections.abc import Generator
from pathlib import Path
from types import ModuleType

from halfstep.errors import NamedError

VARIABLE = "HALFSTEP_TRACK"
"""The project, for this process and those it starts; none where it is not set."""


class Tracker:
    """One run of a project, named for its folders. Nothing is sent: no server and no Space is named here."""

    def __init__(self, project: str, folder: Path) -> None:
        name = "-".join(folder.absolute().parts[-2:])
        with contextlib.redirect_stdout(sys.stderr):  # it greets on standard output, where --json goes
            self._run = tracker().init(
                project=project, name=name, resume="allow", auto_log_gpu=False, auto_log_cpu=False
            )

    def add(self, step: int, figures: dict[str, float]) -> None:
        self._run.log(figures, step=step)

    def close(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self._run.finish()


def tracker() -> ModuleType:
    """The module trackio. NamedError without it."""
    try:
        import trackio  # pyright: ignore[reportMissingImports]  no extra brings it
    except ModuleNotFoundError as error:
        if error.name != "trackio":
            raise
        raise NamedError("{track}: trackio is not installed; pip install trackio") from error
    return trackio


@contextlib.contextmanager
def tracked_in(project: str | None) -> Generator[None]:
    """What this process trains meanwhile is tracked in a project, if one is named. NamedError without trackio."""
    if not project:
        yield
        return
    tracker()
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = project
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def tracked(folder: Path) -> Tracker | None:
    """The tracker of a training's folder, where one was asked for."""
    project = os.environ.get(VARIABLE)
    return Tracker(project, folder) if project else None
