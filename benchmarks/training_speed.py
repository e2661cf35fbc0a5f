"""How much of the machine `train` gives to the network:

    python benchmarks/training_speed.py [DATA] [--preset base] [--set train.precision=bf16] ...

Windows a second of the training loop (data, noise, clip, average, log at the preset's pace) against the bare forward,
backward and step of the same network on the same batches, already made. Both in wall time and in processor time, which
other work on the machine disturbs less; the two take turns. Without DATA, noise is prepared as a data set first. The
precision is float32 where none is set.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from halfstep.audio.files.writing import write
from halfstep.data.dataset import Library
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.diffusion.forms import velocity
from halfstep.diffusion.rates import cosine_rates
from halfstep.machine import processor
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.runs.experiment import with_settings
from halfstep.runs.presets import PRESETS
from halfstep.runs.run_folder import Run
from halfstep.training.denoising import denoising_loss, noised
from halfstep.training.example import Example
from halfstep.training.loop import train
from halfstep.training.loss import weighted_loss
from halfstep.training.pace import BF16
from halfstep.training.step_random import StepRandom

ROUNDS = 3
WARM = 2  # updates of a round that do not count


class Quiet:
    """Looks at nothing."""

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        return {}

    def sample(self, denoiser: Denoiser, step: int) -> None:
        return None


class Clock:
    """Wall and processor seconds of everything it runs, but the first WARM updates of each round."""

    def __init__(self) -> None:
        self.wall = self.processor = 0.0

    def tick(self, update: int) -> None:
        """Called as every update, counted from 0, begins."""
        now = time.perf_counter(), time.process_time()
        if update > WARM:
            self.wall += now[0] - self._last[0]
            self.processor += now[1] - self._last[1]
        self._last = now


@contextmanager
def data_set(given: Path | None) -> Iterator[Library]:
    """The one given, or one of two minutes of noise."""
    if given is not None:
        yield Library(given)
        return
    with tempfile.TemporaryDirectory() as scratch:
        music, out = Path(scratch) / "music", Path(scratch) / "data"
        music.mkdir()
        for seed in range(4):
            noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (1, 30 * 44100)).astype(np.float32)
            write(music / f"{seed}.wav", [noise], 44100, {})
        prepare([music], out, PrepareConfig(), 1)
        yield Library(out)


def looped(run: Run, steps: int, clock: Clock) -> None:
    """`train`, its log and its average included."""
    torch.manual_seed(0)
    config = replace(
        run.experiment.train, steps=steps + WARM + 1, epochs=None, measure_every=10**9, sample_every=10**9,
        save_seconds=1e9,
    )  # fmt: skip
    denoise, updates = denoising_loss(run.experiment.diffusion), itertools.count()

    def loss(denoiser: Denoiser, example: Example, random: StepRandom) -> Tensor:
        clock.tick(next(updates))
        return denoise(denoiser, example, random)

    with tempfile.TemporaryDirectory() as folder:
        train(
            run.network(), loss, run.batches(config.batch_size), Path(folder), config, Quiet(),
            run.device, lambda done, of, line: None,
        )  # fmt: skip


def bare(run: Run, steps: int, clock: Clock) -> None:
    """Forward, backward and step; everything else is made beforehand."""
    torch.manual_seed(0)
    config, diffusion = run.experiment.train, run.experiment.diffusion
    denoiser, batches = run.network().to(run.device), run.batches(config.batch_size)
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=config.learning_rate, betas=config.betas, fused=True)
    ready = []
    for number in range(4):
        example = batches(number)
        at_t = rates_like(cosine_rates(np.linspace(0.1, 1, config.batch_size)), example.x)
        eps = torch.randn_like(example.x)
        ready.append((noised(example.x, eps, at_t), velocity(example.x, eps, at_t), at_t, example))
    for update in range(steps + WARM + 1):
        clock.tick(update)
        z_t, v, at_t, example = ready[update % len(ready)]
        with torch.autocast(run.device.type, torch.bfloat16, enabled=config.precision == BF16):
            v_hat = denoiser(z_t, at_t, example.condition)
            loss = weighted_loss(v_hat, v, at_t, diffusion.weight, example.counted)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--preset", default="base", choices=list(PRESETS))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=8, help="updates a round, three rounds of each")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with data_set(options.data) as library, tempfile.TemporaryDirectory() as scratch:
        settings = ["train.precision=fp32", "train.compile=off", *options.settings]
        run = Run(Path(scratch), with_settings(PRESETS[options.preset](), settings), library)
        measured: dict[Callable, Clock] = {bare: Clock(), looped: Clock()}
        for _ in range(ROUNDS):
            for work, clock in measured.items():
                work(run, options.steps, clock)
    windows = ROUNDS * options.steps * run.experiment.train.batch_size
    wall, used = ({w: windows / getattr(c, kind) for w, c in measured.items()} for kind in ("wall", "processor"))
    print(
        f"{processor()}, {options.threads} threads, preset {options.preset}: "
        f"train {wall[looped]:.2f} windows/s, bare {wall[bare]:.2f}, ratio {wall[looped] / wall[bare]:.3f}; "
        f"a second of processor time: train {used[looped]:.2f} windows, bare {used[bare]:.2f}, "
        f"ratio {used[looped] / used[bare]:.3f}"
    )


if __name__ == "__main__":
    main()
