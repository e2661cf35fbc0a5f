"""Which times training draws: evenly, by noise level, or where the loss is large."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from halfstep.arrays import Float, Float64, Int
from halfstep.diffusion.schedule import Schedule, Times, draw_student_times, draw_times
from halfstep.nets.history import LEVELS, LossHistory

LOG_NORMAL_MEAN, LOG_NORMAL_DEVIATION = -1.2 + math.log(2), 1.2
"""Of log(sigma_t / alpha_t). EDM has -1.2 for data of deviation .5 (Karras et al. 2022, table 1)."""
GRID = 4096


@dataclass(frozen=True)
class Drawn:
    """times [n]; weights [n] that undo how often they were drawn, None for 1; levels [n], where they are remembered."""

    times: Float64[np.ndarray, "n"]
    weights: Float64[np.ndarray, "n"] | None = None
    levels: Int[np.ndarray, "n"] | None = None

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice) -> "Drawn":
        """What was drawn for some of the clips."""
        weights, levels = (None if part is None else part[rows] for part in (self.weights, self.levels))
        return Drawn(self.times[rows], weights, levels)


class TimeSampling(Protocol):
    """Draws times, and makes the batch's loss of its clips'."""

    def draw(self, rng: np.random.Generator, n: int, history: LossHistory | None) -> Drawn:
        """n times for a batch."""
        ...

    def draw_student(self, rng: np.random.Generator, n: int, num_steps: int, history: LossHistory | None) -> Drawn:
        """The same of a student's times, i / N with i in 1..N."""
        ...

    def mean(self, losses: Float[Tensor, "n"], drawn: Drawn, history: LossHistory | None) -> Float[Tensor, ""]:
        """The loss of a batch from its clips' [n]."""
        ...


@dataclass(frozen=True)
class Uniform:
    """t evenly."""

    schedule: Schedule

    def draw(self, rng: np.random.Generator, n: int, history: LossHistory | None) -> Drawn:
        return Drawn(draw_times(self.schedule, rng, n))

    def draw_student(self, rng: np.random.Generator, n: int, num_steps: int, history: LossHistory | None) -> Drawn:
        return Drawn(draw_student_times(rng, n, num_steps))

    def mean(self, losses: Float[Tensor, "n"], drawn: Drawn, history: LossHistory | None) -> Float[Tensor, ""]:
        return losses.mean()


@dataclass(frozen=True)
class LogNormal:
    """log(sigma_t / alpha_t) from a normal distribution, whatever the schedule: most where music takes shape."""

    schedule: Schedule

    def draw(self, rng: np.random.Generator, n: int, history: LossHistory | None) -> Drawn:
        return Drawn(_moved_up(self._anywhere(rng, n), self.schedule.chain))

    def draw_student(self, rng: np.random.Generator, n: int, num_steps: int, history: LossHistory | None) -> Drawn:
        return Drawn(_moved_up(self._anywhere(rng, n), num_steps))

    def _anywhere(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "{n}"]:
        wanted = rng.normal(LOG_NORMAL_MEAN, LOG_NORMAL_DEVIATION, n)
        grid = np.arange(GRID + 1) / GRID
        alpha, sigma = self.schedule.rates(grid)
        return np.maximum(np.interp(np.arctan(np.exp(wanted)), np.arctan2(sigma, alpha), grid), 0.5 / GRID)

    def mean(self, losses: Float[Tensor, "n"], drawn: Drawn, history: LossHistory | None) -> Float[Tensor, ""]:
        return losses.mean()


@dataclass(frozen=True)
class Importance:
    """Most where the loss is large, each weighted by how seldom it is drawn: the same mean, less noise in it."""

    schedule: Schedule

    def draw(self, rng: np.random.Generator, n: int, history: LossHistory | None) -> Drawn:
        return self._drawn(rng, n, self.schedule.chain, history)

    def draw_student(self, rng: np.random.Generator, n: int, num_steps: int, history: LossHistory | None) -> Drawn:
        return self._drawn(rng, n, num_steps, history)

    def _drawn(self, rng: np.random.Generator, n: int, steps: int | None, history: LossHistory | None) -> Drawn:
        assert history is not None, "times by loss, and a network that keeps no history of them"
        shares = history.shares()
        levels = rng.choice(LEVELS, n, p=shares)
        times = (levels + 1 - rng.random(n)) / LEVELS
        return Drawn(_moved_up(times, steps), 1 / (LEVELS * shares[levels]), levels)

    def mean(self, losses: Float[Tensor, "n"], drawn: Drawn, history: LossHistory | None) -> Float[Tensor, ""]:
        assert history is not None and drawn.weights is not None and drawn.levels is not None
        if torch.is_grad_enabled():
            history.remember(drawn.levels, losses)
        return (losses * torch.as_tensor(drawn.weights).to(losses)).mean()


def _moved_up(times: Times, steps: int | None) -> Times:
    """Each t moved up to the next of so many steps; None: left where it is."""
    return times if steps is None else np.ceil(times * steps) / steps


IMPORTANCE = "importance"
TIMES: dict[str, Callable[[Schedule], TimeSampling]] = {
    "uniform": Uniform,
    "log-normal": LogNormal,
    IMPORTANCE: Importance,
}
