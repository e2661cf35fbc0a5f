#!/usr/bin/env python3
"""From carried data to a distilled model in minutes, on a bare machine: Python, PyTorch, and this repository's src.

    PYTHONPATH=src python recipes/models/gpu_trip.py FILE... OUT --seconds 560 [--name piano] [--preset flagship]

FILEs are what recipes/models/carry.py wrote. The teacher trains for about 55 % of the seconds, the ladder for the rest,
most of that for the rungs that ship; both by the one training loop, in bf16, compiled, with the data in the card's
memory and the rate annealed by the clock.
OUT gets NAME-teacher.K.safetensors and NAME-NNNN.K.safetensors, each at most 15 MB, as soon as there is something worth
keeping, and again as it gets better: stopped at any moment, what is there can be used. They are in eight bits a weight,
or with --half in half precision. recipes/models/bring_back.py makes a run of them. The same command runs on a
processor, slowly.

Exit codes: 0 done, 2 the file is not as expected.
"""

import argparse
import re
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode
from weight_parts import save_in_parts

from halfstep.data.carried import joined, read_carried
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

TEACHER_SHARE = 0.55
RUNG_SHARES = {16: 0.17, 8: 0.17, 4: 0.4, 2: 0.11, 1: 0.15}
HELD_OUT = 32
CALIBRATED = 1024
FOREVER = 10**9


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


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
    """An observer that measures errors of held-out and of learned windows, and keeps the weights it is shown."""

    heldout: Example
    learned: Example
    stem: Path
    half: bool

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        for split, example in (("learned", self.learned), ("held out", self.heldout)):
            figures = errors_by_level(denoiser, example, SCHEDULES["cosine"]())
            chosen = {name: round(value, 4) for name, value in figures.items() if name.startswith("x_error")}
            say(f"{self.stem.name}: {split} {chosen}")
        return figures

    def sample(self, denoiser: Denoiser, step: int) -> None:
        save_in_parts(denoiser, self.stem, self.half)


class Speed:
    """Progress, with windows a second as a share of the device's matrix rate; no line is said twice."""

    def __init__(self, name: str, operations: float, rate: float) -> None:
        self._name, self._operations, self._rate = name, operations, rate
        self._said = ""

    def __call__(self, done: int, of: int, line: str) -> None:
        per_second = re.search(r"(\d+) windows/s", line)
        if per_second and line != self._said:
            self._said = line
            share = int(per_second[1]) * self._operations / self._rate
            say(f"{self._name} {done / of:.0%}: {line}, {share:.1%} of the matrix rate")


def resolved(options: argparse.Namespace) -> Experiment:
    """The preset with this trip's batches, rates, times and precision."""
    experiment = PRESETS[options.preset]()
    training = replace(
        experiment.train, steps=FOREVER, epochs=None,
        batch_size=options.batch, learning_rate=options.learning_rate, warmup_steps=200, ema_decay=0.999,
        precision=options.precision, compile=options.compile, nonfinite_allowed=20, log_every=options.log_every,
        measure_every=options.measure_every, sample_every=options.measure_every, save_seconds=1e9,
    )  # fmt: skip
    distill = replace(
        experiment.distill, updates=FOREVER, batch_size=options.batch, learning_rate=options.rung_rate,
        teacher_precision="same",
    )  # fmt: skip
    return replace(experiment, train=training, distill=distill)


def travel(options: argparse.Namespace) -> None:
    """Teacher, then ladder, every network kept in OUT as it lands."""
    device = torch.device(options.device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    begun = time.monotonic()
    experiment, carried = resolved(options), joined([read_carried(file) for file in options.files])
    if carried.mel != experiment.mel or carried.components.count != experiment.task_as(MusicConfig).components:
        raise InputError(f"{options.files[0]}: carries {carried.mel}, preset {options.preset} wants {experiment.mel}")
    rate = matrix_rate(device)
    say(f"{device}, {rate / 1e12:.1f} TFLOP/s of matrix products, {carried.hours:.2f} hours of music")
    task = Music(experiment.task_as(MusicConfig), carried.components)
    windows, heldout = (
        DeviceWindows(carried, split, experiment.task_as(MusicConfig), device) for split in ("train", "heldout")
    )
    look, learned = heldout.evenly(HELD_OUT), windows.evenly(HELD_OUT)
    torch.manual_seed(experiment.train.seed)
    denoiser = experiment.build(task).to(device)
    first = windows.batches(CALIBRATED, CALIBRATED)(0)
    denoiser.calibrate(first.x, first.condition)
    with FlopCounterMode(display=False) as counter:
        one_pass(denoiser, heldout.evenly(1))
    operations = 3 * counter.get_total_flops()  # forward, and backward for inputs and weights
    parameters = sum(p.numel() for p in denoiser.parameters())
    say(f"{parameters / 1e6:.1f} M parameters, {operations / 1e9:.1f} GFLOP to learn from a window")

    stem = options.out / f"{options.name}-teacher"
    folder = options.work / options.name
    speed = Speed(stem.name, operations, rate)
    training = replace(experiment.train, seconds=max(1.0, TEACHER_SHARE * options.seconds - (time.monotonic() - begun)))
    average = train(
        denoiser, denoising_loss(experiment.diffusion), windows.batches(options.batch), folder / "teacher",
        training, Keeper(look, learned, stem, options.half), device, speed,
    )  # fmt: skip
    save_in_parts(average, stem, options.half)
    del denoiser

    def landed(num_steps: int, student: Denoiser, _: Denoiser) -> None:
        save_in_parts(student, options.out / f"{options.name}-{num_steps:04d}", options.half)

    current, shares = frozen(average), 1.0
    for index, num_steps in enumerate(experiment.distill.rungs(1)):
        left = options.seconds - (time.monotonic() - begun)
        share = RUNG_SHARES.get(num_steps, 0.1)
        distill = replace(
            experiment.distill,
            seconds=max(1.0, left * share / shares),
            guidance=experiment.distill.guidance if index == 0 else 0.0,
        )
        shares = max(1e-3, shares - share)
        current = climb(
            current, [num_steps], distill, training, lambda num_steps: windows.batches(options.batch, num_steps),
            folder / "ladder",
            lambda num_steps: Keeper(look, learned, options.out / f"{options.name}-{num_steps:04d}", options.half),
            device, Speed(f"{options.name} ladder", operations * 5 / 3, rate), landed,
            experiment.diffusion,
        )  # fmt: skip
    say("done")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="From carried data to a distilled model.")
    parser.add_argument("files", type=Path, metavar="FILE", nargs="+")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seconds", type=float, default=560, help="for teacher and ladder together")
    parser.add_argument("--name", default="model", help="what the files begin with")
    parser.add_argument("--preset", choices=PRESETS, default="flagship")
    parser.add_argument("--work", type=Path, default=Path("trip"), help="folder for logs and checkpoints")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--half", action="store_true", help="leave weights in half precision, not in bytes")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--rung-rate", type=float, default=3e-4)
    parser.add_argument("--precision", choices=("bf16", "fp32", "auto"), default="bf16")
    parser.add_argument("--no-compile", dest="compile", action="store_false")
    parser.add_argument("--log-every", type=int, default=200)
    parser.add_argument("--measure-every", type=int, default=2000)
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
