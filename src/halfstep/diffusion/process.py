"""What a network was trained under, and how noise becomes data with it: all that whoever plays it must follow."""

import functools
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from halfstep.diffusion.forms import PARAMETERIZATIONS, noised
from halfstep.diffusion.rates import Rates, Signal, plain
from halfstep.diffusion.sampler import Hold, Path, Predict, no_hold, sample_ancestral, sample_ddim
from halfstep.diffusion.schedule import SCHEDULES, Schedule
from halfstep.diffusion.steps import ALL_RESPACINGS, JUMP, begun_at, jumping_times, respaced, step_times

MOST_STEPS = 4096
"""Of a schedule that is continuous in t; a chain has its own T."""
LOUDEST = 6.0
"""Deviations of its band: no music is farther out."""
DDIM, ANCESTRAL = "ddim", "ancestral"
SAMPLERS = (DDIM, ANCESTRAL)
LEARNED = "learned"
VARIANCES: dict[str, float] = {"posterior": 0.0, "upper": 1.0, LEARNED: 0.0}
"""The fraction of `reverse_variance`: of q(z_s | z_t, x), of q(z_t | z_s), or what the network says."""


@dataclass(frozen=True, kw_only=True)
class Process:
    """schedule: a key of SCHEDULES. train_steps: T, where it is a chain. shift: of the shifted one.
    parameterization: what the network predicts, a key of PARAMETERIZATIONS.
    """

    schedule: str = "cosine"
    train_steps: int = 1000
    shift: float = 0.5
    parameterization: str = "v"

    def __post_init__(self) -> None:
        _check_among("schedule", self.schedule, SCHEDULES)
        _check_among("parameterization", self.parameterization, PARAMETERIZATIONS)
        if not 1 <= self.train_steps <= MOST_STEPS:
            raise ValueError(f"train_steps is {self.train_steps}: 1 to {MOST_STEPS} was expected")
        if not 0 < self.shift < math.inf:
            raise ValueError(f"shift is {self.shift}: a number above 0 was expected")
        if not self.finite:
            raise ValueError(
                f"parameterization is {self.parameterization!r} and schedule {self.schedule!r}, whose z_1 is noise "
                f"alone: it says nothing of x there; take x, v or both, or schedule ddpm-cosine, linear or edm"
            )

    @functools.cached_property
    def noise(self) -> Schedule:
        """The schedule itself."""
        return SCHEDULES[self.schedule](train_steps=self.train_steps, shift=self.shift)

    @property
    def finite(self) -> bool:
        """Whether what is predicted says something of x at every t."""
        return PARAMETERIZATIONS[self.parameterization].distillable or float(self.at(1.0).alpha) > 0

    @property
    def distillable(self) -> bool:
        """Whether one step from z_1 can be right."""
        return PARAMETERIZATIONS[self.parameterization].distillable

    @property
    def most_steps(self) -> int:
        """The most sampling steps there are."""
        return self.noise.chain or MOST_STEPS

    def at(self, t: float) -> Rates:
        """alpha_t, sigma_t, plain floats."""
        return plain(self.noise.rates(np.asarray(t)))


def _check_among(name: str, value: str, among: Iterable[str]) -> None:
    names = list(among)
    if value not in names:
        raise ValueError(f"{name} is {value!r}: one of {', '.join(names)} was expected")


class Begun(NamedTuple):
    """x that is noised to the time t, 0 to 1, and brought back from there; at 1 nothing of it is left."""

    x: Signal
    t: float


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How noise becomes data under a process.

    sampler: of SAMPLERS. respacing: of ALL_RESPACINGS, which of a chain's steps are visited; where t is continuous
    there are "trailing", N equal steps of t, and "jump", N + 1 of which the last two are one. variance: a key of
    VARIANCES, of the ancestral sampler.
    widest: the largest deviation of a channel of x; |x_hat| is held within LOUDEST times that where an error of the
    prediction can become any error of x (eps near t = 1) or the sampler is DDPM's, which does so. num_steps: how many,
    where nobody says.
    """

    process: Process = field(default_factory=Process)
    sampler: str = DDIM
    respacing: str = "trailing"
    variance: str = "posterior"
    widest: float = 1.0
    num_steps: int = 16

    def __post_init__(self) -> None:
        _check_among("sampler", self.sampler, SAMPLERS)
        _check_among("respacing", self.respacing, ALL_RESPACINGS)
        _check_among("variance", self.variance, VARIANCES)
        if self.process.noise.chain is None and self.respacing not in ("trailing", JUMP):
            raise ValueError(
                f"respacing is {self.respacing!r}: it chooses among the steps of a chain, and schedule "
                f"{self.process.schedule!r} is continuous; take trailing or jump"
            )
        if self.process.noise.chain is not None and self.respacing == JUMP:
            raise ValueError(
                f"respacing is {JUMP!r}: it is of a schedule that is continuous, and {self.process.schedule!r} is a "
                f"chain; take trailing"
            )

    def changed(self, sampler: str | None = None, respacing: str | None = None) -> "Sampling":
        """With another sampler or respacing, where one is given. ValueError where it does not go."""
        given = {name: value for name, value in (("sampler", sampler), ("respacing", respacing)) if value is not None}
        return replace(self, **given) if given else self

    @property
    def clip(self) -> float:
        """The bound of |x_hat|."""
        bounded = self.sampler == ANCESTRAL or not self.process.distillable
        return LOUDEST * self.widest if bounded else math.inf

    def path(self, num_steps: int, start: float = 1.0) -> Path:
        """The rates at both ends of every step of `num_steps` that lies below the time `start`, of a chain the next of
        its own. ValueError for more steps than the process has, or none.
        """
        chain = self.process.noise.chain
        if chain is None:
            times = jumping_times(num_steps) if self.respacing == JUMP else step_times(num_steps)
        else:
            times, start = respaced(num_steps, chain, self.respacing), math.ceil(start * chain) / chain
        times = times if start >= 1 else begun_at(times, start)
        return [(self.process.at(t), self.process.at(s)) for t, s in times]

    def sample(
        self,
        predict: Predict,
        noise: Signal,
        num_steps: int,
        fresh: Callable[[int], Signal],
        hold: Hold = no_hold,
        begun: Begun | None = None,
    ) -> Signal:
        """x from z_1 = noise in `num_steps` calls of `predict`; `fresh` as for `sample_ancestral`.

        begun: z_t is the first, and of the calls only those from t down are made.
        """
        path = self.path(num_steps, 1.0 if begun is None else begun.t)
        if begun is not None and begun.t < 1:
            if not path:
                return begun.x
            noise = noised(begun.x, noise, path[0][0])
        if self.sampler == DDIM:
            return sample_ddim(predict, noise, path, hold, self.clip)
        return sample_ancestral(predict, noise, path, fresh, VARIANCES[self.variance], hold, self.clip)
