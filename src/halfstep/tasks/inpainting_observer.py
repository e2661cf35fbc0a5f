"""What is looked at while a network learns windows that are known in part: error by noise level, and samples."""

from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch

from halfstep.arrays import Float
from halfstep.audio.mel import MelConfig
from halfstep.data.windows import Windows
from halfstep.diffusion.process import VARIANCES, Sampling
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.contract import Band
from halfstep.tasks.inpainting import Inpainting
from halfstep.training.bound import bits_per_dimension
from halfstep.training.example import Example
from halfstep.training.loop import move
from halfstep.training.observe import errors_by_level, fixed_noise, sample_like

KnownInPartTask = TypeVar("KnownInPartTask", bound=Inpainting)


class InpaintingObserver(ABC, Generic[KnownInPartTask]):
    """Held-out errors and samples; `look`, `mels` and `sample` are the task's own, samples go to `folder`/samples."""

    def __init__(
        self,
        task: KnownInPartTask,
        heldout: Windows,
        mel: MelConfig,
        band: Band,
        sampling: Sampling,
        folder: Path,
        device: torch.device,
        count: int = 32,
    ) -> None:
        self.task = task
        self.mel = mel
        self.mean, self.std = (part.astype(np.float32)[:, None] for part in band)
        self.sampling = replace(sampling, widest=task.packing.widest)
        self.schedule = sampling.process.noise
        self.folder = folder
        self.device = device
        self.num_steps = sampling.num_steps
        self.real = heldout.evenly(count)
        self._free = move(task.free(self.real), device)
        first_third = (np.arange(heldout.frames) < heldout.frames // 3).astype(np.float32)
        given = move(task.given(self.real, np.tile(first_third, (count, 1))), device)
        self._given = None if given.known is None else given

    def sampled_at(self, num_steps: int) -> None:
        """From now on samples take so many steps."""
        self.num_steps = num_steps

    @abstractmethod
    def look(self, windows: Float[np.ndarray, "windows rows frames"]) -> dict[str, float]:
        """Figures of samples."""

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        """`errors`, and what samples look like."""
        return self.errors(denoiser) | self.look(self.windows(denoiser, self.num_steps))

    def errors(self, denoiser: Denoiser) -> dict[str, float]:
        """Errors by noise level with nothing known, and the x error at t = 1 given the first third."""
        figures = errors_by_level(denoiser, self._free, self.schedule)
        if denoiser.learned_variance:
            bits, _ = bits_per_dimension(denoiser, self._free, self.schedule, VARIANCES[self.sampling.variance])
            figures["bits_per_dimension"] = bits
        if self._given is not None:
            given = errors_by_level(denoiser, self._given, self.schedule)
            figures["given_third/x_error/1.0"] = given["x_error/1.0"]
        return figures

    def windows(
        self, denoiser: Denoiser, num_steps: int, seed: int = 0, example: Example | None = None
    ) -> Float[np.ndarray, "windows rows frames"]:
        """Windows [count, rows, frames] sampled from fixed noise, as `log_mel` gives them; unconditional if no example
        is given.
        """
        example = self._free if example is None else example
        x = sample_like(denoiser, example, fixed_noise(example.x, seed), num_steps, self.sampling)
        return self.log_mel(self.task.windows(x.float().cpu().numpy()))

    def log_mel(self, clips: Float[np.ndarray, "windows rows frames"]) -> Float[np.ndarray, "windows rows frames"]:
        """Back from standardised clips."""
        return clips * self.std + self.mean
