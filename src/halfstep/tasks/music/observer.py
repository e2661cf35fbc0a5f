"""What is looked at while a music model trains: error by noise level, and samples beside real windows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from halfstep.arrays import Float
from halfstep.audio.guide import NO_GUIDE
from halfstep.audio.mel import MelConfig
from halfstep.data.windows import Windows
from halfstep.diffusion.process import VARIANCES, Sampling
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.melstats import features, frame_step
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.contract import Band
from halfstep.tasks.music.task import Music
from halfstep.training.bound import bits_per_dimension
from halfstep.training.example import Example
from halfstep.training.loop import move
from halfstep.training.observe import Judged, errors_by_level, fixed_noise, sample_like


class MusicObserver:
    """Held-out figures and samples of a music model; samples go to `folder`/samples."""

    judged = Judged("frechet_melstats", "Frechet (melstats)")

    def __init__(
        self,
        task: Music,
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
        nothing = np.zeros((count, task.config.frames), np.float32)
        follows = task.config.guide != NO_GUIDE
        self._guided = move(task.given(self.real, nothing, task.guides(self.real)), device) if follows else None
        first_third = (np.arange(task.config.frames) < task.config.frames // 3).astype(np.float32)
        self._given = move(task.given(self.real, np.tile(first_third, (count, 1))), device)

    def sampled_at(self, num_steps: int) -> None:
        """From now on samples take so many steps."""
        self.num_steps = num_steps

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        """`errors`, and what samples look like."""
        return self.errors(denoiser) | self.look(self.windows(denoiser, self.num_steps))

    def errors(self, denoiser: Denoiser) -> dict[str, float]:
        """Errors by noise level with nothing known, and the x error at t = 1 given the first third, or the guide."""
        figures = errors_by_level(denoiser, self._free, self.schedule)
        if denoiser.learned_variance:
            bits, _ = bits_per_dimension(denoiser, self._free, self.schedule, VARIANCES[self.sampling.variance])
            figures["bits_per_dimension"] = bits
        if self.task.config.context:
            given = errors_by_level(denoiser, self._given, self.schedule)
            figures["given_third/x_error/1.0"] = given["x_error/1.0"]
        if self._guided is not None:
            figures["guided/x_error/1.0"] = errors_by_level(denoiser, self._guided, self.schedule)["x_error/1.0"]
        return figures

    def look(self, windows: Float[np.ndarray, "windows bands frames"]) -> dict[str, float]:
        """frame_step and the Frechet distance (48-d melstats) of log-mel windows against the held-out ones; of the
        image, how far its means over time lie from those of the held-out ones, in deviations.
        """
        real, bands = self.log_mel(self.real), self.mel.n_mels
        windows, image, real, real_image = windows[:, :bands], windows[:, bands:], real[:, :bands], real[:, bands:]
        return {
            "samples/frame_step": frame_step(windows),
            "samples/frechet_melstats": frechet_distance(features(windows), features(real)),
        } | self._image_off(image, real_image)

    def _image_off(
        self, image: Float[np.ndarray, "windows rows frames"], real: Float[np.ndarray, "others rows frames"]
    ) -> dict[str, float]:
        if not self.mel.image_bands:
            return {}
        apart = np.abs(image.mean((0, 2)) - real.mean((0, 2))) / self.std[self.mel.n_mels :, 0]
        return {"samples/image_off": float(apart.mean())}

    def windows(
        self, denoiser: Denoiser, num_steps: int, seed: int = 0, example: Example | None = None
    ) -> Float[np.ndarray, "windows bands frames"]:
        """Log-mel windows [count, n_mels, frames] sampled from fixed noise; unconditional if no example is given."""
        example = self._free if example is None else example
        x = sample_like(denoiser, example, fixed_noise(example.x, seed), num_steps, self.sampling)
        return self.log_mel(self.task.windows(x.float().cpu().numpy()))

    def mels(self, windows: Float[np.ndarray, "windows rows frames"]) -> Float[np.ndarray, "windows bands frames"]:
        """Samples are log-mels already; the image is left out."""
        return windows[:, : self.mel.n_mels]

    def log_mel(self, clips: Float[np.ndarray, "windows bands frames"]) -> Float[np.ndarray, "windows bands frames"]:
        """Standardised windows back to log-mel."""
        return clips * self.std + self.mean

    def sample(self, denoiser: Denoiser, step: int) -> None:
        """A picture of samples over real windows, and the samples as audio, from the averaged weights."""
        from halfstep.training.drawing import write_samples

        windows, real = (
            self.mels(some)[:4] for some in (self.windows(denoiser, self.num_steps), self.log_mel(self.real))
        )
        write_samples(self.folder / "samples", f"step-{step:08d}", windows, real, self.mel.mid)
