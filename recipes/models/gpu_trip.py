#!/usr/bin/env python3
"""From carried data to a distilled model in minutes, on a bare machine: Python, PyTorch, and this repository's src.

    PYTHONPATH=src python recipes/models/gpu_trip.py FILE OUT --seconds 400 [--name piano] [--preset flagship]

FILE is what recipes/models/carry.py wrote. The teacher trains for about 60 % of the seconds, the ladder for the rest;
both by the one training loop, in bf16, compiled, with the data in the card's memory and the rate annealed by the clock.
OUT gets NAME-teacher.K.safetensors and NAME-NNNN.K.safetensors in half precision, each at most 15 MB, as soon as there
is something worth keeping, and again as it gets better: stopped at any moment, what is there can be used.
recipes/models/bring_back.py makes a run of them. The same command runs on a processor, slowly.

Exit codes: 0 done, 2 the file is not as expected.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from halfstep.atomic import replacing
from halfstep.data.carried import read_carried
from halfstep.diffusion.schedule import SCHEDULES
from halfstep.errors import InputError
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.experiment import Experiment
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.on_device import DeviceWindows
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.denoising import denoising_loss
from halfstep.training.example import Example
from halfstep.training.ladder import climb, frozen
from halfstep.training.loop import train
from halfstep.training.observe import errors_by_level, one_pass

LARGEST_FILE = 15_000_000
TEACHER_SHARE = 0.6
HELD_OUT = 32
FOREVER = 10**9


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def save_in_parts(network: nn.Module, stem: Path) -> None:
    """Weights in half precision as STEM.0.safetensors, STEM.1..., none above LARGEST_FILE; each whole or absent."""
    parts: list[dict[str, torch.Tensor]] = [{}]
    room = LARGEST_FILE
    for name, tensor in network.state_dict().items():
        half = tensor.detach().to("cpu", torch.float16).contiguous()
        if half.nbytes > room and parts[-1]:
            parts.append({})
            room = LARGEST_FILE
        parts[-1][name] = half
        room -= half.nbytes
    for number, part in enumerate(parts):
        with replacing(stem.with_name(f"{stem.name}.{number}.safetensors")) as partial:
            save_file(part, partial)


def matrix_rate(device: torch.device) -> float:
    """Operations a second of a large matrix product: what the device could do at best."""
    size, dtype = (8192, torch.bfloat16) if device.type == "cuda" else (1024, torch.float32)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    rounds = 8
    for _ in range(2):
        _ = a @ b
    synchronise(device)
    begun = time.perf_counter()
    for _ in range(rounds):
        _ = a @ b
    synchronise(device)
    return rounds * 2 * size**3 / (time.perf_counter() - begun)


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


@dataclass
class Keeper:
    """An observer that measures held-out errors and keeps the weights it is shown."""

    heldout: Example
    stem: Path

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        figures = errors_by_level(denoiser, self.heldout, SCHEDULES["cosine"]())
        chosen = {name: round(value, 4) for name, value in figures.items() if name.startswith("x_error")}
        say(f"{self.stem.name}: held out {chosen}")
        return figures

    def sample(self, denoiser: Denoiser, step: int) -> None:
        save_in_parts(denoiser, self.stem)


class Speed:
    """Progress as windows a second, and as a share of the device's matrix rate."""

    def __init__(self, name: str, batch: int, operations: float, rate: float) -> None:
        self._name, self._batch, self._operations, self._rate = name, batch, operations, rate
        self._done, self._at = 0, time.perf_counter()

    def __call__(self, done: int, of: int, line: str) -> None:
        now, done = time.perf_counter(), done % FOREVER
        if done < self._done:  # another rung
            self._done, self._at = 0, now
        per_second = self._batch * (done - self._done) / max(1e-9, now - self._at)
        self._done, self._at = done, now
        share = per_second * self._operations / self._rate
        say(f"{self._name} {done}: {line.split(',')[0]}, {per_second:.0f} windows/s, {share:.1%} of the matrix rate")


def resolved(options: argparse.Namespace) -> Experiment:
    """The preset with this trip's batches, rates, times and precision."""
    experiment = PRESETS[options.preset]()
    rungs = len(experiment.distill.rungs(1))
    training = replace(
        experiment.train, steps=FOREVER, epochs=None, seconds=TEACHER_SHARE * options.seconds,
        batch_size=options.batch, learning_rate=options.learning_rate, warmup_steps=200, ema_decay=0.999,
        precision=options.precision, compile=options.compile, nonfinite_allowed=20, log_every=options.log_every,
        measure_every=FOREVER, sample_every=2000, save_seconds=1e9,
    )  # fmt: skip
    distill = replace(
        experiment.distill, updates=FOREVER, seconds=(1 - TEACHER_SHARE) * options.seconds / rungs,
        batch_size=options.batch, learning_rate=options.rung_rate,
    )  # fmt: skip
    return replace(experiment, train=training, distill=distill)


def travel(options: argparse.Namespace) -> None:
    """Teacher, then ladder, every network kept in OUT as it lands."""
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    experiment, carried = resolved(options), read_carried(options.file)
    if carried.mel != experiment.mel or carried.components.count != experiment.task_as(MusicConfig).components:
        raise InputError(f"{options.file}: carries {carried.mel}, preset {options.preset} wants {experiment.mel}")
    rate = matrix_rate(device)
    say(f"{device}, {rate / 1e12:.1f} TFLOP/s of matrix products, {carried.hours:.2f} hours of music")
    task = Music(experiment.task_as(MusicConfig), carried.components)
    windows, heldout = (
        DeviceWindows(carried, split, experiment.task_as(MusicConfig), device) for split in ("train", "heldout")
    )
    look = heldout.evenly(HELD_OUT)
    torch.manual_seed(experiment.train.seed)
    denoiser = experiment.build(task).to(device)
    with FlopCounterMode(display=False) as counter:
        one_pass(denoiser, heldout.evenly(1))
    operations = 3 * counter.get_total_flops()  # forward, and backward for inputs and weights
    parameters = sum(p.numel() for p in denoiser.parameters())
    say(f"{parameters / 1e6:.1f} M parameters, {operations / 1e9:.1f} GFLOP to learn from a window")

    stem = options.out / f"{options.name}-teacher"
    folder = options.work / options.name
    speed = Speed(stem.name, options.batch, operations, rate)
    average = train(
        denoiser, denoising_loss(experiment.diffusion), windows.batches(options.batch), folder / "teacher",
        experiment.train, Keeper(look, stem), device, speed,
    )  # fmt: skip
    save_in_parts(average, stem)
    del denoiser

    def landed(num_steps: int, student: Denoiser, _: Denoiser) -> None:
        save_in_parts(student, options.out / f"{options.name}-{num_steps:04d}")

    teacher = frozen(average)
    climb(
        teacher, experiment.distill.rungs(1), experiment.distill, experiment.train,
        lambda num_steps: windows.batches(options.batch, num_steps), folder / "ladder",
        lambda num_steps: Keeper(look, options.out / f"{options.name}-{num_steps:04d}"), device,
        Speed(f"{options.name} ladder", options.batch, operations * 5 / 3, rate), landed,
        experiment.diffusion,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="From carried data to a distilled model.")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seconds", type=float, default=400, help="for teacher and ladder together")
    parser.add_argument("--name", default="model", help="what the files begin with")
    parser.add_argument("--preset", choices=PRESETS, default="flagship")
    parser.add_argument("--work", type=Path, default=Path("trip"), help="folder for logs and checkpoints")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--rung-rate", type=float, default=3e-4)
    parser.add_argument("--precision", choices=("bf16", "fp32", "auto"), default="bf16")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--log-every", type=int, default=200)
    parser.add_argument("--device")
    options = parser.parse_args(arguments)
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        travel(options)
    except InputError as error:
        print(f"gpu_trip: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
