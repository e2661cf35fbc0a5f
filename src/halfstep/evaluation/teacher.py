"""A run's teacher at its full number of steps, as windows to be judged."""

from collections.abc import Callable

import numpy as np
import torch

from halfstep.audio.mel import Float32
from halfstep.diffusion.schedule import SCHEDULES
from halfstep.errors import InputError
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.run_folder import Run
from halfstep.tasks.music.task import Music
from halfstep.training.observe import sample_like


def teacher_mels(run: Run, denoiser: Denoiser, num_steps: int, seed: int) -> Callable[[range], Float32]:
    """Log-mel windows [n, n_mels, frames] by DDIM under the run's own schedule; window k from the noise (seed, k)."""
    task = run.task
    if not isinstance(task, Music):
        raise InputError(f"{run.path}: models {run.experiment.task_name}; only music can be evaluated so far")
    music = task.config
    schedule = SCHEDULES[run.experiment.diffusion.schedule]()
    mean, std = run.library.band_mean[:, None], run.library.band_std[:, None]
    frozen = denoiser.to("cpu").eval()

    def windows(numbers: range) -> Float32:
        torch.set_num_threads(1)
        nothing = task.free(np.zeros((len(numbers), music.n_mels, music.frames), np.float32))
        size = tuple(nothing.x.shape[1:])
        drawn = [np.random.default_rng([seed, k]).standard_normal(size, np.float32) for k in numbers]
        x = sample_like(frozen, nothing, torch.from_numpy(np.stack(drawn)), num_steps, schedule)
        made = task.windows(x.float().numpy()) * std + mean
        return np.maximum(made, np.float32(np.log(run.experiment.mel.floor)))

    return windows
