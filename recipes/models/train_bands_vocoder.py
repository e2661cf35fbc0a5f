#!/usr/bin/env python3
"""Train the vocoder for bands that hold pitch, in a given time, on whatever device there is.

    python recipes/models/train_bands_vocoder.py AUDIO.zip OUT --seconds 180 --device cuda
    python recipes/models/train_bands_vocoder.py AUDIO.zip OUT --seconds 60 --device cpu

AUDIO.zip is what recipes/models/pack_vocoder_audio.py writes. The recordings, the clips drawn of
them and their bands stay in the device's memory. First spectra and log-mels alone are compared, with
the learning rate brought to 0; then, for the `--adversarial` share of the time, judges that learn to
tell the sounds from recordings join in. OUT gets vocoder-plain.safetensors and
vocoder-adversarial.safetensors, averaged weights in float32, written again every `--save-every`
seconds, so that whatever stops it leaves something usable, and log.jsonl. Needs torch, numpy,
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
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path

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
from halfstep.runs.presets import VOCODERS

PRESET = VOCODERS["vocoder-bands"]()
BANDS, NET, FRAMES = PRESET.mel, PRESET.vocoder, PRESET.clip_frames
HELD_OUT = 32
TRACKS = "tracks.json"
WARMUP_STEPS = 30
AVERAGED_SHARE = 0.1
"""Of the updates so far, how many the average goes back, roughly."""
STEP_SECONDS = 0.2
LEAST_BATCH = 32
TIMED_STEPS = 4
DECEIVING_SHARE = 0.5
"""Norm of the judges' gradient of a sound, of that of the other losses."""


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


class Clock:
    """Seconds since it was made, of `seconds` in all."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self._began = seconds, time.monotonic()

    def now(self) -> float:
        return time.monotonic() - self._began


class Trainer:
    """A vocoder, its average, the judges and what they learn from."""

    def __init__(self, options: Options, train: DeviceClips, heldout: Clip) -> None:
        torch.manual_seed(options.seed)
        self.options, self.train, self.heldout = options, train, heldout
        self.net = VocoderNet(BANDS, NET).to(options.device)
        self.average = deepcopy(self.net).eval().requires_grad_(False)
        self.judges = Judges().to(options.device)
        self.steps, self.norm = 0, math.nan
        fused = {"fused": True}
        self.optimizer = torch.optim.Adam(self.net.parameters(), betas=(0.9, 0.99), **fused)
        self.judging = torch.optim.Adam(self.judges.parameters(), betas=(0.8, 0.9), **fused)
        self.losses = PRESET.losses
        self.batch = options.batch
        self.measured: dict[str, float] = {}

    def step(self, learning_rate: float, deceiving: float | None) -> dict[str, Tensor]:
        """One update; deceiving: the judges' share of the gradient, None before they learn."""
        for group in (*self.optimizer.param_groups, *self.judging.param_groups):
            group["lr"] = learning_rate * (1 if group in self.optimizer.param_groups else 0.5)
        sound, bands = self.train.draw(self.batch)
        start = self.train.uniform(0, 2 * math.pi, len(sound), self.net.grid.bins)
        found, real, prior = compared(self.net, sound, bands, start, self.losses.edge)
        loss = sound_loss(found, real, BANDS, self.losses)
        report = {"loss": loss.detach(), "prior": prior.detach()}
        if deceiving is None:
            (loss + self.losses.prior * prior).backward()
        else:
            gradient, report["judging"] = self.deceived(found, real, loss, deceiving)
            torch.autograd.backward([found, self.losses.prior * prior], [gradient, torch.ones_like(prior)])
        self.updated()
        return report

    def deceived(self, found: Tensor, real: Tensor, loss: Tensor, share: float) -> tuple[Tensor, Tensor]:
        """The gradient of found by both losses; the judges take a step of their own."""
        made = found.detach()
        judging = judging_loss(self.judges(real), self.judges(made))
        self.judging.zero_grad(set_to_none=True)
        judging.backward()
        torch.nn.utils.clip_grad_norm_(self.judges.parameters(), 10.0)
        self.judging.step()
        (plain,) = torch.autograd.grad(loss, found, retain_graph=True)
        seen = made.requires_grad_()
        (other,) = torch.autograd.grad(deceiving_loss(self.judges(seen)), seen)
        scale = share * plain.norm() / other.norm().clamp(min=1e-12)
        return plain + scale * other, judging.detach()

    def updated(self) -> None:
        norm = torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        finite = torch.isfinite(norm)
        for weight in self.net.parameters():  # an update that is not finite becomes none
            if weight.grad is not None:
                weight.grad = torch.where(finite, weight.grad, torch.zeros_like(weight.grad))
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.steps += 1
        share = 1 / (1 + AVERAGED_SHARE * self.steps)
        with torch.no_grad():
            for kept, weight in zip(self.average.parameters(), self.net.parameters(), strict=True):
                kept.lerp_(weight, share)

    def fit_batch(self, learning_rate: float) -> float:
        """Seconds an update takes; a batch that makes it longer than STEP_SECONDS becomes smaller: some hundreds of
        updates are worth more than larger ones.
        """
        for _ in range(2):  # the first of all finds out how to do things
            began = time.monotonic()
            for _ in range(TIMED_STEPS):
                self.step(learning_rate, None)
            if self.train.device.type == "cuda":
                torch.cuda.synchronize()
            seconds = (time.monotonic() - began) / TIMED_STEPS
        if seconds > STEP_SECONDS:
            self.batch = min(self.batch, max(LEAST_BATCH, int(self.batch * STEP_SECONDS / seconds)))
        return seconds

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Errors of held-out clips by the averaged weights."""
        sound, bands = self.heldout
        start = torch.rand(
            len(sound), self.net.grid.bins, generator=torch.Generator(sound.device).manual_seed(0), device=sound.device
        )
        found, real, prior = compared(self.average, sound, bands, 2 * math.pi * start, self.losses.edge)
        convergence, logs = spectral_errors(found, real)
        missed = (log_bands(found, BANDS) - log_bands(real, BANDS)).abs().mean()
        parts = {"convergence": convergence, "log_magnitude": logs, "bands": missed, "prior": prior}
        self.measured = {f"heldout/{name}": round(value.item(), 4) for name, value in parts.items()}
        self.measured["heldout/loss"] = round(sound_loss(found, real, BANDS, self.losses).item(), 4)
        return self.measured

    def save(self, name: str) -> None:
        """Averaged weights; whole or, where it is interrupted, the ones before."""
        path = self.options.out / f"vocoder-{name}.safetensors"
        weights = {key: value.detach().contiguous().cpu() for key, value in self.average.named_parameters()}
        notes = {"mel": asdict(BANDS), "net": asdict(NET), "steps": self.steps, **self.measured}
        with replacing(path) as partial:
            save_file(weights, partial, {"halfstep": json.dumps(notes)})


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


def cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, share))))


def run(options: Options, clock: Clock) -> None:
    device = torch.device(options.device)
    kept, heldout = read_audio(options.audio)
    plain = DeviceClipsConfig(gain_db=(0, 0), tones=0, smoothed=0, rounded=0)
    train = DeviceClips(kept, BANDS, FRAMES, device, options.seed, DeviceClipsConfig())
    held = DeviceClips(heldout, BANDS, FRAMES, device, options.seed, plain).evenly(HELD_OUT)
    trainer = Trainer(options, train, held)
    minutes = sum(map(len, kept)) / BANDS.sample_rate / 60
    log = (options.out / "log.jsonl").open("a")

    def say(**values: object) -> None:
        line = json.dumps({"at": round(clock.now(), 1), "step": trainer.steps, **values})
        print(line, flush=True)
        print(line, file=log, flush=True)

    say(minutes=round(minutes, 1), device=str(device), torch=torch.__version__, batch=options.batch)
    seconds = trainer.fit_batch(options.learning_rate / WARMUP_STEPS)
    say(step_seconds=round(seconds, 3), batch=trainer.batch)
    begin, end = clock.now(), clock.seconds - 0.02 * clock.seconds
    turning = begin + (end - begin) * (1 - options.adversarial)
    for name, first, last, rate in (
        ("plain", begin, turning, options.learning_rate),
        ("adversarial", turning, end, 0.4 * options.learning_rate),
    ):
        said = saved = clock.now()
        since = 0 if name == "plain" else trainer.steps
        counted = trainer.steps
        while clock.now() < last:
            share = (clock.now() - first) / (last - first)
            warm = min(1.0, (trainer.steps - since + 1) / WARMUP_STEPS)
            deceiving = None if name == "plain" else DECEIVING_SHARE * min(1.0, 6 * share)
            report = trainer.step(rate * cosine(share) * warm, deceiving)
            if clock.now() - said > options.save_every / 4:
                done = (trainer.steps - counted) * trainer.batch / (clock.now() - first)
                say(phase=name, clips_a_second=round(done, 1), **{k: round(v.item(), 4) for k, v in report.items()})
                said = clock.now()
            if clock.now() - saved > options.save_every:
                say(phase=name, **trainer.measure())
                trainer.save(name)
                saved = clock.now()
        if trainer.steps > counted:
            say(phase=name, **trainer.measure())
            trainer.save(name)
    if device.type == "cuda":
        say(peak_gib=round(torch.cuda.max_memory_allocated() / 2**30, 1), card=torch.cuda.get_device_name())
    log.close()


def main(arguments: list[str] | None = None) -> int:
    clock_began = time.monotonic()
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
    clock = Clock(options.seconds)
    clock._began = clock_began
    try:
        run(options, clock)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        print(f"train_bands_vocoder: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
