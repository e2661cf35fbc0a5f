"""The learned vocoder as a run: its settings and its training."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import torch

from halfstep.audio.mel import MelConfig
from halfstep.data.dataset import Library
from halfstep.data.stores import WAVEFORM
from halfstep.data.windows import Windows
from halfstep.errors import InputError
from halfstep.learned_vocoder.clips import ClipsConfig
from halfstep.learned_vocoder.losses import SpectralLossConfig
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.training import VocoderObserver, spectral_loss, vocoder_batches
from halfstep.learned_vocoder.trunk import VocoderNetConfig
from halfstep.runs.experiment import settings_from
from halfstep.training.checkpoint import load_tensors, save_tensors
from halfstep.training.devices import best_device
from halfstep.training.example import Example
from halfstep.training.loop import Progress, train
from halfstep.training.step_random import LossFn
from halfstep.training.team import team
from halfstep.training.train_config import TrainConfig

WEIGHTS = "vocoder.safetensors"
"""The averaged network of a finished run."""
HELD_OUT = 32
FORMER_LOSSES = {"heard": "tagger"}
"""Settings in the configs of older runs -> what they are called now."""


@dataclass(frozen=True, kw_only=True)
class VocoderExperiment:
    """A preset of the learned vocoder. `expects` says in words what it should reach and how long that takes."""

    name: str
    expects: str
    vocoder: VocoderNetConfig = VocoderNetConfig()
    train: TrainConfig
    mel: MelConfig = MelConfig()
    clips: ClipsConfig = ClipsConfig()
    losses: SpectralLossConfig = SpectralLossConfig()

    stores: ClassVar[str] = WAVEFORM
    """The data sets it learns from."""
    emphasis: ClassVar[float] = 0.0
    """As `Experiment.emphasis`: it hears the bands as they are."""

    @property
    def clip_frames(self) -> int:
        """Frames of a clip as the data set gives it."""
        return self.clips.frames

    def build(self) -> VocoderNet:
        """The untrained networks."""
        return VocoderNet(self.mel, self.vocoder)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Self:
        """The inverse of `to_json`. ValueError naming a value that is out of range or a key that is not known."""
        losses = {FORMER_LOSSES.get(name, name): weight for name, weight in plain["losses"].items()}
        plain = plain | {"losses": losses}
        values: dict[str, Any] = {}
        for of in dataclasses.fields(cls):
            value = plain[of.name]
            values[of.name] = settings_from(of.type, value) if dataclasses.is_dataclass(of.type) else value
        return cls(**values)


@dataclass(frozen=True)
class VocoderRun:
    """A run folder of the learned vocoder: `experiment` as resolved, `library` the data it learns from."""

    path: Path
    experiment: VocoderExperiment
    library: Library
    device: torch.device = field(default_factory=best_device)

    def windows(self, split: str) -> Windows:
        """The split's clips, drawn under the run's seed."""
        return Windows(self.library, split, self.experiment.clip_frames, self.experiment.train.seed)

    def trained(
        self, config: TrainConfig
    ) -> tuple[VocoderNet, LossFn[VocoderNet], Callable[[int], Example], Path, TrainConfig]:
        """What `training.loop.train` is given: a new network, its loss, its batches, the folder and the settings."""
        experiment = self.experiment
        batches = vocoder_batches(self.windows("train"), experiment.mel, experiment.clips, config.batch_size)
        return experiment.build(), spectral_loss(experiment.losses), batches, self.path, config

    def network(self) -> VocoderNet:
        """The finished networks, averaged. InputError if training has not finished, or they do not fit."""
        path = self.path / WEIGHTS
        if not path.with_suffix(".json").exists():
            raise InputError(f"{self.path}: its vocoder is not finished; run `halfstep train DATA --out {self.path}`")
        net = self.experiment.build()
        try:
            net.load_state_dict(load_tensors(path)[0])
        except (ValueError, RuntimeError) as fault:
            raise InputError(f"{fault}; train again, or restore the file") from None
        return net.eval()

    @property
    def figures(self) -> dict[str, float]:
        """Held-out figures of the finished networks."""
        noted = load_tensors(self.path / WEIGHTS)[1]
        return {name: value for name, value in noted.items() if name.startswith("heldout/")}


def train_vocoder(run: VocoderRun, progress: Progress, start: dict[str, torch.Tensor] | None) -> dict[str, float]:
    """The vocoder of the run, from the weights `start` if they are given; its last held-out figures."""
    experiment, config = run.experiment, run.experiment.train
    torch.manual_seed(config.seed)
    training = dataclasses.replace(config, steps=config.total_steps(run.windows("train").count), epochs=None)
    net, loss, batches, folder, training = run.trained(training)
    if start is not None:
        net.load_state_dict(start)
    observer = VocoderObserver(run.windows("heldout").evenly(HELD_OUT), experiment.mel, run.device)
    average = train(net, loss, batches, folder, training, observer, run.device, progress)
    if not team().leads:
        return {}
    figures = observer.measure(average)
    save_tensors(run.path / WEIGHTS, average.state_dict(), figures)
    return figures
