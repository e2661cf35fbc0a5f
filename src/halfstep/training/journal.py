"""The log of a run: JSON lines always, TensorBoard beside them."""

import json
import math
import os
from pathlib import Path
from typing import Self

from torch.utils.tensorboard import SummaryWriter

from halfstep.atomic import remove_partials, replacing


class Journal:
    """`folder`/log.jsonl, one object a line with its step; lines after `first_step` (a killed run's) are dropped."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self.path = folder / "log.jsonl"
        folder.mkdir(parents=True, exist_ok=True)
        remove_partials(folder)
        kept = [line for line in _lines(self.path) if json.loads(line)["step"] <= first_step]
        with replacing(self.path) as partial:
            partial.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
        self.last_logged = first_step
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)
        self._file = self.path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._writer.close()

    def log(self, step: int, **figures: float) -> None:
        """Add a line. What is not finite is null: JSON has no NaN."""
        told = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._file.write(json.dumps({"step": step, **told}, allow_nan=False) + "\n")
        self._file.flush()
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self.last_logged = step

    def flush(self) -> None:
        """Put what is written on the disk: a checkpoint must not be ahead of its log."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._writer.flush()


def _lines(path: Path) -> list[str]:
    """Whole lines; a half-written last one is dropped."""
    if not path.exists():
        return []
    return [line for line in path.read_text(encoding="utf-8").split("\n")[:-1] if line.startswith("{")]


def read_log(folder: Path) -> list[dict]:
    """Every line of the run's log."""
    return [json.loads(line) for line in _lines(folder / "log.jsonl")]
