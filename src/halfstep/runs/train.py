"""What `halfstep train` does: a preset and its settings, resolved, become a teacher in a run folder."""

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from halfstep.data.dataset import Library
from halfstep.errors import InputError
from halfstep.lock import folder_lock
from halfstep.runs.presets import PRESETS, Experiment, with_settings
from halfstep.runs.run_folder import Run, settle
from halfstep.training.checkpoint import save_tensors
from halfstep.training.denoising import denoising_loss
from halfstep.training.loop import Progress, train

UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def train_command(
    data: Path, run: Path, preset: str, settings: list[str], steps: int | None, progress: Progress
) -> dict[str, Any]:
    """Train (or go on training) the teacher of `run` on the data set `data`; return its last held-out figures.

    InputError if the data set, the preset, a setting or the run folder does not fit.
    """
    experiment = _resolved(data, preset, settings, steps)
    opened = Run(run, experiment, Library(data))
    for split in ("train", "heldout"):
        opened.windows(split)  # too little data is said before the run begins
    try:
        run.mkdir(parents=True, exist_ok=True)
        with folder_lock(run):
            settle(opened)
            return _train(opened, progress)
    except OSError as fault:
        if fault.errno not in UNWRITABLE or not Path(fault.filename or "").is_relative_to(run):
            raise
        raise InputError(f"{run}: not writable ({fault.strerror}); choose another --out") from None


def _train(run: Run, progress: Progress) -> dict[str, Any]:
    config = run.experiment.train
    torch.manual_seed(config.seed)
    denoiser = run.experiment.build(run.task)
    training = replace(config, steps=config.total_steps(run.windows("train").count), epochs=None)
    observer = run.observer(run.path)
    average = train(
        denoiser, denoising_loss(run.experiment.diffusion), run.batches(training.batch_size), run.path, training,
        observer, run.device, progress,
    )  # fmt: skip
    figures = observer.measure(average)
    save_tensors(run.path / "teacher.safetensors", average.state_dict(), {"steps": training.steps, "figures": figures})
    return figures


def _resolved(data: Path, preset: str, settings: list[str], steps: int | None) -> Experiment:
    if preset not in PRESETS:
        raise InputError(f"--preset {preset}: not known; there are {', '.join(PRESETS)}")
    experiment = with_settings(PRESETS[preset](), settings)
    if steps is not None:
        if steps < 1:
            raise InputError(f"--steps {steps}: at least 1 was expected")
        experiment = replace(experiment, train=replace(experiment.train, steps=steps, epochs=None))
    library, wanted = Library(data), experiment.kind.stores
    if library.stores != wanted:
        raise InputError(
            f"{data}: stores {library.stores}, but preset {preset} learns from {wanted}; "
            f"prepare it with --preset {preset} into another folder"
        )
    if library.mel != experiment.mel:
        raise InputError(
            f"{data}: prepared with {library.mel}, but preset {preset} wants {experiment.mel}; "
            f"prepare it again with --preset {preset}"
        )
    return experiment
