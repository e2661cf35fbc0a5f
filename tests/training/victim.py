"""What a child process runs: a small training, or a command line, that is to be killed at a chosen place.

Started by `apart` (conftest.py) through runpy, with JOB among its globals.
"""

import errno
import itertools
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

from halfstep.nets.blocks import Sizes
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.paper_unet1d import PaperUNet1d, PaperUNet1dConfig
from halfstep.nets.unet1d import UNet1d, UNet1dConfig
from halfstep.training import loop
from halfstep.training.denoising import DiffusionConfig, denoising_loss
from halfstep.training.example import Example
from halfstep.training.log import TrainingLog
from halfstep.training.loop import train
from halfstep.training.team import joined
from halfstep.training.train_config import TrainConfig

TEAM_NET = UNet1dConfig(widths=(16, 16), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=8)
NET = PaperUNet1dConfig(widths=(8, 16), kernels=(3,), attention_heads=2, embedding=8)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def small_training(folder: Path, steps: int, save_seconds: float, kill: list[Any]) -> None:
    """Of the paper's network, so that running statistics are part of the state. kill: [place, step] or []."""

    def pass_by(place: str, step: int) -> None:
        if [place, step] == kill:
            die()

    def batch(number: int) -> Example:
        pass_by("batch", number)
        x = np.random.default_rng(number).standard_normal((4, 6, 8), dtype=np.float32)
        return Example(x=torch.from_numpy(x), condition=Condition())

    denoise = denoising_loss(DiffusionConfig(parameterization="v", weight="snr+1"))
    updates = itertools.count()

    def loss(denoiser: Denoiser, example: Example, random: loop.StepRandom) -> torch.Tensor:
        pass_by("loss", next(updates))
        return denoise(denoiser, example, random)

    class Observer:
        def measure(self, denoiser: Denoiser) -> dict[str, float]:
            pass_by("measure", 0)
            return {"first_weight": next(denoiser.parameters()).flatten()[0].item()}

        def sample(self, denoiser: Denoiser, step: int) -> None:
            pass_by("sample", step)

    torch.manual_seed(0)
    config = TrainConfig(
        steps=steps, batch_size=4, warmup_steps=3, precision="fp32", compile=False, log_every=2,
        measure_every=5, sample_every=10,
        save_seconds=save_seconds,
    )  # fmt: skip
    train(
        Denoiser(PaperUNet1d(NET, Sizes(channels=6)), "v"), loss, batch, folder, config, Observer(),
        torch.device("cpu"), lambda done, of, line: pass_by("progress", done),
    )  # fmt: skip


def team_training(folder: Path, steps: int, settings: dict[str, Any], kill: int | None) -> None:
    """One process's part of a training whose batches have 8 clips. kill: dies as it is asked for that batch."""

    def batch(number: int) -> Example:
        if number == kill:
            die()
        rng = np.random.default_rng(number)
        x, known = rng.standard_normal((8, 6, 8), dtype=np.float32), rng.random((8, 1, 8)) < 0.3
        held = torch.from_numpy(known.astype(np.float32))
        seen = torch.from_numpy(x) * held
        return Example(x=torch.from_numpy(x), condition=Condition(aligned=torch.cat([seen, held], 1)), known=held)

    class Observer:
        def measure(self, denoiser: Denoiser) -> dict[str, float]:
            return {"weights": sum(p.double().square().sum().item() for p in denoiser.parameters())}

        def sample(self, denoiser: Denoiser, step: int) -> None:
            return None

    torch.manual_seed(0)
    config = TrainConfig(
        steps=steps, batch_size=8, warmup_steps=3, precision="fp32", compile=False, log_every=1, measure_every=5,
        **settings,
    )  # fmt: skip
    net = UNet1d(TEAM_NET, Sizes(channels=6, aligned=7))
    with joined(torch.device("cpu")):
        train(
            Denoiser(net, "v"), denoising_loss(DiffusionConfig(parameterization="v", weight="snr+1")), batch, folder,
            config, Observer(), torch.device("cpu"), lambda done, of, line: None,
        )  # fmt: skip


def die_while_saving(step: int, event: int) -> None:
    """SIGKILL right before the event-th of the calls that saving `step` is made of; before the first, and with
    half of the file written, for event 0."""
    real_save, armed, events = loop.save_checkpoint, [], itertools.count(1)

    def save(folder: Path, at: int, *rest: Any) -> Path:
        if at == step:
            armed.append(True)
        path = real_save(folder, at, *rest)
        armed.clear()
        return path

    def dying(real: Callable) -> Callable:
        def call(*args: Any, **options: Any) -> Any:
            if armed and next(events) == event:
                die()
            return real(*args, **options)

        return call

    real_write = Path.write_bytes

    def write_bytes(path: Path, content: bytes) -> int:
        if armed and event == 0:
            real_write(path, content[: len(content) // 2])
            die()
        return real_write(path, content)

    mock.patch.object(loop, "save_checkpoint", save).start()
    mock.patch.object(Path, "write_bytes", write_bytes).start()
    for name in ("fsync", "replace", "unlink"):
        mock.patch.object(os, name, dying(getattr(os, name))).start()


def at_log_line(step: int, act: Callable[[], None]) -> None:
    """Do something as the log is told of `step`."""
    real = TrainingLog.log

    def log(journal: TrainingLog, at: int, **figures: float) -> None:
        real(journal, at, **figures)
        if at == step:
            act()

    mock.patch.object(TrainingLog, "log", log).start()


def leave_the_network() -> None:
    """As `unshare -n` does; exit code 77 where that is not allowed."""
    import ctypes
    import socket

    if ctypes.CDLL(None).unshare(0x40000000) != 0:
        sys.exit(77)
    try:
        socket.create_connection(("127.0.0.1", 9), 1)
    except OSError as refused:
        if refused.errno == errno.ENETUNREACH:
            return
        raise
    raise AssertionError("something was reached")


def wait_for(path: Path) -> None:
    path.with_suffix(".waiting").touch()
    while not path.exists():
        time.sleep(0.02)


def run(job: dict[str, Any]) -> None:
    if "stderr" in job:
        sys.stderr = Path(job["stderr"]).open("a", buffering=1)
    logging.basicConfig(stream=sys.stderr)
    for name, value in job.get("team", {}).items():
        os.environ[name] = str(value)
    if "save_event" in job:
        die_while_saving(*job["save_event"])
    if "signal_at" in job:
        step, number = job["signal_at"]
        if signal.getsignal(number) is signal.SIG_IGN:  # by whoever runs the tests, as nohup does
            signal.signal(number, signal.SIG_DFL)
        at_log_line(step, lambda: os.kill(os.getpid(), number))
    if "wait_at" in job:
        step, path = job["wait_at"]
        at_log_line(step, lambda: wait_for(Path(path)))
    if "no_network" in job:
        leave_the_network()
    if "as_user" in job:
        os.setegid(job["as_user"])
        os.seteuid(job["as_user"])
    if "command" in job:
        from halfstep.app import cli
        from halfstep.training import drawing

        mock.patch.object(drawing, "write_samples").start()  # drawing takes longer than the rest
        sys.exit(cli.run(job["command"]))
    if "settings" in job:
        return team_training(Path(job["folder"]), job["steps"], job["settings"], job.get("kill"))
    small_training(Path(job["folder"]), job["steps"], job.get("save_seconds", 0.0), job.get("kill", []))


run(JOB)  # pyright: ignore[reportUndefinedVariable]
