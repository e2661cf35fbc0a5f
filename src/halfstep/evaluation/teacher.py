"""A run's teacher at its full number of steps, as windows to be judged."""

from halfstep.diffusion.schedule import SCHEDULES
from halfstep.errors import InputError
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.run_folder import Run
from halfstep.tasks.base import Judged


def teacher_mels(run: Run, denoiser: Denoiser, num_steps: int, seed: int) -> Judged:
    """Log-mel windows [n, n_mels, frames] under the run's own schedule; window k from the noise of the
    students' window k.

    InputError if the task brings no judge.
    """
    experiment = run.experiment
    if experiment.kind.judge is None:
        raise InputError(f"{run.path}: models {experiment.kind.name}, which brings no judge")
    schedule = SCHEDULES[experiment.diffusion.schedule]()
    return experiment.kind.judge(run.task, denoiser, schedule, experiment.mel, run.band, num_steps, seed)
