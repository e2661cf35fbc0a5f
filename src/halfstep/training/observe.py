"""What is looked at while a model trains: error by noise level, and samples beside real windows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from halfstep.audio.mel import MelConfig
from halfstep.data.windows import Windows
from halfstep.diffusion.denoiser import Denoiser, rates_like
from halfstep.diffusion.loss import squared_v_error
from halfstep.diffusion.parameterization import PARAMETERIZATIONS, velocity
from halfstep.diffusion.schedule import Schedule
from halfstep.generation.sampler import cosine_rates, sample, v_from_x, x_from_v
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.melstats import features, frame_step
from halfstep.tasks.base import Example
from halfstep.tasks.music import Music
from halfstep.training.loop import Observer, move
from halfstep.training.teacher import noised

LEVELS = (0.02, 0.1, 0.3, 0.5, 0.75, 1.0)
LOUDEST = 6.0  # deviations of its band: no music is further out


@dataclass(frozen=True)
class Judged:
    """The figure that a ladder is drawn by: `figure`, a name in `look` after `samples/`, and its title."""

    figure: str
    title: str


class LadderObserver(Observer, Protocol):
    """An observer that also tells a ladder's student from its teacher. A task brings its own."""

    @property
    def judged(self) -> Judged:
        """The figure to draw."""
        ...

    @property
    def real(self) -> np.ndarray:
        """Held-out clips, as the task takes them."""
        ...

    def windows(self, denoiser: Denoiser, num_steps: int) -> np.ndarray:
        """A sample for each held-out clip from fixed noise, as `look` and `mels` take them."""
        ...

    def look(self, windows: np.ndarray) -> dict[str, float]:
        """Figures of samples, named samples/..."""
        ...

    def mels(self, windows: np.ndarray) -> np.ndarray:
        """Their log-mels [n, n_mels, frames]."""
        ...

    def log_mel(self, clips: np.ndarray) -> np.ndarray:
        """Log-mels of held-out clips."""
        ...


def fixed_noise(x: torch.Tensor, seed: int) -> torch.Tensor:
    """Unit noise shaped as x, the same on every device."""
    return torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).to(x.device)


@torch.no_grad()
def one_pass(denoiser: Denoiser, example: Example) -> torch.Tensor:
    """A single network call at pure noise: what a step costs."""
    at_t = rates_like(cosine_rates(np.ones(len(example.x))), example.x)
    return denoiser(torch.zeros_like(example.x), at_t, example.condition)


@torch.no_grad()
def errors_by_level(denoiser: Denoiser, example: Example, schedule: Schedule, seed: int = 0) -> dict[str, float]:
    """Mean squared v and x error at each of LEVELS on one fixed noise. x error = sigma^2 v error."""
    noise = fixed_noise(example.x, seed)
    found = {}
    for level in LEVELS:
        times = np.full(len(example.x), level)
        at_t = rates_like(schedule.rates(times), example.x)
        v_hat = denoiser(noised(example.x, noise, at_t), at_t, example.condition)
        error = squared_v_error(v_hat, velocity(example.x, noise, at_t), example.counted).mean().item()
        found[f"v_error/{level}"] = error
        found[f"x_error/{level}"] = error * float(at_t.sigma.flatten()[0]) ** 2
    return found


@torch.no_grad()
def sample_like(
    denoiser: Denoiser, example: Example, noise: torch.Tensor, num_steps: int, schedule: Schedule
) -> torch.Tensor:
    """x sampled by DDIM from `noise` under the example's condition, its known part held: [B, C, L].

    An eps network says nothing of x at alpha = 0: it is asked at the smallest alpha its schedule has, where its error
    over alpha is thousands; what x_hat it gives is held within LOUDEST.
    """
    distillable = PARAMETERIZATIONS[denoiser.parameterization].distillable

    def v_at(z: torch.Tensor, t: float) -> torch.Tensor:
        at_t = rates_like(schedule.rates(np.full(len(z), t)), z)
        v = denoiser(z, at_t, example.condition)
        if not distillable:
            v = v_from_x(x_from_v(v, z, at_t).clamp(-LOUDEST, LOUDEST), z, at_t)
        return example.hold(v, z, at_t)

    return sample(v_at, noise, num_steps, lambda t: schedule.rates(np.asarray(t)))


class MusicObserver:
    """Held-out figures and samples of a music model; samples go to `folder`/samples."""

    judged = Judged("frechet_melstats", "Frechet (melstats)")

    def __init__(
        self,
        task: Music,
        heldout: Windows,
        mel: MelConfig,
        band: tuple[np.ndarray, np.ndarray],
        schedule: Schedule,
        folder: Path,
        device: torch.device,
        num_steps: int = 16,
        count: int = 32,
    ) -> None:
        self.task = task
        self.mel = mel
        self.mean, self.std = (part.astype(np.float32)[:, None] for part in band)
        self.schedule = schedule
        self.folder = folder
        self.device = device
        self.num_steps = num_steps
        self.real = heldout.evenly(count)
        self._free = move(task.free(self.real), device)
        first_third = (np.arange(task.config.frames) < task.config.frames // 3).astype(np.float32)
        self._given = move(task.given(self.real, np.tile(first_third, (count, 1)), self.real), device)

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        """`errors`, and what samples look like."""
        return self.errors(denoiser) | self.look(self.windows(denoiser, self.num_steps))

    def errors(self, denoiser: Denoiser) -> dict[str, float]:
        """Errors by noise level with nothing known, and the x error at t = 1 given the first third."""
        figures = errors_by_level(denoiser, self._free, self.schedule)
        if self.task.config.context:
            given = errors_by_level(denoiser, self._given, self.schedule)
            figures["given_third/x_error/1.0"] = given["x_error/1.0"]
        return figures

    def look(self, windows: np.ndarray) -> dict[str, float]:
        """frame_step and the Frechet distance (48-d melstats) of log-mel windows against the held-out ones."""
        real = self.log_mel(self.real)
        return {
            "samples/frame_step": frame_step(windows),
            "samples/frechet_melstats": frechet_distance(features(windows), features(real)),
        }

    def windows(self, denoiser: Denoiser, num_steps: int, seed: int = 0, example: Example | None = None) -> np.ndarray:
        """Log-mel windows [count, n_mels, frames] sampled from fixed noise; unconditional if no example is given."""
        example = self._free if example is None else example
        x = sample_like(denoiser, example, fixed_noise(example.x, seed), num_steps, self.schedule)
        return self.log_mel(self.task.windows(x.float().cpu().numpy()))

    def mels(self, windows: np.ndarray) -> np.ndarray:
        """Samples are log-mels already."""
        return windows

    def log_mel(self, clips: np.ndarray) -> np.ndarray:
        """Standardised windows back to log-mel."""
        return clips * self.std + self.mean

    def sample(self, denoiser: Denoiser, step: int) -> None:
        """A picture of samples over real windows, and the samples as audio, from the averaged weights."""
        from halfstep.training.pictures import write_samples

        windows = self.windows(denoiser, self.num_steps)[:4]
        write_samples(self.folder / "samples", f"step-{step:08d}", windows, self.log_mel(self.real)[:4], self.mel)
