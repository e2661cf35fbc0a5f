"""What a teacher is trained on: denoising of real data at random times."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from halfstep.diffusion.forms import noised, velocity
from halfstep.diffusion.process import ANCESTRAL, DDIM, LEARNED, Process, Sampling
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.training.bound import step_bits
from halfstep.training.example import Example
from halfstep.training.loss import WEIGHTS, clip_mean, squared_v_error
from halfstep.training.step_random import LossFn, StepRandom
from halfstep.training.times import TIMES, TimeSampling

AUTO = "auto"
HYBRID = 1e-3
"""Of the bound, a sum over all T steps, beside the mean squared error (Nichol & Dhariwal 2021, section 3.1)."""


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """schedule: a key of SCHEDULES; train_steps: T, where it is a chain; shift: of the one called shifted.
    parameterization: of PARAMETERIZATIONS. weight: of WEIGHTS. times: which t are drawn in training, a key of TIMES.

    sampler, respacing, sample_steps: how the undistilled network is sampled, see `Sampling`; "auto" is DDPM's sampler
    for a chain and DDIM for a schedule that is continuous. variance: a key of VARIANCES; "learned" gives the network
    another output of each channel, trained by DDPM's bound beside the rest of the loss.
    """

    schedule: str = "cosine"
    train_steps: int = 1000
    shift: float = 0.5
    parameterization: str = "x"
    weight: str = "truncated-snr"
    times: str = "uniform"
    sampler: str = AUTO
    respacing: str = "trailing"
    sample_steps: int = 16
    variance: str = "posterior"

    def __post_init__(self) -> None:
        tables: dict[str, Iterable[str]] = {"weight": WEIGHTS, "times": TIMES, "sampler": (AUTO, DDIM, ANCESTRAL)}
        for name, table in tables.items():
            if getattr(self, name) not in table:
                raise ValueError(f"{name} is {getattr(self, name)!r}: one of {', '.join(table)} was expected")
        if self.sample_steps < 1:
            raise ValueError(f"sample_steps is {self.sample_steps}: at least 1 was expected")
        if self.sampling.variance == LEARNED and self.process.noise.chain is None:
            raise ValueError(
                f"variance is {LEARNED!r} and schedule {self.schedule!r}, which is continuous: a reverse variance is "
                f"learned of the steps of a chain; take schedule ddpm-cosine or linear"
            )

    @cached_property
    def process(self) -> Process:
        return Process(
            schedule=self.schedule, train_steps=self.train_steps, shift=self.shift,
            parameterization=self.parameterization,
        )  # fmt: skip

    @cached_property
    def sampling(self) -> Sampling:
        """How the undistilled network is sampled."""
        own = DDIM if self.process.noise.chain is None else ANCESTRAL
        return Sampling(
            process=self.process, sampler=own if self.sampler == AUTO else self.sampler, respacing=self.respacing,
            variance=self.variance, num_steps=min(self.sample_steps, self.process.most_steps),
        )  # fmt: skip

    @property
    def on_ladder(self) -> Sampling:
        """How a ladder's students are sampled, and their teachers beside them."""
        return Sampling(process=self.process, num_steps=self.sampling.num_steps)

    @property
    def learned_variance(self) -> bool:
        return self.variance == LEARNED

    def drawing(self) -> TimeSampling:
        """Which times training draws."""
        return TIMES[self.times](self.process.noise)


def denoising_loss(config: DiffusionConfig) -> LossFn[Denoiser]:
    """The teacher's loss: v predicted from z_t against v = alpha eps - sigma x, at times that `config` draws."""
    schedule, drawing, weigh = config.process.noise, config.drawing(), WEIGHTS[config.weight]

    def loss(denoiser: Denoiser, example: Example, random: StepRandom) -> Tensor:
        drawn = random.part.own(drawing.draw(random.rng, random.count(example.x), denoiser.history))
        at_t = rates_like(schedule.rates(drawn.times), example.x)
        eps = random.noise_like(example.x)
        z_t, v = noised(example.x, eps, at_t), velocity(example.x, eps, at_t)
        if config.learned_variance:
            v_hat, fraction = denoiser.predict(z_t, at_t, example.condition)
            assert fraction is not None, "a learned variance, of a network that says none"
            bits = step_bits(example.x, z_t, v_hat.detach(), fraction, schedule, drawn.times)
            extra = HYBRID * config.train_steps * clip_mean(bits, example.counted)
        else:
            v_hat, extra = denoiser(z_t, at_t, example.condition), None
        each = weigh(at_t).flatten() * squared_v_error(v_hat, v, example.counted)
        return drawing.mean(each if extra is None else each + extra, drawn, denoiser.history)

    return loss
