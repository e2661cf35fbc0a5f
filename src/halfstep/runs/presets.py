"""Named experiments, whole: what is modelled, by which network, trained and distilled how, and what to expect of it."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from halfstep.audio.mel import MelConfig
from halfstep.data.stores import LOG_MEL, WAVEFORM
from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.errors import InputError
from halfstep.nets.blocks import Sizes
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.unet1d import PaperUNet1d, PaperUNet1dConfig, UNet1d, UNet1dConfig
from halfstep.nets.unet2d import UNet2d, UNet2dConfig
from halfstep.packing import Components
from halfstep.tasks.base import Task
from halfstep.tasks.diffusion_vocoder.observer import DiffusionVocoderObserver
from halfstep.tasks.diffusion_vocoder.task import DiffusionVocoder, DiffusionVocoderConfig
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.ladder import DistillConfig
from halfstep.training.loop import TrainConfig
from halfstep.training.observe import LadderObserver

NetConfig = UNet1dConfig | PaperUNet1dConfig | UNet2dConfig
NETS: dict[type, Callable[[Any, Sizes], nn.Module]] = {
    UNet1dConfig: UNet1d,
    PaperUNet1dConfig: PaperUNet1d,
    UNet2dConfig: UNet2d,
}


Band = tuple[np.ndarray, np.ndarray]
"""Mean and deviation of every band of the log-mel, [n_mels] each."""
TaskSettings = MusicConfig | DiffusionVocoderConfig


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A task as experiments name it: its settings, the data sets it learns from (a key of STORES), how it is built from
    settings, mel, bands and components, and what looks at its models.
    """

    config: type
    stores: str
    build: Callable[[Any, MelConfig, Band, Components | None], Task]
    observer: Callable[..., LadderObserver]


def _build_music(config: Any, mel: MelConfig, band: Band, components: Components | None) -> Task:
    return Music(config, components)


def _build_diffusion_vocoder(config: Any, mel: MelConfig, band: Band, components: Components | None) -> Task:
    return DiffusionVocoder(config, mel, band)


TASKS = {
    "music": Kind(config=MusicConfig, stores=LOG_MEL, build=_build_music, observer=MusicObserver),
    "diffusion_vocoder": Kind(
        config=DiffusionVocoderConfig,
        stores=WAVEFORM,
        build=_build_diffusion_vocoder,
        observer=DiffusionVocoderObserver,
    ),
}
NAMES = {kind.config: name for name, kind in TASKS.items()}


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
    task: TaskSettings = MusicConfig()
    diffusion: DiffusionConfig = DiffusionConfig()
    distill: DistillConfig = DistillConfig()

    def __post_init__(self) -> None:
        name, task, multiple = self.task_name, self.task, self.net.length_multiple
        if task.n_mels != self.mel.n_mels:
            raise ValueError(f"{name}.n_mels is {task.n_mels}, mel.n_mels {self.mel.n_mels}: the same was expected")
        if task.length % multiple:
            raise ValueError(
                f"{name}.frames is {task.frames}, which makes x of length {task.length}: "
                f"a multiple of {multiple} was expected by the network's {len(self.net.widths)} levels"
            )

    @property
    def task_name(self) -> str:
        """A key of TASKS."""
        return NAMES[type(self.task)]

    @property
    def kind(self) -> Kind:
        """All that the task's name stands for."""
        return TASKS[self.task_name]

    @property
    def music(self) -> MusicConfig:
        """The task of an experiment that models music. InputError for another."""
        if not isinstance(self.task, MusicConfig):
            raise InputError(f"preset {self.name}: models {self.task_name}, and this works with music alone")
        return self.task

    def build(self, task: Task) -> Denoiser:
        """The untrained network for `task`."""
        heads = PARAMETERIZATIONS[self.diffusion.parameterization].heads
        sizes = Sizes(channels=task.channels, aligned=task.aligned, heads=heads)
        return Denoiser(NETS[type(self.net)](self.net, sizes), self.diffusion.parameterization)

    def to_json(self) -> dict[str, Any]:
        """Plain values; `net` carries the name of its class."""
        plain = json.loads(json.dumps(dataclasses.asdict(self)))
        plain = {self.task_name if key == "task" else key: value for key, value in plain.items()}
        return plain | {"net": {"class": type(self.net).__name__, **plain["net"]}}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Experiment":
        """The inverse of `to_json`. ValueError naming a value that is out of range or a key that is not known."""
        classes = {net.__name__: net for net in NETS}
        net = dict(plain["net"])
        named = [name for name in TASKS if name in plain]
        if len(named) != 1:
            raise ValueError(f"names the tasks {named}: one of {', '.join(TASKS)} was expected")
        task = _build(TASKS[named[0]].config, plain[named[0]])
        values: dict[str, Any] = {"net": _build(classes[net.pop("class")], net), "task": task}
        for field in dataclasses.fields(cls):
            if field.name not in values:
                value = plain[field.name]
                values[field.name] = _build(field.type, value) if dataclasses.is_dataclass(field.type) else value
        return cls(**values)


def _build(cls: Any, values: dict[str, Any]) -> Any:
    known = {field.name for field in dataclasses.fields(cls)}
    if unknown := set(values) - known:
        raise ValueError(f"{', '.join(sorted(unknown))} not known to {cls.__name__}; it has {', '.join(sorted(known))}")
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})


def with_settings(experiment: Experiment, settings: list[str]) -> Experiment:
    """The experiment with `section.key=value` settings, value in JSON. InputError naming one that does not fit."""
    plain = experiment.to_json()
    for setting in settings:
        path, _, text = setting.partition("=")
        section, _, key = path.partition(".")
        known = [f"{s}.{k}" for s, keys in plain.items() if isinstance(keys, dict) for k in keys if k != "class"]
        if path not in known:
            raise InputError(f"--set {setting}: no setting of that name; there are {', '.join(known)}")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        if not _same_kind(value, plain[section][key]):
            like = (
                "a number or null" if plain[section][key] is None else f"a value like {json.dumps(plain[section][key])}"
            )
            raise InputError(f"--set {setting}: {like} was expected")
        plain[section][key] = value
    try:
        return Experiment.from_json(plain)
    except ValueError as fault:
        raise InputError(f"--set {' --set '.join(settings)}: {fault}") from None


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


def _tiny() -> Experiment:
    return Experiment(
        name="tiny",
        expects="a minute on a laptop: held-out x error at t = .5 under .5; a check that all works, not music",
        net=UNet1dConfig(widths=(96, 128), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=64),
        train=TrainConfig(steps=300, batch_size=16, learning_rate=2e-3, ema_decay=0.98, measure_every=100,
                          sample_every=300, log_every=25),
        diffusion=DiffusionConfig(weight="x"),
        distill=DistillConfig(start_steps=16, updates=60, batch_size=16),
    )  # fmt: skip


def _base() -> Experiment:
    return Experiment(
        name="base",
        expects="85 processor minutes, teacher and ladder: held-out x error at t = .5 of .11, samples' frame step "
        "near .2; the model in the package (docs/experiments/README.md)",
        net=UNet1dConfig(widths=(256, 320, 320), blocks=(1, 1, 2), attention=(False, False, True), embedding=128),
        task=MusicConfig(context_noise=0.1),
        diffusion=DiffusionConfig(weight="x"),
        train=TrainConfig(steps=2400, batch_size=16, learning_rate=1e-3, ema_decay=0.999, measure_every=1000),
        distill=DistillConfig(updates=120, batch_size=16),
    )


def _long() -> Experiment:
    base = _base()
    return dataclasses.replace(
        base,
        name="long",
        expects="as base, at 22.05 kHz: windows of 8.92 s instead of 4.46 s",
        mel=MelConfig(sample_rate=22050),
    )


PITCH_BANDS = MelConfig(n_fft=8192, window_length=4096, n_mels=192, spacing="log", fmin_hz=30.0)
"""Bands that hold pitch: 21 an octave at 440 Hz, where a mel's are 31 Hz apart."""


def _flagship() -> Experiment:
    return Experiment(
        name="flagship",
        expects="struck notes and chords in tune (docs/experiments/flagship.md) after .8 million windows of 11.9 s, six"
        " minutes on a GPU with recipes/models/gpu_trip.py; the model piano in the package",
        net=UNet1dConfig(widths=(320, 384, 448), blocks=(1, 2, 2), attention=(False, True, True), embedding=256),
        mel=PITCH_BANDS,
        task=MusicConfig(n_mels=192, frames=1024, packing="components", components=160, patch_frames=4,
                         context_noise=0.1),
        diffusion=DiffusionConfig(weight="clipped-snr"),
        train=TrainConfig(steps=120_000, batch_size=16, learning_rate=1e-3, ema_decay=0.9995, measure_every=2000,
                          sample_every=10_000),
        distill=DistillConfig(start_steps=32, updates=4000, batch_size=16),
    )  # fmt: skip


def _vocoder_diffusion() -> Experiment:
    return Experiment(
        name="vocoder-diffusion",
        expects="a waveform from a mel: MR-STFT 1.70 at 64 steps, Griffin-Lim .92 (docs/experiments/README.md)",
        net=UNet1dConfig(widths=(384, 384), blocks=(1, 1), attention=(False, False), embedding=128,
                         direct=True),
        task=DiffusionVocoderConfig(),
        diffusion=DiffusionConfig(parameterization="v", weight="snr+1"),
        train=TrainConfig(steps=1200, batch_size=16, learning_rate=1e-3, ema_decay=0.995, measure_every=400,
                          sample_every=600),
        distill=DistillConfig(updates=60, batch_size=16),
    )  # fmt: skip


def _paper_ddpm() -> Experiment:
    return Experiment(
        name="paper-ddpm-unet2d",
        expects="the paper's baseline: PIS 10.3 / 11.5, IIS 2.6 / 1.9, PKID .013 / .011, IKID .173 / .166, "
        "FAD 4.55 / 4.17 (SoTr / PiTr) after 1M steps on many V100",
        net=UNet2dConfig(),
        task=MusicConfig(packing="snake", context=False),
        diffusion=DiffusionConfig(schedule="ddpm-cosine", parameterization="eps", weight="snr"),
        train=_paper_training(),
    )


def _paper_pdd() -> Experiment:
    return Experiment(
        name="paper-pdd-unet1d",
        expects="the paper's own: PIS 9.5 / 9.3, IIS 2.9 / 3.6, PKID .021 / .016, IKID .101 / .063, "
        "FAD 2.71 / 2.13 (SoTr / PiTr) after 1M steps on many V100",
        net=PaperUNet1dConfig(),
        task=MusicConfig(packing="snake", context=False),
        diffusion=DiffusionConfig(parameterization="v", weight="truncated-snr"),
        train=_paper_training(),
        distill=DistillConfig(start_steps=1024, updates=50_000, batch_size=8, learning_rate=2e-5),
    )


def _paper_training() -> TrainConfig:
    return TrainConfig(epochs=1000, batch_size=8, learning_rate=2e-5, betas=(0.9, 0.999), warmup_steps=0)


PRESETS: dict[str, Callable[[], Experiment]] = {
    "tiny": _tiny,
    "base": _base,
    "long": _long,
    "flagship": _flagship,
    "vocoder-diffusion": _vocoder_diffusion,
    "paper-ddpm-unet2d": _paper_ddpm,
    "paper-pdd-unet1d": _paper_pdd,
}
