"""What a teacher is trained on: denoising of real data at random times."""

from dataclasses import dataclass

from torch import Tensor

from halfstep.diffusion.forms import PARAMETERIZATIONS, velocity
from halfstep.diffusion.rates import Rates, Signal
from halfstep.diffusion.schedule import SCHEDULES
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.training.example import Example
from halfstep.training.loop import LossFn, StepRandom
from halfstep.training.loss import WEIGHTS, weighted_loss


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """schedule: a key of SCHEDULES. parameterization: of PARAMETERIZATIONS. weight: of WEIGHTS."""

    schedule: str = "cosine"
    parameterization: str = "x"
    weight: str = "truncated-snr"

    def __post_init__(self) -> None:
        tables = {"schedule": SCHEDULES, "parameterization": PARAMETERIZATIONS, "weight": WEIGHTS}
        for name, table in tables.items():
            if getattr(self, name) not in table:
                raise ValueError(f"{name} is {getattr(self, name)!r}: one of {', '.join(table)} was expected")
        if not PARAMETERIZATIONS[self.parameterization].distillable and self.schedule == "cosine":
            raise ValueError(
                f"parameterization is {self.parameterization!r} and schedule 'cosine', whose z_1 is noise "
                f"alone: it says nothing of x there; take x, v or both, or schedule ddpm-cosine"
            )


def noised(x: Tensor, eps: Tensor, at_t: Rates) -> Signal:
    """z_t = alpha_t x + sigma_t eps."""
    return at_t.alpha * x + at_t.sigma * eps


def denoising_loss(config: DiffusionConfig) -> LossFn[Denoiser]:
    """The teacher's loss: v predicted from z_t against v = alpha eps - sigma x, at times the schedule draws."""
    schedule = SCHEDULES[config.schedule]()

    def loss(denoiser: Denoiser, example: Example, random: StepRandom) -> Tensor:
        times = schedule.draw_times(random.rng, len(example.x))
        at_t = rates_like(schedule.rates(times), example.x)
        eps = random.noise_like(example.x)
        v_hat = denoiser(noised(example.x, eps, at_t), at_t, example.condition)
        return weighted_loss(v_hat, velocity(example.x, eps, at_t), at_t, config.weight, example.counted)

    return loss
