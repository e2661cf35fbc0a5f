"""The ladder: N -> N/2 -> ... -> K steps, each rung a call of the one training loop (Algorithm 1)."""

import contextlib
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import numpy as np
import torch
from torch import Tensor

from halfstep.diffusion.forms import noised
from halfstep.diffusion.schedule import Times, angle_between
from halfstep.diffusion.steps import ddim_step
from halfstep.diffusion.target import TwoStepWeights, two_step_target, two_step_weights
from halfstep.errors import InputError
from halfstep.nets.denoiser import Denoiser, as_column, rates_like
from halfstep.nets.guidance import Guided
from halfstep.training.checkpoint import load_tensors, save_tensors
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.example import Example
from halfstep.training.loop import Observer, Progress, train
from halfstep.training.loss import WEIGHTS, squared_v_error
from halfstep.training.pace import ON
from halfstep.training.step_random import LossFn, StepRandom
from halfstep.training.team import team
from halfstep.training.train_config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class DistillConfig:
    """start_steps: DDIM steps of the first teacher, K times a power of two. updates: a rung's, each rung alike;
    seconds: the longest time a rung may take, see `TrainConfig`.

    guidance: weight of the perturbed-attention guidance of the first teacher, which the first rung learns; 0 is off.
    pooled_guidance: likewise of its classifier-free guidance, where it can be asked for something.
    jump: from this time down sampling goes to 0 in one call (`jumping_times`): there a student keeps its teacher's own
    prediction, the mean, unguided. 0 is off; else a time of every rung but that of 1 step.
    teacher_precision: "fp32", or "same" as the student's: targets are small differences of large numbers, unless the
    network is preconditioned.
    weight: a key of WEIGHTS, on the student's error. Optimizer and annealing start again on every rung; there is no
    moving average, a rung's last raw weights are the next teacher (google-research/diffusion_distillation).
    """

    start_steps: int = 64
    updates: int = 1000
    seconds: float | None = None
    batch_size: int = 32
    learning_rate: float = 3e-4
    weight: str = "truncated-snr"
    guidance: float = 0.0
    pooled_guidance: float = 1.0
    jump: float = 0.0
    teacher_precision: str = "fp32"
    nonfinite_allowed: int = 10

    def __post_init__(self) -> None:
        if self.start_steps < 2 or self.start_steps & (self.start_steps - 1):
            raise ValueError(f"start_steps is {self.start_steps}: a power of two from 2 on was expected")
        if self.weight not in WEIGHTS:
            raise ValueError(f"weight is {self.weight!r}: one of {', '.join(WEIGHTS)} was expected")
        for name in ("guidance", "pooled_guidance"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 or more was expected")
        if self.jump not in (0.0, 0.5):
            raise ValueError(
                f"jump is {self.jump}: 0, or the 0.5 that every rung of 2 steps and more has, was expected"
            )
        if self.teacher_precision not in ("fp32", "same"):
            raise ValueError(f"teacher_precision is {self.teacher_precision!r}: one of fp32, same was expected")
        if self.updates < 1:
            raise ValueError(f"updates is {self.updates}: at least 1 was expected")
        self.training(TrainConfig(steps=1), 1)  # the rest is checked there

    def rungs(self, to: int) -> list[int]:
        """The students' steps, most first: start_steps / 2 down to `to`."""
        if to < 1 or to & (to - 1) or to >= self.start_steps:
            raise ValueError(f"to is {to}: a power of two below start_steps = {self.start_steps} was expected")
        return [2**k for k in range(self.start_steps.bit_length() - 2, to.bit_length() - 2, -1)]

    def training(self, base: TrainConfig, num_steps: int) -> TrainConfig:
        """How the rung of `num_steps` is trained; clipping, precision and intervals are the teacher's."""
        return TrainConfig(
            steps=self.updates, seconds=self.seconds, batch_size=self.batch_size, learning_rate=self.learning_rate,
            betas=base.betas, warmup_steps=0, anneal="linear", ema_decay=0.0, clip_norm=base.clip_norm,
            nonfinite_allowed=self.nonfinite_allowed,
            precision=base.precision, compile=base.compile, accumulate=base.accumulate, shard=base.shard,
            seed=base.seed + num_steps, log_every=base.log_every,
            measure_every=max(base.measure_every, self.updates), sample_every=max(base.sample_every, self.updates),
            save_seconds=base.save_seconds,
        )  # fmt: skip


Teacher: TypeAlias = Denoiser | Guided

COSINE = DiffusionConfig()
"""The cosine schedule, of which every step turns by the same angle, and times drawn evenly."""


def distillation_loss(
    teacher: Teacher, num_steps: int, weight: str, diffusion: DiffusionConfig = COSINE, exactly: bool = True,
    jump: float = 0.0,
) -> LossFn[Denoiser]:  # fmt: skip
    """The student's loss at N = `num_steps`: t = i / N, target = two DDIM steps of the teacher, nothing clipped.

    diffusion: how the teacher was trained: its schedule, and which times are drawn. exactly: the teacher runs in
    float32, whatever the student runs in. jump: up to this time the target is the teacher's v, see `DistillConfig`.
    """
    schedule, drawing, weigh = diffusion.process.noise, diffusion.drawing(), WEIGHTS[weight]

    @torch.no_grad()
    def target(z_t: Tensor, t: Times, example: Example) -> Tensor:
        between, after = t - 0.5 / num_steps, t - 1 / num_steps
        ends = [schedule.rates(time) for time in (t, between, after)]
        angles = angle_between(ends[0], ends[1]), angle_between(ends[1], ends[2])
        weights = TwoStepWeights(*(as_column(part, z_t) for part in two_step_weights(*angles)))
        at_t, at_mid = (rates_like(rates, z_t) for rates in ends[:2])
        with torch.autocast(z_t.device.type, enabled=False) if exactly else contextlib.nullcontext():
            v_first = example.hold(teacher(z_t, at_t, example.condition), z_t, at_t)
            z_mid = ddim_step(z_t, v_first, at_t, at_mid)
            v_second = example.hold(teacher(z_mid, at_mid, example.condition), z_mid, at_mid)
            landing = two_step_target(v_first, v_second, z_t, weights)
            return torch.where(as_column((t <= jump).astype(np.float64), z_t) > 0, v_first, landing)

    def loss(student: Denoiser, example: Example, random: StepRandom) -> Tensor:
        count = random.count(example.x)
        drawn = random.part.own(drawing.draw_student(random.rng, count, num_steps, student.history))
        times = np.where(drawn.times < jump, drawn.times + 1 - jump, drawn.times)  # no call is made below it
        at_t = rates_like(schedule.rates(times), example.x)
        z_t = noised(example.x, random.noise_like(example.x), at_t)
        v_hat = student(z_t, at_t, example.condition)
        errors = squared_v_error(v_hat, target(z_t, times, example), example.counted)
        return drawing.mean(weigh(at_t).flatten() * errors, drawn, student.history)

    return loss


def climb(
    teacher: Denoiser,
    rungs: list[int],
    config: DistillConfig,
    base: TrainConfig,
    batches: Callable[[int], Callable[[int], Example]],
    folder: Path,
    observe: Callable[[int], Observer[Denoiser]],
    device: torch.device,
    progress: Progress,
    landed: Callable[[int, Denoiser, Denoiser], None],
    diffusion: DiffusionConfig = COSINE,
) -> Denoiser:
    """Distil `teacher` (left untouched) rung by rung; return the last student.

    Each rung lives in `folder`/NNNN; one that is finished is loaded, one that was cut off goes on. `batches` and
    `observe` are given the rung's num_steps. `landed(num_steps, student, its teacher)` is called after every rung
    trained here or before. `diffusion`: how the teacher was trained.
    """
    current = frozen(teacher).to(device)
    for index, num_steps in enumerate(rungs):
        rung = folder / f"{num_steps:04d}"
        student = copy.deepcopy(current).requires_grad_(True)
        weights = rung / "student.safetensors"
        if weights.exists() and weights.with_suffix(".json").exists():
            load_student(student, weights)
        else:
            guided = index == 0 and (config.guidance or config.pooled_guidance)
            above = float(diffusion.process.noise.rates(np.array([config.jump])).sigma[0]) * (1 + 1e-6)
            shown = Guided(current, config.guidance, config.pooled_guidance, above) if guided else current
            runs = cast("Teacher", torch.compile(shown)) if base.compile == ON else shown
            exactly = config.teacher_precision == "fp32"
            loss = distillation_loss(runs, num_steps, config.weight, diffusion, exactly, config.jump)
            training = config.training(base, num_steps)
            rung_progress = _rung_of(progress, index, len(rungs), num_steps)
            student = train(
                student, loss, batches(num_steps), rung, training, observe(num_steps), device, rung_progress
            )
            if team().leads:
                save_tensors(weights, student.state_dict(), {"num_steps": num_steps})
        student = frozen(student)
        if team().leads:
            landed(num_steps, student, current)
        current = student
    return current


def _rung_of(progress: Progress, index: int, rungs: int, num_steps: int) -> Progress:
    """Progress of rung `index` as progress of the whole ladder."""
    return lambda done, of, line: progress(index * of + done, rungs * of, f"{num_steps} steps: {line}")


def load_student(student: Denoiser, weights: Path) -> None:
    """Fill `student` with what a finished rung left. InputError naming the file if it is not whole."""
    try:
        student.load_state_dict(load_tensors(weights)[0])
    except (ValueError, RuntimeError) as fault:
        raise InputError(f"{fault}; remove it, and its rung ends again from its last checkpoint") from None


def frozen(denoiser: Denoiser) -> Denoiser:
    """A copy that is never trained: eval() (running statistics, where a network has them) and no gradients."""
    return copy.deepcopy(denoiser).eval().requires_grad_(False)
