"""A teacher of music at its full number of steps, as windows to be judged."""

import numpy as np
import torch

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig
from halfstep.diffusion.schedule import Schedule
from halfstep.generation.noise import window_noise
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.base import Band, Judged
from halfstep.tasks.music.task import Music
from halfstep.training.observe import sample_like


def teacher_windows(
    task: Music, denoiser: Denoiser, schedule: Schedule, mel: MelConfig, band: Band, num_steps: int, seed: int
) -> Judged:
    """Log-mel windows [n, n_mels, frames] by DDIM under `schedule`, of which nothing is given; window k from
    `window_noise` k of `seed`, as the students' is.
    """
    config = task.config
    mean, std = (part[:, None] for part in band)
    frozen = denoiser.to("cpu").eval()

    def windows(numbers: range) -> Float32[np.ndarray, "..."]:
        torch.set_num_threads(1)
        nothing = task.free(np.zeros((len(numbers), config.n_mels, config.frames), np.float32))
        drawn = np.stack([window_noise(config.n_mels, seed, k, config.frames) for k in numbers])
        x = sample_like(frozen, nothing, torch.from_numpy(task.packing.noise(drawn)), num_steps, schedule)
        made = task.windows(x.float().numpy()) * std + mean
        return np.maximum(made, np.float32(np.log(mel.floor)))

    return windows
