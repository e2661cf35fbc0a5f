"""A run folder: its settings, its data, its network, its lock."""

import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import torch

import halfstep
from halfstep.atomic import replacing, write_json
from halfstep.conditioning import Conditions
from halfstep.data.dataset import LONGEST_NAME, Library
from halfstep.data.windows import Windows
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.fields import Fields, read_json
from halfstep.lock import folder_lock
from halfstep.machine import processor
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.conditions import Conditioning, fitted_conditions
from halfstep.runs.experiment import Experiment
from halfstep.runs.vocoder import VocoderExperiment, VocoderRun
from halfstep.tasks.contract import Band, Task
from halfstep.training.checkpoint import CHECKPOINTS, latest_average, load_tensors
from halfstep.training.devices import best_device
from halfstep.training.example import Example
from halfstep.training.observe import LadderObserver
from halfstep.training.team import team

FORMAT = 1
"""Of config.json; one of another number is refused, not read as if it were this."""
RESTORE = "restore it, or choose another folder"
MOST_SETTINGS = 1 << 20
"""Bytes of config.json."""
FREE = (
    "experiment.train.steps", "experiment.train.epochs", "experiment.train.compile", "experiment.train.accumulate",
    "experiment.train.shard", "experiment.expects", "experiment.diffusion.sampler",
    "experiment.diffusion.respacing", "experiment.diffusion.sample_steps",
)  # fmt: skip
"""Settings that a run may change as it goes on."""


@dataclass(frozen=True)
class Run:
    """A run folder opened: `experiment` as resolved, `library` the data it learns from."""

    path: Path
    experiment: Experiment
    library: Library
    device: torch.device = field(default_factory=best_device)

    @cached_property
    def task(self) -> Task:
        return self.experiment.kind.build(self.experiment.task, self.experiment.mel, self.library, self.path)

    @cached_property
    def learned(self) -> Library:
        """What its clips are of: the data set, or what the task measures of it."""
        learned = self.experiment.kind.learned
        return self.library if learned is None else learned(self.experiment.task, self.library, self.path)

    @cached_property
    def conditions(self) -> Conditions:
        """What the model can be asked for."""
        return fitted_conditions(self.experiment.conditions, self.learned, self.path, self.experiment.clip_frames)

    def network(self) -> Denoiser:
        """The untrained one."""
        return self.experiment.build(self.task, self.conditions.width)

    @property
    def band(self) -> Band:
        """Of what it learns from."""
        return self.learned.band_mean, self.learned.band_std

    def windows(self, split: str, stream: int = 0) -> Windows:
        """The split's clips, drawn under the run's seed; every `stream` draws others. Those to train on as its settings
        weigh them.
        """
        experiment = self.experiment
        weigh = experiment.conditions.weigh(self.library) if split == "train" else None
        return Windows(self.learned, split, experiment.task.clip_frames, experiment.train.seed + stream, weigh)

    def batches(self, size: int, stream: int = 0) -> Callable[[int], Example]:
        """Training batches by number: windows, what is given of them, and what they can be asked for by."""
        windows, conditions = self.windows("train", stream), self.conditions
        conditioning = Conditioning(conditions, self.experiment.conditions, self.learned)

        def batch(number: int) -> Example:
            clips, rng = windows.batch(number, size)
            example = self.task.example(clips, rng)
            if not conditions.named:
                return example
            return conditioning.given(example, clips, [track for track, _ in windows.drawn(number, size)], rng)

        return batch

    def observer(self, folder: Path, num_steps: int | None = None, ladder: bool = False) -> LadderObserver:
        """Looks at a model against the held-out split; samples go into `folder`. ladder: as students are sampled;
        num_steps: of a student, which is sampled so too, in so many steps.
        """
        diffusion = self.experiment.diffusion
        sampling = diffusion.on_ladder if ladder or num_steps is not None else diffusion.sampling
        observer = self.experiment.kind.observer(
            self.task, self.windows("heldout"), self.experiment.mel, self.band, sampling, folder, self.device
        )
        if num_steps is not None:
            observer.sampled_at(num_steps)
        return observer

    def teacher(self) -> Denoiser:
        """The finished teacher, its averaged weights. InputError if training has not finished."""
        path = self.path / "teacher.safetensors"
        if not path.with_suffix(".json").exists():
            raise InputError(
                f"{self.path}: its teacher is not finished; run `halfstep train DATA --out {self.path}` again"
            )
        denoiser = self.network()
        try:
            tensors, _ = load_tensors(path)
            denoiser.load_state_dict(tensors)
        except (ValueError, RuntimeError) as fault:
            raise InputError(f"{fault}; train again, or restore the file") from None
        return denoiser.eval()

    def teacher_so_far(self) -> tuple[Denoiser, int | None]:
        """The same of a training that goes on, from its newest checkpoint, and the updates in it; None: finished.

        InputError where there is neither.
        """
        if (self.path / "teacher.json").exists():
            return self.teacher(), None
        latest = latest_average(self.path / CHECKPOINTS)
        if latest is None:
            return self.teacher(), None  # which says what is missing
        average, updates = latest
        denoiser = self.network()
        try:
            denoiser.load_state_dict(average)
        except RuntimeError as fault:
            raise InputError(f"{self.path / CHECKPOINTS}: {fault}; train again, or restore the file") from None
        return denoiser.eval(), updates


AnyRun: TypeAlias = Run | VocoderRun


def settle(run: AnyRun) -> None:
    """Note the settings of a new run; refuse others for one that has begun, all but those FREE."""
    path = run.path / "config.json"
    wanted = {
        "format": FORMAT, "data": run.library.name, "data_set": _data_set(run.library),
        "experiment": run.experiment.to_json(), "machine": _machine(),
    }  # fmt: skip
    if path.exists():
        # Through Experiment, so that what was added to a later version's settings stands at its default.
        noted = {"data_set": wanted["data_set"]} | _config(path)
        noted["experiment"] = _experiment(path, noted).to_json()
        for name, old, new in _differences(noted, wanted):
            if name not in FREE and not name.startswith("machine"):
                raise NamedError(
                    f"{unbraced(run.path)}: began with {name} = {unbraced(json.dumps(old))}, now "
                    f"{unbraced(json.dumps(new))} is asked for; keep the old setting, or choose another {{out}}"
                )
    write_json(path, wanted)


def _machine() -> dict[str, Any]:
    """What the last bits of a training depend on besides its settings; of the latest start."""
    return {
        "halfstep": halfstep.__version__, "torch": torch.__version__, "threads": torch.get_num_threads(),
        "processor": processor(),
    }  # fmt: skip


def _data_set(library: Library) -> dict[str, Any]:
    """What a model depends on of its data set: other tracks or band statistics make another model."""
    tracks = [
        [track.id, track.frames, track.split, *([{**track.labels}] if track.labels else [])] for track in library.tracks
    ]
    whole = json.dumps([tracks, library.band_mean.tolist(), library.band_std.tolist()])
    frames = sum(track.frames for track in library.tracks)
    return {"frames": frames, "sha256": hashlib.sha256(whole.encode()).hexdigest()}


def _differences(old: Any, new: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(old.get(key), new.get(key), f"{name}.{key}" if name else key)
    elif old != new:
        yield name, old, new


def _config(path: Path) -> dict[str, Any]:
    """The members of config.json, each of its kind. InputError where they are anything else, or of another format."""
    try:
        value = read_json(path, RESTORE, MOST_SETTINGS)
    except OSError as fault:
        raise InputError(f"{path}: {fault.strerror}; {RESTORE}") from None
    fields = Fields(str(path), value, RESTORE)
    fields.format_number(FORMAT)
    noted: dict[str, Any] = {"format": FORMAT, "data": fields.text("data", LONGEST_NAME)}
    if fields.has("data_set"):
        data_set = fields.inside("data_set")
        noted["data_set"] = {"frames": data_set.integer("frames", 0, 10**15), "sha256": data_set.text("sha256", 64)}
        data_set.done()
    noted["experiment"] = fields.take("experiment")
    if fields.has("machine"):
        noted["machine"] = fields.take("machine")
    fields.done()
    return noted


def _experiment(path: Path, noted: dict[str, Any]) -> Experiment | VocoderExperiment:
    try:
        plain = noted["experiment"]
        return (VocoderExperiment if "vocoder" in plain else Experiment).from_json(plain)
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise InputError(f"{path}: its settings do not fit ({fault}); {RESTORE}") from None


def new_run(
    path: Path, experiment: Experiment | VocoderExperiment, library: Library, device: torch.device | None = None
) -> AnyRun:
    """A run of the experiment, of which nothing need be there yet; on `device`, or the best that is here."""
    device = device or best_device()
    if isinstance(experiment, VocoderExperiment):
        return VocoderRun(path, experiment, library, device)
    return Run(path, experiment, library, device)


def begin_with(run: AnyRun, kept: Mapping[str, bytes]) -> None:
    """Keep in a new run's folder, which is there, what it has of its start; what is there stays."""
    for name, data in kept.items():
        if not (run.path / name).exists():
            with replacing(run.path / name) as partial:
                partial.write_bytes(data)


@contextmanager
def open_any_run(path: Path, device: torch.device | None = None) -> Generator[AnyRun, None, None]:
    """The run at `path`, locked while the block runs (by the first process of a team, for all of them).

    InputError if it is none, or its data set is gone or another.
    """
    config = path / "config.json"
    if not os.path.lexists(config):
        raise InputError(f"{path}: not a run folder (no config.json); make one with `halfstep train DATA --out {path}`")
    with folder_lock(path) if team().leads else nullcontext():
        noted = _config(config)
        library = Library(noted["data"])
        now = _data_set(library)
        for name, old, new in _differences(noted.get("data_set", now), now):
            raise InputError(
                f"{noted['data']}: its {name} was {json.dumps(old)} when {path} was trained, now {json.dumps(new)}; "
                f"prepare it as it was, or train again"
            )
        experiment = _experiment(config, noted)
        if experiment.mel != library.mel:
            raise InputError(
                f"{path}: its settings say {experiment.mel}, its data set {library.path} was prepared with "
                f"{library.mel}; restore config.json, or train again"
            )
        yield new_run(path, experiment, library, device)


@contextmanager
def open_run(path: Path, device: torch.device | None = None) -> Generator[Run, None, None]:
    """The same, for a run of a task. InputError for one of the learned vocoder."""
    with open_any_run(path, device) as run:
        if not isinstance(run, Run):
            raise InputError(f"{path}: a run of the learned vocoder; use `halfstep export {path} --into MODEL`")
        yield run
