"""How the vocoder's networks are trained by `training.loop.train`: its batches, its loss, and what looks at it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from halfstep.arrays import Float, Float32
from halfstep.audio.mel import MelConfig
from halfstep.data.windows import Windows
from halfstep.learned_vocoder.clips import ClipsConfig, vocoder_example
from halfstep.learned_vocoder.losses import SpectralLossConfig, spectral_errors, vocoder_loss, with_bass_of
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.training.example import Example
from halfstep.training.step_random import LossFn, StepRandom

PLAIN = ClipsConfig(gain_db=(0, 0), tones=0, smoothed=0)
EDGE_FRAMES = 4


def vocoder_batches(windows: Windows, mel: MelConfig, clips: ClipsConfig, batch_size: int) -> Callable[[int], Example]:
    """Training batches by number: recordings, and their bands as `aligned`."""

    def batch(number: int) -> Example:
        drawn, rng = windows.batch(number, batch_size)
        return vocoder_example(drawn, mel, clips, rng)

    return batch


def spectral_loss(config: SpectralLossConfig) -> LossFn[VocoderNet]:
    """The loss of one update; phases begin anywhere."""

    def loss(net: VocoderNet, example: Example, random: StepRandom) -> Tensor:
        start = random.part.own(_phases(random.rng, random.count(example.x), net)).to(example.x.device)
        return vocoder_loss(net, example.x, _bands(example), start, config)

    return loss


@dataclass(frozen=True)
class VocoderObserver:
    """How far what the network makes of their bands is from held-out clips [n, frames * hop], above the bass."""

    clips: Float32[np.ndarray, "..."]
    mel: MelConfig
    device: torch.device

    @torch.no_grad()
    def measure(self, net: VocoderNet) -> dict[str, float]:
        """heldout/convergence and heldout/log_magnitude."""
        example = vocoder_example(self.clips, self.mel, PLAIN, np.random.default_rng(0))
        start = _phases(np.random.default_rng(0), len(self.clips), net)
        estimate, _ = net(_bands(example).to(self.device), start.to(self.device))
        edge = EDGE_FRAMES * self.mel.hop_length
        estimate, real = estimate[:, edge:-edge], example.x.to(self.device)[:, edge : estimate.shape[1] - edge]
        convergence, logs = spectral_errors(with_bass_of(real, estimate, self.mel), real)
        return {"heldout/convergence": convergence.item(), "heldout/log_magnitude": logs.item()}

    def sample(self, net: VocoderNet, step: int) -> None:
        """Nothing to write: `halfstep vocode` plays the finished one."""


def _phases(rng: np.random.Generator, count: int, net: VocoderNet) -> Float[Tensor, "{count} bins"]:
    """Where `count` clips begin, [count, bins] radians."""
    return torch.from_numpy(rng.uniform(0, 2 * np.pi, (count, net.grid.bins)).astype(np.float32))


def _bands(example: Example) -> Float[Tensor, "batch bands frames"]:
    assert example.condition.aligned is not None, "a vocoder's clips come with their bands"
    return example.condition.aligned
