"""What is looked at while a vocoder trains: error by noise level, and held-out music through its mel and back."""

from pathlib import Path

import numpy as np
import torch

from halfstep.arrays import Float, Float32
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.windows import Windows
from halfstep.diffusion.process import Sampling
from halfstep.metrics.waveform import loudness_matched, mel_l1, multi_resolution_stft_distance
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.contract import Band
from halfstep.tasks.diffusion_vocoder.task import DiffusionVocoder
from halfstep.training.loop import move
from halfstep.training.observe import Judged, errors_by_level, fixed_noise, sample_like


class DiffusionVocoderObserver:
    """Held-out figures and copy-syntheses of a vocoder; samples go to `folder`/samples."""

    judged = Judged("mr_stft", "MR-STFT distance")

    def __init__(
        self,
        task: DiffusionVocoder,
        heldout: Windows,
        mel: MelConfig,
        band: Band,
        sampling: Sampling,
        folder: Path,
        device: torch.device,
        num_steps: tuple[int, ...] = (16, 4),
        count: int = 12,
    ) -> None:
        self.task = task
        self.mel = mel
        self.sampling, self.schedule = sampling, sampling.process.noise
        self.folder = folder
        self.device = device
        self.num_steps = num_steps
        self.real = heldout.evenly(count)
        self._example = move(task.free(self.real), device)
        self._real_sound = self.task.sound(self.real)

    def sampled_at(self, num_steps: int) -> None:
        """From now on samples take so many steps."""
        self.num_steps = (num_steps,)

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        """Errors by noise level, and `look` at samples of each number of steps."""
        figures = errors_by_level(denoiser, self._example, self.schedule)
        for steps in self.num_steps:
            look = self.look(self.windows(denoiser, steps))
            figures |= {f"{name}/{steps}": value for name, value in look.items()}
        return figures

    def look(self, windows: Float[np.ndarray, "clips samples"]) -> dict[str, float]:
        """Mean distance of copy-syntheses [count, samples] from the music itself, each at its loudness."""
        pairs = [(loudness_matched(y, x), x) for y, x in zip(windows, self._real_sound, strict=True)]
        return {
            "samples/mr_stft": float(np.mean([multi_resolution_stft_distance(y, x) for y, x in pairs])),
            "samples/log_mel_l1": float(np.mean([mel_l1(y, x, self.mel) for y, x in pairs])),
        }

    def windows(self, denoiser: Denoiser, num_steps: int, seed: int = 0) -> Float32[np.ndarray, "clips samples"]:
        """Waveforms [count, samples] sampled from fixed noise, given the held-out mels."""
        noise = fixed_noise(self._example.x, seed)
        x = sample_like(denoiser, self._example, noise, num_steps, self.sampling)
        return self.task.waveform(x.float().cpu().numpy(), self.task.true_mel(self.real))

    def log_mel(self, clips: Float32[np.ndarray, "clips samples"]) -> Float32[np.ndarray, "clips bands frames"]:
        """Of the part of each clip that is modelled, [n, n_mels, frames]."""
        return log_mel(self.task.sound(clips), self.mel)

    def mels(self, windows: Float32[np.ndarray, "clips samples"]) -> Float32[np.ndarray, "clips bands frames"]:
        """Log-mels of sampled waveforms."""
        return log_mel(windows, self.mel)

    def sample(self, denoiser: Denoiser, step: int) -> None:
        """Copy-syntheses over the music they were made from: a picture and a .wav, one clip after another."""
        from halfstep.training.drawing import draw_rows, write_sound

        windows = self.windows(denoiser, self.num_steps[0])[:4]
        folder, name = self.folder / "samples", f"step-{step:08d}"
        write_sound(folder / f"{name}.wav", windows, self.mel.sample_rate)
        draw_rows(folder / f"{name}.png", {"samples": self.mels(windows), "real": self.log_mel(self.real[:4])})
