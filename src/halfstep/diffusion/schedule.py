"""How noise grows with time: t in [0, 1] -> alpha_t, sigma_t, in float64."""

import functools
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from halfstep.arrays import Float64
from halfstep.diffusion.rates import Factor, Rates, cosine_rates

Times: TypeAlias = Float64[np.ndarray, "*times"]
"""Numbers of any shape, the same in all that a call takes and gives."""


class Schedule(Protocol):
    """Rates at a time."""

    @property
    def chain(self) -> int | None:
        """T, where it is a chain of T steps and t = k / T stands for step k; None where t is continuous."""
        ...

    def rates(self, t: Times) -> Rates:
        """alpha_t, sigma_t (float64) of times t in [0, 1]."""
        ...


@dataclass(frozen=True)
class CosineSchedule:
    """alpha_t = cos(pi t / 2), continuous in t; alpha_1 = 0, so that z_1 is noise and nothing else."""

    chain: None = None

    def rates(self, t: Times) -> Rates:
        return cosine_rates(t)


@dataclass(frozen=True)
class ShiftedSchedule:
    """The cosine schedule with its SNR times shift^2: below 1 there is more noise at every t.

    Hoogeboom et al. 2023, "simple diffusion" (arXiv:2301.11093), section 3.1: log_snr + 2 log shift. Neighbouring
    frames of music say much the same, as pixels of a large picture do, so that more noise is needed to hide them.
    """

    shift: float
    chain: None = None

    def rates(self, t: Times) -> Rates:
        plain = cosine_rates(t)
        angle = np.arctan2(plain.sigma, self.shift * plain.alpha)
        return _from_angle(angle, t)


SIGMOID_START, SIGMOID_END = -3.0, 3.0


@dataclass(frozen=True)
class SigmoidSchedule:
    """alpha_t^2 falls from 1 to 0 as a sigmoid does from -3 to 3, its two ends moved to exactly 1 and 0.

    Jabri et al. 2022 (arXiv:2212.11972); Chen 2023 (arXiv:2301.10972), algorithm 1, with temperature 1.
    """

    chain: None = None

    def rates(self, t: Times) -> Rates:
        low, high = _sigmoid(np.array([-SIGMOID_END, -SIGMOID_START]))
        falling = _sigmoid(-(SIGMOID_START + np.asarray(t, np.float64) * (SIGMOID_END - SIGMOID_START)))
        share = np.clip((falling - low) / (high - low), 0.0, 1.0)
        return _from_angle(np.arccos(np.sqrt(share)), t)


EDM_DATA, EDM_LEAST, EDM_MOST, EDM_RHO = 0.5, 0.002, 80.0, 7.0


@dataclass(frozen=True)
class EdmSchedule:
    """The noise levels of EDM: sigma^(1/7) falls evenly from 80 to .002, data of deviation .5; then 0 at t = 0.

    Karras et al. 2022 (arXiv:2206.00364), eq. 5 and table 1. Scaled to unit variance: sigma_t / alpha_t is theirs over
    .5. alpha_1 is 1 / 160: z_1 is nearly noise alone, and starting from noise alone errs by that much.
    """

    chain: None = None

    def rates(self, t: Times) -> Rates:
        t = np.asarray(t, np.float64)
        least, most = EDM_LEAST ** (1 / EDM_RHO), EDM_MOST ** (1 / EDM_RHO)
        ratio = (least + t * (most - least)) ** EDM_RHO / EDM_DATA
        angle = np.where(t == 0, 0.0, np.arctan(ratio))
        return Rates(np.cos(angle)[()], np.where(t == 0, 0.0, np.sin(angle))[()])


@dataclass(frozen=True)
class DdpmSchedule:
    """DDPM's chain of T steps with the cosine betas of Nichol & Dhariwal 2021 (arXiv:2102.09672), eq. 17.

    t = k / T stands for step k of 1..T. betas are capped at .999 as there, so alpha_1 is small but never 0.
    """

    num_train_steps: int = 1000
    offset: float = 0.008

    @property
    def chain(self) -> int:
        return self.num_train_steps

    def alpha_bar(self) -> Float64[np.ndarray, "{self.num_train_steps+1}"]:
        """Product of (1 - beta), [T + 1], with alpha_bar_0 = 1."""
        grid = np.arange(self.num_train_steps + 1) / self.num_train_steps
        f = np.cos((grid + self.offset) / (1 + self.offset) * np.pi / 2) ** 2
        return _products(np.minimum(1 - f[1:] / f[:-1], 0.999))

    def rates(self, t: Times) -> Rates:
        return _of_chain(self, t)


LINEAR_FIRST, LINEAR_LAST, LINEAR_STEPS = 1e-4, 0.02, 1000


@dataclass(frozen=True)
class LinearSchedule:
    """DDPM's own chain: beta grows evenly from 1e-4 to .02 over 1000 steps; of T steps, 1000 / T times as much.

    Ho et al. 2020 (arXiv:2006.11239), section 4; for other T as Nichol & Dhariwal 2021 scale it.
    """

    num_train_steps: int

    @property
    def chain(self) -> int:
        return self.num_train_steps

    def alpha_bar(self) -> Float64[np.ndarray, "{self.num_train_steps+1}"]:
        """Product of (1 - beta), [T + 1], with alpha_bar_0 = 1."""
        scale = LINEAR_STEPS / self.num_train_steps
        betas = scale * np.linspace(LINEAR_FIRST, LINEAR_LAST, self.num_train_steps)
        return _products(np.minimum(betas, 0.999))

    def rates(self, t: Times) -> Rates:
        return _of_chain(self, t)


Chain: TypeAlias = DdpmSchedule | LinearSchedule


@functools.lru_cache(maxsize=16)
def _chain_rates(schedule: Chain) -> Rates:
    alpha_bar = schedule.alpha_bar()
    return Rates(np.sqrt(alpha_bar), np.sqrt(1 - alpha_bar))


def _of_chain(schedule: Chain, t: Times) -> Rates:
    k = np.rint(np.asarray(t, dtype=np.float64) * schedule.num_train_steps).astype(int)
    alpha, sigma = _chain_rates(schedule)
    return Rates(alpha[k], sigma[k])


def _products(betas: Float64[np.ndarray, "steps"]) -> Float64[np.ndarray, "steps+1"]:
    return np.concatenate([[1.0], np.cumprod(1 - betas)])


def _from_angle(angle: Factor, t: Factor) -> Rates:
    """cos and sin of the angle, exactly 0 and 1 at the two ends of t."""
    t = np.asarray(t, np.float64)
    alpha = np.where(t == 1, 0.0, np.where(t == 0, 1.0, np.cos(angle)))
    sigma = np.where(t == 0, 0.0, np.where(t == 1, 1.0, np.sin(angle)))
    return Rates(alpha[()], sigma[()])


def _sigmoid(x: Factor) -> Factor:
    return 1 / (1 + np.exp(-x))


class MakeSchedule(Protocol):
    """train_steps: T of a chain. shift: of the shifted one. Each schedule takes what concerns it."""

    def __call__(self, *, train_steps: int = 1000, shift: float = 0.5) -> Schedule: ...


def _cosine(*, train_steps: int = 1000, shift: float = 0.5) -> Schedule:
    return CosineSchedule()


def _shifted(*, train_steps: int = 1000, shift: float = 0.5) -> Schedule:
    return ShiftedSchedule(shift)


def _sigmoidal(*, train_steps: int = 1000, shift: float = 0.5) -> Schedule:
    return SigmoidSchedule()


def _edm(*, train_steps: int = 1000, shift: float = 0.5) -> Schedule:
    return EdmSchedule()


def _ddpm(*, train_steps: int = 1000, shift: float = 0.5) -> Schedule:
    return DdpmSchedule(train_steps)


def _linear(*, train_steps: int = 1000, shift: float = 0.5) -> Schedule:
    return LinearSchedule(train_steps)


SCHEDULES: dict[str, MakeSchedule] = {
    "cosine": _cosine,
    "shifted": _shifted,
    "sigmoid": _sigmoidal,
    "edm": _edm,
    "ddpm-cosine": _ddpm,
    "linear": _linear,
}


def draw_times(schedule: Schedule, rng: np.random.Generator, n: int) -> Float64[np.ndarray, "{n}"]:
    """n times for a batch: of a chain k / T with k uniform in 1..T; where t is continuous, uniform in (0, 1].

    The latter are one in each of n equal parts: the same mean as independent draws, less variance.
    """
    if schedule.chain is None:
        return 1.0 - rng.permutation((np.arange(n) + rng.random()) / n)
    return draw_student_times(rng, n, schedule.chain)


def draw_student_times(rng: np.random.Generator, n: int, num_steps: int) -> Float64[np.ndarray, "{n}"]:
    """t = i / N with i uniform in 1..N (Algorithm 1)."""
    return rng.integers(1, num_steps + 1, n) / num_steps


def angle_between(at_t: Rates, at_s: Rates) -> Times:
    """phi_t - phi_s in radians, where alpha = cos phi and sigma = sin phi: how far a DDIM step turns."""
    return np.asarray(
        np.arctan2(
            np.asarray(at_t.sigma) * at_s.alpha - np.asarray(at_t.alpha) * at_s.sigma,
            np.asarray(at_t.alpha) * at_s.alpha + np.asarray(at_t.sigma) * at_s.sigma,
        )
    )
