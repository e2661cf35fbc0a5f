"""A small data set made by hand, and trainings in processes that may be killed."""

import json
import multiprocessing
import runpy
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from halfstep.training.log import read_log

VICTIM = Path(__file__).with_name("victim.py")
PRELOADED = [
    "halfstep.runs.train", "halfstep.app.cli", "torch.utils.tensorboard", "matplotlib.figure", "torch._dynamo",
]  # fmt: skip
TINY = [
    "net.widths=[16, 16]", "net.blocks=[1, 1]", "net.attention_heads=4", "net.embedding=8", "music.frames=24",
    "train.batch_size=4", "train.log_every=2", "train.measure_every=20", "train.warmup_steps=3",
]  # fmt: skip
"""The preset `tiny`, smaller."""


class Apart:
    """Runs victim.py in children that are forked off a server which has loaded what they need, and computed nothing."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def start(self, **job: Any) -> BaseProcess:
        """The child, running."""
        child = self._context.Process(target=runpy.run_path, args=(str(VICTIM), {"JOB": job}, "victim"))
        child.start()
        return child

    def __call__(self, **job: Any) -> int | None:
        """The child's exit code."""
        child = self.start(**job)
        child.join()
        return child.exitcode


@pytest.fixture(scope="session")
def apart() -> Apart:
    return Apart()


@pytest.fixture(scope="session")
def command():
    """command(data, run, steps=12) -> the words of a small `halfstep train`."""

    def words(data: Path, run: Path, steps: int = 12) -> list[str]:
        settings = [word for setting in TINY for word in ("--set", setting)]
        return ["train", str(data), "--out", str(run), "--preset", "tiny", "--steps", str(steps), *settings]

    return words


@pytest.fixture(scope="session")
def left():
    """left(folder) -> all that a run leaves which must not depend on how often it was cut: the last checkpoint's
    bytes, byte for byte, and the log but for timing."""

    def what(folder: Path) -> tuple[str, bytes, list[dict]]:
        last = max((folder / "checkpoints").glob("step-*.safetensors"))
        log = [{k: v for k, v in line.items() if k != "windows_per_second"} for line in read_log(folder)]
        assert json.dumps(log, allow_nan=False)
        return last.name, last.read_bytes(), log

    return what
