"""What `halfstep train` does: a preset and its settings, resolved, become a teacher in a run folder."""

import errno
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from halfstep.data.dataset import Library
from halfstep.errors import NamedError, unbraced
from halfstep.lock import folder_lock
from halfstep.nets.widening import widened
from halfstep.own_folder import RUN, enter, members
from halfstep.runs.conditions import fitted_conditions
from halfstep.runs.experiment import Experiment, with_settings
from halfstep.runs.presets import preset
from halfstep.runs.run_folder import AnyRun, Run, begin_with, new_run, settle
from halfstep.runs.start import TEACHER, Start, start_from
from halfstep.runs.vocoder import VocoderExperiment, VocoderRun, train_vocoder
from halfstep.tasks.inpainting import Inpainting
from halfstep.training.checkpoint import CHECKPOINTS, save_tensors, updates_done
from halfstep.training.denoising import denoising_loss
from halfstep.training.devices import device_named
from halfstep.training.loop import Progress, train
from halfstep.training.team import joined, team

CALIBRATED = 128
"""Windows by which a preconditioned network learns the deviations of what it sees."""
UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def train_command(
    data: Path | str, run: Path, name: str, settings: list[str], steps: int | None, progress: Progress,
    start: Path | str | None = None, device: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Train (or go on training) `run` on the data set `data`, as the preset `name` says.

    start: a run or a model that it begins with (`start_from`), its optimizer new. device: cuda, mps or cpu, if not the
    best. The last held-out figures come back; {} on every process of a team but the first.
    InputError if the data set, the preset, a setting, `start`, the device or the run folder does not fit.
    """
    on = device_named(device)
    with joined(on) as everyone, ExitStack() as held:
        opened, begin = everyone.in_turn(lambda: _opened(data, run, name, settings, steps, start, on))
        try:
            everyone.in_turn(lambda: _begun(opened, held, everyone.leads, begin))
            if isinstance(opened, VocoderRun):
                return train_vocoder(opened, progress, None if begin is None else begin.weights({}))
            return _train(opened, progress, begin)
        except OSError as fault:
            if fault.errno not in UNWRITABLE or not Path(fault.filename or "").is_relative_to(run):
                raise
            raise NamedError(f"{unbraced(run)}: not writable ({fault.strerror}); choose another {{out}}") from None


def _opened(
    data: Path | str,
    run: Path,
    name: str,
    settings: list[str],
    steps: int | None,
    start: Path | str | None,
    device: torch.device,
) -> tuple[AnyRun, Start | None]:
    """The run, of which nothing is written yet, and what it begins with."""
    experiment = resolved(data, name, settings, steps)
    begin = None if start is None else start_from(start)
    opened = new_run(run, experiment, Library(data), device)
    if isinstance(opened, Run):
        frames = experiment.clip_frames
        fitted_conditions(opened.experiment.conditions, opened.learned, run, frames)  # what is lacking is said first
    for split in ("train", "heldout"):
        windows = opened.windows(split)  # too little data is said before the run begins
        if split == "train":
            windows.expect(experiment.train.batch_size, "train.batch_size")
    return opened, begin


def _begun(run: AnyRun, held: ExitStack, writes: bool, start: Start | None) -> None:
    """Enter the folder and lock it, where this process `writes`; fit to the data what must be, and keep it there."""
    if writes:
        enter(run.path, RUN, _is_run)
        held.enter_context(folder_lock(run.path))
        _not_fewer(run)
        settle(run)
        if start is not None:
            begin_with(run, start.kept)
    if isinstance(run, Run):
        assert run.task is not None and run.conditions is not None


def _is_run(folder: Path) -> bool:
    """Whether a folder without a mark is one nevertheless: they had none once."""
    return {"format", "experiment"} <= members(folder / "config.json").keys()


def _train(run: Run, progress: Progress, start: Start | None) -> dict[str, Any]:
    config = run.experiment.train
    torch.manual_seed(config.seed)
    denoiser = run.network()
    first = run.batches(CALIBRATED)(0)
    denoiser.calibrate(first.x, first.condition)
    if start is not None:
        try:
            own, asks = denoiser.state_dict(), (start.asks, run.conditions.columns)
            weights = start.weights({name: value.shape for name, value in own.items()})
            context = isinstance(run.task, Inpainting) and run.task.has_context
            denoiser.load_state_dict(widened(weights, own, run.task.channels, context, asks))
        except (RuntimeError, ValueError) as fault:
            reason = " ".join(str(fault).split())[:200]
            raise NamedError(
                f"{{start}}: its weights are of another network ({unbraced(reason)}); give its {{preset}}"
            ) from None
    training = replace(config, steps=config.total_steps(run.windows("train").count), epochs=None)
    observer = run.observer(run.path)
    average = train(
        denoiser, denoising_loss(run.experiment.diffusion), run.batches(training.batch_size), run.path, training,
        observer, run.device, progress,
    )  # fmt: skip
    if not team().leads:
        return {}
    figures = observer.measure(average)
    done = updates_done(run.path / CHECKPOINTS)  # a clock may have ended it sooner than `training.steps`
    save_tensors(run.path / TEACHER, average.state_dict(), {"steps": done, "figures": figures})
    return figures


def _not_fewer(run: AnyRun) -> None:
    """InputError where fewer updates are asked for than are done: a record of them would be false."""
    wanted = run.experiment.train.total_steps(run.windows("train").count)
    if (done := updates_done(run.path / CHECKPOINTS)) > wanted:
        raise NamedError(
            f"{unbraced(run.path)}: {done} updates are done, {wanted} are asked for; ask for {done} or more, or choose "
            f"another {{out}}"
        )


def resolved(data: Path | str, name: str, settings: list[str], steps: int | None) -> Experiment | VocoderExperiment:
    """The preset with its settings, for this data set. InputError where one does not fit."""
    experiment = with_settings(preset(name), settings)
    if steps is not None:
        if steps < 1:
            raise NamedError(f"{{steps}} {steps}: at least 1 was expected")
        experiment = replace(experiment, train=replace(experiment.train, steps=steps, epochs=None))
    library, wanted = Library(data), experiment.stores
    if library.stores != wanted:
        raise NamedError(
            f"{unbraced(data)}: stores {library.stores}, but preset {name} learns from {wanted}; "
            f"prepare it with {{preset}} {name} into another folder"
        )
    if isinstance(experiment, Experiment) and not experiment.mel.image_bands:  # the data set says whether there is one
        experiment = replace(experiment, mel=replace(experiment.mel, image_bands=library.mel.image_bands))
    if library.mel != experiment.mel:
        raise NamedError(
            f"{unbraced(data)}: prepared with {library.mel}, but preset {name} wants {experiment.mel}; "
            f"prepare it again with {{preset}} {name}"
        )
    return experiment
