"""The log of a run: JSON lines always, TensorBoard beside them."""

import json
import math
import os
import time
from pathlib import Path
from typing import Any, Self

from tensorboard.compat.proto.event_pb2 import Event, SessionLog  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.compat.proto.summary_pb2 import Summary  # pyright: ignore[reportAttributeAccessIssue]
from tensorboard.summary.writer.record_writer import RecordWriter

from halfstep.atomic import remove_partials, replacing


class Journal:
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
        self._board = _Board(folder / "tensorboard", first_step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._board.close()
        finally:
            self._file.close()

    def log(self, step: int, **figures: float) -> None:
        """Add a line. What is not finite is null: JSON has no NaN."""
        told = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._file.write(json.dumps({"step": step, **told}, allow_nan=False) + "\n")
        self._file.flush()
        self._board.add(step, figures)
        self.last_logged = step

    def flush(self) -> None:
        """Put what is written on the disk: a checkpoint must not be ahead of its log."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._board.flush()


class _Board:
    """A TensorBoard event file, written in the caller's thread: one of the library's own outlives a full disk."""

    def __init__(self, folder: Path, first_step: int) -> None:
        folder.mkdir(exist_ok=True)
        self._records = RecordWriter((folder / f"events.out.tfevents.{time.time_ns()}.{os.getpid()}").open("xb"))
        self._write(0, file_version="brain.Event:2")
        self._write(first_step + 1, session_log=SessionLog(status=SessionLog.START))
        self.flush()

    def _write(self, step: int, **what: object) -> None:
        self._records.write(Event(wall_time=time.time(), step=step, **what).SerializeToString())

    def add(self, step: int, figures: dict[str, float]) -> None:
        values = [Summary.Value(tag=name, simple_value=value) for name, value in figures.items()]
        self._write(step, summary=Summary(value=values))

    def flush(self) -> None:
        self._records.flush()

    def close(self) -> None:
        self._records.close()


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
