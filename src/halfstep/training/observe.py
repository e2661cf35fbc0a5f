"""What is looked at while a model trains: error by noise level, and samples beside real windows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from halfstep.arrays import Float
from halfstep.diffusion.forms import noised, velocity
from halfstep.diffusion.process import Sampling
from halfstep.diffusion.rates import Rates, cosine_rates
from halfstep.diffusion.sampler import Prediction
from halfstep.diffusion.schedule import Schedule
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.training.example import Example
from halfstep.training.loop import Observer
from halfstep.training.loss import squared_v_error

LEVELS = (0.02, 0.1, 0.3, 0.5, 0.75, 1.0)
FRESH = 1_000_000
"""The first seed of the noise that DDPM's sampler adds while somebody looks."""


@dataclass(frozen=True)
class Judged:
    """The figure that a ladder is drawn by: `figure`, a name in `look` after `samples/`, and its title."""

    figure: str
    title: str


class LadderObserver(Observer[Denoiser], Protocol):
    """An observer that also tells a ladder's student from its teacher. A task brings its own."""

    @property
    def judged(self) -> Judged:
        """The figure to draw."""
        ...

    @property
    def real(self) -> Float[np.ndarray, "clips ..."]:
        """Held-out clips, as the task takes them."""
        ...

    def sampled_at(self, num_steps: int) -> None:
        """From now on `measure` and `sample` take so many steps: a student's own."""
        ...

    def windows(self, denoiser: Denoiser, num_steps: int) -> Float[np.ndarray, "clips ..."]:
        """A sample for each held-out clip from fixed noise, as `look` and `mels` take them."""
        ...

    def look(self, windows: Float[np.ndarray, "clips ..."]) -> dict[str, float]:
        """Figures of samples, named samples/..."""
        ...

    def mels(self, windows: Float[np.ndarray, "clips ..."]) -> Float[np.ndarray, "clips bands frames"]:
        """Their log-mels [n, n_mels, frames]."""
        ...

    def log_mel(self, clips: Float[np.ndarray, "clips ..."]) -> Float[np.ndarray, "clips bands frames"]:
        """Log-mels of held-out clips."""
        ...


def fixed_noise(x: Float[Tensor, "*shape"], seed: int) -> Float[Tensor, "*shape"]:
    """Unit noise shaped as x, the same on every device."""
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).to(x.device)


@torch.no_grad()
def one_pass(denoiser: Denoiser, example: Example) -> Float[Tensor, "batch ..."]:
    """A single network call at pure noise: what a step costs."""
    at_t = rates_like(cosine_rates(np.ones(len(example.x))), example.x)
    return denoiser(torch.zeros_like(example.x), at_t, example.condition)


@torch.no_grad()
def errors_by_level(denoiser: Denoiser, example: Example, schedule: Schedule, seed: int = 0) -> dict[str, float]:
    """Mean squared v and x error at each of LEVELS on one fixed noise. x error = sigma^2 v error."""
    noise = fixed_noise(example.x, seed)
    errors: dict[str, float] = {}
    for level in LEVELS:
        times = np.full(len(example.x), level)
        at_t = rates_like(schedule.rates(times), example.x)
        v_hat = denoiser(noised(example.x, noise, at_t), at_t, example.condition)
        error = squared_v_error(v_hat, velocity(example.x, noise, at_t), example.counted).mean().item()
        errors[f"v_error/{level}"] = error
        errors[f"x_error/{level}"] = error * float(at_t.sigma.flatten()[0]) ** 2
    return errors


@torch.no_grad()
def sample_like(
    denoiser: Denoiser,
    example: Example,
    noise: Float[Tensor, "batch *shape"],
    num_steps: int,
    sampling: Sampling,
    fresh: Callable[[int], Float[Tensor, "batch ..."]] | None = None,
) -> Float[Tensor, "batch *shape"]:
    """x from `noise` under the example's condition, its known part held: [B, C, L].

    fresh: what DDPM's sampler adds at each step, from 1 on; if not given, the same at every call.
    """

    def predict(z: Tensor, at_t: Rates) -> Prediction:
        rates = (np.full(len(z), rate) for rate in at_t)
        return denoiser.predict(z, rates_like(Rates(*rates), z), example.condition)

    def usual(step: int) -> Tensor:
        return fixed_noise(noise, FRESH + step)

    return sampling.sample(predict, noise, num_steps, usual if fresh is None else fresh, example.hold)
