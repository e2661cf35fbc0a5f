"""The log of a run: JSON lines always, TensorBoard beside them where it is installed."""

import json
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from halfstep.atomic import remove_partials, replacing
from halfstep.training.team import team
from halfstep.training.tracking import tracked

if TYPE_CHECKING:
    from halfstep.training.board import Board

SAMPLES = "samples"
"""Where an observer writes what it samples, as step-00000100.png, .flac or .wav."""


class TrainingLog:
    """`folder`/log.jsonl, one object a line with its step; lines after `first_step` (a killed run's) are dropped."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self.path = folder / "log.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        remove_partials(folder)
        kept = [line for line, facts in _lines(self.path) if facts["step"] <= first_step]
        with replacing(self.path) as partial:
            partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self.last_logged = first_step
        self._file = self.path.open("a", encoding="utf-8")
        self._board = _board(folder / "tensorboard", first_step)
        self._tracker = tracked(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._board is not None:
                self._board.close()
            if self._tracker is not None:
                self._tracker.close()
        finally:
            self._file.close()

    def log(self, step: int, **figures: float) -> None:
        """Add a line. What is not finite is null: JSON has no NaN."""
        finite = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._file.write(json.dumps({"step": step, **finite}, allow_nan=False) + "\n")
        self._file.flush()
        if self._board is not None:
            self._board.add(step, figures)
        if self._tracker is not None:
            self._tracker.add(step, figures)
        self.last_logged = step

    def show(self, step: int) -> None:
        """Samples of this step, pictures and sounds that lie in `folder`/samples, on TensorBoard."""
        if self._board is not None:
            for path in sorted((self.path.parent / SAMPLES).glob(f"step-{step:08d}*")):
                self._board.show(step, path)

    def flush(self) -> None:
        """Put what is written on the disk: a checkpoint must not be ahead of its log."""
        self._file.flush()
        os.fsync(self._file.fileno())
        if self._board is not None:
            self._board.flush()


class NoJournal:
    """A `TrainingLog` that keeps nothing: of every process but the first."""

    def __init__(self, first_step: int) -> None:
        self.last_logged = first_step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def log(self, step: int, **figures: float) -> None:
        self.last_logged = step

    def show(self, step: int) -> None:
        """Nothing: the first process does."""

    def flush(self) -> None:
        return None


def open_journal(folder: Path, first_step: int) -> TrainingLog | NoJournal:
    """The journal of this process's training."""
    return TrainingLog(folder, first_step) if team().leads else NoJournal(first_step)


def _board(folder: Path, first_step: int) -> "Board | None":
    """None on a bare machine, where a run is made in a given time."""
    try:
        from halfstep.training.board import Board
    except ModuleNotFoundError as fault:
        if fault.name is None or fault.name.partition(".")[0] != "tensorboard":
            raise
        return None
    return Board(folder, first_step)


def _lines(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Whole lines, and what they say; what a kill or a disk left torn is dropped."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [(line, facts) for line in lines if (facts := _facts(line)) is not None]


def _facts(line: str) -> dict[str, Any] | None:
    """None for a line that is not whole."""
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return facts if isinstance(facts, dict) and isinstance(facts.get("step"), int) else None


def read_log(folder: Path) -> list[dict[str, Any]]:
    """Every line of the run's log."""
    return [facts for _, facts in _lines(folder / "log.jsonl")]
