#!/usr/bin/env python3
"""Train the vocoder for bands that hold pitch, in a given time, on whatever device there is.

    python recipes/models/train_bands_vocoder.py AUDIO.zip OUT --seconds 180 --device cuda
    python recipes/models/train_bands_vocoder.py AUDIO.zip OUT --seconds 60 --device cpu

AUDIO.zip is what recipes/models/pack_vocoder_audio.py writes. The recordings, the clips drawn of
them and their bands stay in the device's memory; the training is the one loop's, ended by the clock.
First spectra and log-mels alone are compared, with the learning rate brought to 0; then, for the
`--adversarial` share of the time, judges that learn to tell the sounds from recordings join in.
OUT gets vocoder-plain.safetensors and vocoder-adversarial.safetensors, averaged weights in float32,
written again about every `--save-every` seconds, so that whatever stops it leaves something usable,
and the run folders plain and adversarial with log.jsonl and checkpoints. Needs torch, numpy,
safetensors and soundfile. Exit codes: 0 done, 2 the audio is not as expected.
"""

import argparse
import io
import json
import math
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from safetensors.torch import save_file
from torch import Tensor

from halfstep.atomic import replacing
from halfstep.learned_vocoder.device_clips import Clip, DeviceClips, DeviceClipsConfig
from halfstep.learned_vocoder.discriminator import Judges, deceiving_loss, judging_loss
from halfstep.learned_vocoder.losses import compared, sound_loss, spectral_errors
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.torch_bands import log_bands
from halfstep.learned_vocoder.training import spectral_loss
from halfstep.runs.presets import VOCODERS
from halfstep.training.example import Example
from halfstep.training.loop import Clock, learning_rate, train
from halfstep.training.step_random import LossFn, StepRandom
from halfstep.training.train_config import TrainConfig

PRESET = VOCODERS["vocoder-bands"]()
BANDS, NET, FRAMES = PRESET.mel, PRESET.vocoder, PRESET.clip_frames
HELD_OUT = 32
TRACKS = "tracks.json"
WARMUP_STEPS = 30
FOREVER = 10**9
STEP_SECONDS = 0.2
LEAST_BATCH = 32
TIMED_STEPS = 4
RESERVE = 0.02
"""Of the time, what is left for the last measurement."""
ADVERSARIAL_RATE = 0.4
"""The learning rate beside judges, of the one before; theirs is half of it."""
DECEIVING_SHARE, RISING = 0.5, 6
"""Norm of the judges' gradient of a sound, of that of the other losses; reached in one RISING-th of their time."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line says; batch is in clips, adversarial a share of the time."""

    audio: Path
    out: Path
    seconds: float
    device: str
    batch: int
    adversarial: float
    learning_rate: float
    save_every: float
    seed: int


class Trip:
    """Seconds since it began, printed with what there is to say."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began

    def say(self, **values: object) -> None:
        print(json.dumps({"at": round(self.now(), 1), **values}), flush=True)


class Deceiving:
    """The loss beside judges, which take a step of their own for each of the network's."""

    def __init__(self, config: TrainConfig, device: torch.device) -> None:
        self._config, self._clock, self._steps = config, Clock(config.seconds), 0
        self.judges = Judges().to(device)
        self._optimizer = torch.optim.Adam(self.judges.parameters(), betas=(0.8, 0.9), fused=True)

    def __call__(self, net: VocoderNet, example: Example, random: StepRandom) -> Tensor:
        """Its value is the plain loss; its gradient has the judges' share too."""
        bands = example.condition.aligned
        assert bands is not None
        start = random.rng.uniform(0, 2 * math.pi, (len(bands), net.grid.bins)).astype(np.float32)
        losses = PRESET.losses
        compare = compared(net, example.x, bands, torch.from_numpy(start).to(bands.device), losses.edge)
        estimate, real, prior = compare
        loss = sound_loss(estimate, real, net.mel, losses)
        self._judge(real, estimate.detach())
        pulled = (estimate * self._gradient(estimate, loss)).sum()
        return loss.detach() + pulled - pulled.detach() + losses.prior * prior

    def _judge(self, real: Tensor, made: Tensor) -> None:
        """A step of the judges."""
        rate = 0.5 * learning_rate(self._config, self._steps, self._clock.share)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        judging_loss(self.judges(real), self.judges(made)).backward()
        torch.nn.utils.clip_grad_norm_(self.judges.parameters(), 10.0)
        self._optimizer.step()
        self._steps += 1

    def _gradient(self, estimate: Tensor, loss: Tensor) -> Tensor:
        """Of found, by both losses."""
        (plain,) = torch.autograd.grad(loss, estimate, retain_graph=True)
        seen = estimate.detach().requires_grad_()
        (other,) = torch.autograd.grad(deceiving_loss(self.judges(seen)), seen)
        share = DECEIVING_SHARE * min(1.0, RISING * self._clock.share)
        return plain + share * plain.norm() / other.norm().clamp(min=1e-12) * other


class Keeper:
    """An observer that measures held-out errors of the averaged weights, and keeps these in a file."""

    def __init__(self, path: Path, heldout: Clip, trip: Trip) -> None:
        self._path, self._heldout, self._trip = path, heldout, trip
        self._measured: dict[str, float] = {}

    @torch.no_grad()
    def measure(self, net: VocoderNet) -> dict[str, float]:
        sound, bands = self._heldout
        random = torch.Generator(sound.device).manual_seed(0)
        start = 2 * math.pi * torch.rand(len(sound), net.grid.bins, generator=random, device=sound.device)
        estimate, real, prior = compared(net, sound, bands, start, PRESET.losses.edge)
        convergence, logs = spectral_errors(estimate, real)
        missed = (log_bands(estimate, BANDS) - log_bands(real, BANDS)).abs().mean()
        loss = sound_loss(estimate, real, BANDS, PRESET.losses)
        parts = {"convergence": convergence, "log_magnitude": logs, "bands": missed, "prior": prior, "loss": loss}
        self._measured = {f"heldout/{name}": round(value.item(), 4) for name, value in parts.items()}
        self._trip.say(phase=self._path.stem, **self._measured)
        return self._measured

    def sample(self, net: VocoderNet, step: int) -> None:
        """Writes the weights; whole or, where it is interrupted, the ones before."""
        weights = {key: value.detach().contiguous().cpu() for key, value in net.named_parameters()}
        notes: dict[str, Any] = {"mel": asdict(BANDS), "net": asdict(NET), "steps": step, **self._measured}
        with replacing(self._path) as partial:
            save_file(weights, partial, {"halfstep": json.dumps(notes)})


def step_seconds(net: VocoderNet, train_on: DeviceClips, batch: int) -> float:
    """How long an update takes; the weights stay as they are."""
    loss, batches = spectral_loss(PRESET.losses), train_on.batches(batch)
    seconds = math.nan
    for _ in range(2):  # the first of all finds out how to do things
        began = time.monotonic()
        for number in range(TIMED_STEPS):
            loss(net, batches(number), StepRandom(0, number, train_on.device)).backward()
            net.zero_grad(set_to_none=True)
        if train_on.device.type == "cuda":
            torch.cuda.synchronize()
        seconds = (time.monotonic() - began) / TIMED_STEPS
    return seconds


def read_audio(path: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """int16 tracks to learn from and held out. ValueError: it is no such file."""
    with zipfile.ZipFile(path) as archive:
        tracks = json.loads(archive.read(TRACKS))
        files = [archive.read(track["file"]) for track in tracks]
    rates: set[int] = set()

    def decoded(data: bytes) -> np.ndarray:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="int16", always_2d=True)
        rates.add(rate)
        return samples[:, 0].copy()

    with ThreadPoolExecutor() as pool:
        sounds = list(pool.map(decoded, files))
    if rates != {BANDS.sample_rate}:
        raise ValueError(f"{path}: its sample rates are {sorted(rates)}, expected {BANDS.sample_rate}")
    kept = [sound for sound, track in zip(sounds, tracks, strict=True) if not track["heldout"]]
    return kept, [sound for sound, track in zip(sounds, tracks, strict=True) if track["heldout"]]


def run(options: Options, trip: Trip) -> None:
    """Both parts, one after the other, the second from the weights of the first."""
    device = torch.device(options.device)
    kept, heldout = read_audio(options.audio)
    plain = DeviceClipsConfig(gain_db=(0, 0), tones=0, smoothed=0, rounded=0)
    clips = DeviceClips(kept, BANDS, FRAMES, device, options.seed, DeviceClipsConfig())
    held = DeviceClips(heldout, BANDS, FRAMES, device, options.seed, plain).evenly(HELD_OUT)
    torch.manual_seed(options.seed)
    net = VocoderNet(BANDS, NET).to(device)
    minutes = sum(map(len, kept)) / BANDS.sample_rate / 60
    trip.say(minutes=round(minutes, 1), device=str(device), torch=torch.__version__, batch=options.batch)
    batch, seconds = options.batch, step_seconds(net, clips, options.batch)
    if seconds > STEP_SECONDS:  # some hundreds of updates are worth more than larger ones
        batch = min(batch, max(LEAST_BATCH, int(batch * STEP_SECONDS / seconds)))
    steps = max(1, round(options.save_every / (seconds * batch / options.batch)))
    trip.say(step_seconds=round(seconds, 3), batch=batch)
    end = (1 - RESERVE) * options.seconds
    left = end - trip.now()
    for name, share, rate in (
        ("plain", 1 - options.adversarial, options.learning_rate),
        ("adversarial", options.adversarial, ADVERSARIAL_RATE * options.learning_rate),
    ):
        until = end if name == "adversarial" else end - options.adversarial * left
        if share == 0:
            continue
        config = TrainConfig(
            steps=FOREVER, seconds=max(1.0, until - trip.now()), batch_size=batch, learning_rate=rate,
            warmup_steps=WARMUP_STEPS, ema_decay=0.9999, nonfinite_allowed=1000, precision="fp32", seed=options.seed,
            log_every=max(1, steps // 4), measure_every=steps, sample_every=steps, save_seconds=options.save_every,
        )  # fmt: skip
        loss: LossFn[VocoderNet] = spectral_loss(PRESET.losses) if name == "plain" else Deceiving(config, device)
        keeper = Keeper(options.out / f"vocoder-{name}.safetensors", held, trip)
        train(
            net, loss, clips.batches(batch), options.out / name, config, keeper, device,
            lambda done, _, line, name=name: trip.say(phase=name, step=done, line=line),
        )  # fmt: skip
    if device.type == "cuda":
        trip.say(peak_gib=round(torch.cuda.max_memory_allocated() / 2**30, 1), card=torch.cuda.get_device_name())


def main(arguments: list[str] | None = None) -> int:
    trip = Trip()
    parser = argparse.ArgumentParser(description="Train the vocoder for bands that hold pitch, in a given time.")
    parser.add_argument("audio", type=Path, metavar="AUDIO.zip")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--batch", type=int, help="clips; 128 on a card, 8 elsewhere")
    parser.add_argument("--adversarial", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--save-every", type=float, default=20.0, metavar="SECONDS")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    given.batch = given.batch or (128 if given.device.startswith("cuda") else 8)
    options = Options(**vars(given))
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32 = torch.backends.cudnn.benchmark = True
    try:
        run(options, trip)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        print(f"train_bands_vocoder: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
