"""An experiment, whole: what is modelled, by which network, trained and distilled how, and what to expect of it."""

import dataclasses
import json
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, Protocol, Self, TypeVar

import torch

from halfstep.audio.mel import MelConfig
from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.diffusion.process import ANCESTRAL
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.nets.blocks import NetConfig, Sizes
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.history import LossHistory
from halfstep.runs.conditions import ConditionsConfig
from halfstep.tasks.contract import Kind, Task, TaskConfig
from halfstep.tasks.known import kind_named, kind_of, task_names
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.ladder import DistillConfig
from halfstep.training.times import IMPORTANCE
from halfstep.training.train_config import TrainConfig

Settings = TypeVar("Settings")

LARGEST = 2**53
MOST_PARAMETERS = 4 * 10**9
"""Of a network that is built: 16 GB of weights."""


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One preset. `expects` says in words what it should reach and how long that takes.

    In JSON, `task` stands under the task's own name (`music`), which is how `--set music.frames=96` finds it.
    """

    name: str
    expects: str
    net: NetConfig
    train: TrainConfig
    mel: MelConfig = MelConfig()
    task: TaskConfig
    conditions: ConditionsConfig = ConditionsConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    distill: DistillConfig = DistillConfig()

    def __post_init__(self) -> None:
        name, task, multiple = self.task_name, self.task, self.net.length_multiple
        if task.n_mels != self.mel.n_mels:
            raise ValueError(f"{name}.n_mels is {task.n_mels}, mel.n_mels {self.mel.n_mels}: the same was expected")
        if getattr(self.net, "preconditioned", False) and self.diffusion.parameterization != "x":
            given = self.diffusion.parameterization
            raise ValueError(f"net.preconditioned is true and diffusion.parameterization {given!r}: 'x' was expected")
        if task.length % multiple:
            raise ValueError(f"{name} makes x of length {task.length}: the network expects a multiple of {multiple}")

    @property
    def kind(self) -> Kind:
        """All that the task's folder brings."""
        return kind_of(self.task)

    @property
    def task_name(self) -> str:
        return self.kind.name

    @property
    def stores(self) -> str:
        """The data sets it learns from."""
        return self.kind.stores

    @property
    def clip_frames(self) -> int:
        """Frames of a clip as the data set gives it."""
        return self.task.clip_frames

    @property
    def emphasis(self) -> float:
        """Of low bands in the data sets that are prepared for it; 0 where the task's settings name none."""
        return getattr(self.task, "emphasis", 0.0)

    @property
    def teacher_steps(self) -> int:
        """Sampling steps of the undistilled network where nobody says: all of DDPM's chain, or the ladder's first."""
        sampling = self.diffusion.sampling
        most = sampling.process.most_steps
        return most if sampling.sampler == ANCESTRAL else min(self.distill.start_steps, most)

    def task_as(self, settings: type[Settings]) -> Settings:
        """The task's settings, where they are of this class. InputError for another task."""
        if not isinstance(self.task, settings):
            raise InputError(
                f"preset {self.name}: models {self.task_name}, and this works with {settings.__name__} alone"
            )
        return self.task

    def build(self, task: Task, pooled: int = 0) -> Denoiser:
        """The untrained network for `task`, which sees a pooled condition of so many features."""
        diffusion = self.diffusion
        heads = PARAMETERIZATIONS[diffusion.parameterization].heads + diffusion.learned_variance
        sizes = Sizes(channels=task.channels, aligned=task.aligned, pooled=pooled, heads=heads)
        with torch.random.fork_rng(devices=[]), torch.device("meta"):  # without memory: settings may be a stranger's
            parameters = sum(weight.numel() for weight in self.net.build(sizes).parameters())
        if parameters > MOST_PARAMETERS:
            raise InputError(f"preset {self.name}: its network has {parameters} weights; make net.widths smaller")
        history = LossHistory() if diffusion.times == IMPORTANCE else None
        return Denoiser(self.net.build(sizes), diffusion.parameterization, diffusion.learned_variance, history)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `net` carries the name of its class."""
        plain = json.loads(json.dumps(dataclasses.asdict(self)))
        plain = {self.task_name if key == "task" else key: value for key, value in plain.items()}
        return plain | {"net": {"class": type(self.net).__name__, **plain["net"]}}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """The inverse of `to_json`; a section that an older version lacks is at its defaults.

        ValueError naming a value that is out of range or a key that is not known.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        named = [name for name in plain if name not in fields]
        kind = kind_named(named[0]) if len(named) == 1 else None
        if kind is None:
            raise ValueError(f"names the tasks {named}: one of {', '.join(task_names())} was expected")
        net, classes = dict(plain["net"]), {net.__name__: net for net in kind.nets}
        values: dict[str, Any] = {
            "net": settings_from(classes[net.pop("class")], net), "task": settings_from(kind.config, plain[kind.name])
        }  # fmt: skip
        added = {name for name, field in fields.items() if field.default is not dataclasses.MISSING} - plain.keys()
        for name, field in fields.items():
            if name not in values and name not in added:
                section = dataclasses.is_dataclass(field.type)
                values[name] = settings_from(field.type, plain[name]) if section else _text(name, plain[name])
        return cls(**values)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is {ascii(value)[:60]}: text was expected")
    return value


def settings_from(cls: Any, values: dict[str, Any]) -> Any:
    """A dataclass of settings from plain values. ValueError naming a key that it has not."""
    known = {field.name for field in dataclasses.fields(cls)}
    if unknown := set(values) - known:
        raise ValueError(f"{', '.join(sorted(unknown))} not known to {cls.__name__}; it has {', '.join(sorted(known))}")
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    wanted = typing.get_type_hints(cls)
    for name, value in plain.items():
        if not _fits(value, wanted[name]):
            raise ValueError(f"{name} is {ascii(value)[:60]}: {_type_name(wanted[name])} was expected")
    return cls(**plain)


def _fits(value: object, wanted: Any) -> bool:
    """Whether a plain value is of the type of a field of settings: a number, text, one of several, a tuple of such."""
    parts = typing.get_args(wanted)
    if isinstance(wanted, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if typing.get_origin(wanted) is tuple:
        if not isinstance(value, tuple):
            return False
        each = parts[:1] * len(value) if parts[-1] is ... else parts
        return len(each) == len(value) and all(map(_fits, value, each))
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST
    return isinstance(value, wanted) if isinstance(wanted, type) else True


def _type_name(wanted: Any) -> str:
    return wanted.__name__ if isinstance(wanted, type) and not typing.get_args(wanted) else str(wanted)


class Preset(Protocol):
    """An experiment of any kind: of a task, or of the learned vocoder."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, settings in sections."""
        ...

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """The inverse."""
        ...


AnyPreset = TypeVar("AnyPreset", bound=Preset)


def with_settings(experiment: AnyPreset, settings: list[str]) -> AnyPreset:
    """The experiment with `section.key=value` settings, value in JSON. InputError naming one that does not fit."""
    plain = experiment.to_json()
    for setting in settings:
        path, _, text = setting.partition("=")
        section, _, key = path.rpartition(".")
        known = [f"{s}.{k}" for s, keys in plain.items() if isinstance(keys, dict) for k in keys if k != "class"]
        if path not in known:
            raise NamedError(f"{{settings}} {unbraced(setting)}: no setting of that name; there are {', '.join(known)}")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if not _same_kind(value, plain[section][key]):
            like = (
                "a number or null" if plain[section][key] is None else f"a value like {json.dumps(plain[section][key])}"
            )
            raise NamedError(f"{{settings}} {unbraced(setting)}: {unbraced(like)} was expected")
        plain[section][key] = value
    try:
        return type(experiment).from_json(plain)
    except ValueError as fault:
        raise NamedError(f"{{settings}} {unbraced(', '.join(settings))}: {unbraced(fault)}") from None


def _same_kind(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if default is None:
        return value is None or isinstance(value, int | float)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, list) and default:
        return isinstance(value, list) and all(_same_kind(one, default[0]) for one in value)
    return isinstance(value, type(default))
