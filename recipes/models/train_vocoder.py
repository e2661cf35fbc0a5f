#!/usr/bin/env python3
"""Train the learned vocoder, and put it into a model folder.

    halfstep prepare MUSIC... --out DATA --preset vocoder-diffusion      # waveforms, not mels
    python recipes/models/train_vocoder.py DATA RUN [--steps N] [--from RUN]
    python recipes/models/train_vocoder.py DATA RUN --into MODEL --credits MUSIC/LICENCES.json ...

Stopped at any moment, the same command goes on where it was. --from starts from another run's
averaged weights, with its optimizer new: the vocoder in the package was trained in ten such legs
(docs/experiments/vocoder-2-faster.md). One thread unless OMP_NUM_THREADS says otherwise. Exit
codes: 0 done, 2 the data or the run is not as expected.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig
from halfstep.bundle import VocoderFiles
from halfstep.data.dataset import Library
from halfstep.data.stores import WAVEFORM
from halfstep.data.windows import Windows
from halfstep.errors import InputError
from halfstep.export.onnx_writing import STORED
from halfstep.learned_vocoder.clips import ClipsConfig, vocoder_example
from halfstep.learned_vocoder.export import PRIOR, REFINER, add_vocoder, input_ranges
from halfstep.learned_vocoder.networks import VocoderNet, VocoderNetConfig
from halfstep.learned_vocoder.spectral import SpectralLossConfig, spectral_errors, vocoded, vocoder_loss, with_bass_of
from halfstep.lock import folder_lock
from halfstep.runs.export import origins
from halfstep.training.checkpoint import load_tensors, save_tensors
from halfstep.training.example import Example
from halfstep.training.loop import StepRandom, TrainConfig, train

FRAMES = 64
BATCH = 8
HELD_OUT = 32
RANGED = 64  # clips of which the ranges of what is multiplied are taken
WEIGHTS = "vocoder.safetensors"


@dataclass
class HeldOut:
    """How far what the network makes of their mels is from held-out clips, above the bass."""

    clips: np.ndarray
    mel: MelConfig

    def measure(self, net: VocoderNet) -> dict[str, float]:
        plain = ClipsConfig(gain_db=(0, 0), tones=0, smoothed=0)
        example = vocoder_example(self.clips, self.mel, plain, np.random.default_rng(0))
        bins = synthesis_grid(self.mel).bins
        start = np.random.default_rng(0).uniform(0, 2 * np.pi, (len(self.clips), bins)).astype(np.float32)
        assert example.condition.aligned is not None
        with torch.no_grad():
            found, _ = vocoded(net, example.condition.aligned, torch.from_numpy(start))
        edge = 4 * self.mel.hop_length
        found, real = found[:, edge:-edge], example.x[:, edge : found.shape[1] - edge]
        convergence, logs = spectral_errors(with_bass_of(real, found, self.mel), real)
        return {"heldout/convergence": convergence.item(), "heldout/log_magnitude": logs.item()}

    def sample(self, net: VocoderNet, step: int) -> None:
        """Nothing to write: `halfstep vocode` plays the finished one."""


def train_vocoder(library: Library, run: Path, start: Path | None, config: TrainConfig) -> VocoderNet:
    """The averaged network of the run; whole or gone on with."""
    mel, clips = library.mel, ClipsConfig()
    windows = Windows(library, "train", FRAMES, config.seed)
    heldout = HeldOut(Windows(library, "heldout", FRAMES).evenly(HELD_OUT), mel)
    torch.manual_seed(config.seed)
    net = VocoderNet(mel, VocoderNetConfig())
    if start is not None:
        net.load_state_dict(load_tensors(start / WEIGHTS)[0])

    def batch(number: int) -> Example:
        drawn, rng = windows.batch(number, config.batch_size)
        return vocoder_example(drawn, mel, clips, rng)

    def loss(net: VocoderNet, example: Example, random: StepRandom) -> torch.Tensor:
        phases = random.rng.uniform(0, 2 * np.pi, (len(example.x), net.grid.bins)).astype(np.float32)
        return vocoder_loss(net, example.x, example.condition.aligned, torch.from_numpy(phases), SpectralLossConfig())

    average = train(
        net, loss, batch, run, config, heldout, torch.device("cpu"),
        lambda done, of, line: print(f"{done}/{of} {line}", flush=True),
    )  # fmt: skip
    save_tensors(run / WEIGHTS, average.state_dict(), heldout.measure(average))
    return average


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Train the learned vocoder.")
    parser.add_argument("data", type=Path, metavar="DATA")
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--learning-rate", type=float, default=1.5e-3)
    parser.add_argument("--from", dest="start", type=Path, metavar="RUN")
    parser.add_argument("--into", type=Path, metavar="MODEL")
    parser.add_argument("--credits", type=Path, action="append", default=[])
    parser.add_argument("--weights", choices=STORED, default="int4")
    options = parser.parse_args(arguments)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    try:
        library = Library(options.data)
        if library.stores != WAVEFORM:
            raise InputError(f"{options.data}: stores {library.stores}; prepare it with --preset vocoder-diffusion")
        options.run.mkdir(parents=True, exist_ok=True)
        with folder_lock(options.run):
            config = TrainConfig(
                steps=options.steps, batch_size=BATCH, learning_rate=options.learning_rate, ema_decay=0.998,
                warmup_steps=100, measure_every=250, precision="fp32",
            )  # fmt: skip
            net = train_vocoder(library, options.run, options.start, config)
        if options.into is not None:
            card = VocoderFiles(
                prior=PRIOR, refiner=REFINER, licence="CC-BY-SA-3.0",
                trained_on=origins(library, tuple(options.credits)),
            )  # fmt: skip
            drawn, rng = Windows(library, "train", FRAMES, config.seed).batch(0, RANGED)
            mels = vocoder_example(drawn, library.mel, ClipsConfig(), rng).condition.aligned
            assert mels is not None
            add_vocoder(net, options.into, card, options.weights, input_ranges(net, mels))
    except InputError as error:
        print(f"train_vocoder: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
