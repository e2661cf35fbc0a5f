"""How noise grows with time: t in [0, 1] -> alpha_t, sigma_t, in float64."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from halfstep.arrays import Float64
from halfstep.diffusion.rates import Rates, cosine_rates


class Schedule(Protocol):
    """Rates at a time, and the times that training draws."""

    def rates(self, t: Float64[np.ndarray, "*times"]) -> Rates:
        """alpha_t, sigma_t (float64) of times t in [0, 1]."""
        ...

    def draw_times(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "{n}"]:
        """n times for a batch."""
        ...


@dataclass(frozen=True)
class CosineSchedule:
    """alpha_t = cos(pi t / 2), continuous in t; alpha_1 = 0, so that z_1 is noise and nothing else."""

    def rates(self, t: Float64[np.ndarray, "*times"]) -> Rates:
        return cosine_rates(t)

    def draw_times(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "{n}"]:
        """Uniform in (0, 1], one in each of n equal parts: the same mean as independent draws, less variance."""
        return 1.0 - rng.permutation((np.arange(n) + rng.random()) / n)


@dataclass(frozen=True)
class DdpmSchedule:
    """DDPM's chain of T steps with the cosine betas of Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 17.

    t = k / T stands for step k of 1..T. betas are capped at .999 as there, so alpha_1 is small but never 0.
    """

    num_train_steps: int = 1000
    offset: float = 0.008

    def alpha_bar(self) -> Float64[np.ndarray, "{self.num_train_steps+1}"]:
        """Product of (1 - beta), [T + 1], with alpha_bar_0 = 1."""
        grid = np.arange(self.num_train_steps + 1) / self.num_train_steps
        f = np.cos((grid + self.offset) / (1 + self.offset) * np.pi / 2) ** 2
        betas = np.minimum(1 - f[1:] / f[:-1], 0.999)
        return np.concatenate([[1.0], np.cumprod(1 - betas)])

    def rates(self, t: Float64[np.ndarray, "*times"]) -> Rates:
        k = np.rint(np.asarray(t, dtype=np.float64) * self.num_train_steps).astype(int)
        alpha_bar = self.alpha_bar()[k]
        return Rates(np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar))

    def draw_times(self, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "{n}"]:
        """k uniform in 1..T."""
        return rng.integers(1, self.num_train_steps + 1, n) / self.num_train_steps


SCHEDULES: dict[str, Callable[[], Schedule]] = {"cosine": CosineSchedule, "ddpm-cosine": DdpmSchedule}


def draw_student_times(rng: np.random.Generator, n: int, num_steps: int) -> Float64[np.ndarray, "{n}"]:
    """t = i / N with i uniform in 1..N (Algorithm 1)."""
    return rng.integers(1, num_steps + 1, n) / num_steps
