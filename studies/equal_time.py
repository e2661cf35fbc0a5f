#!/usr/bin/env python3
"""What learns most in equal time: variants of one experiment, each for as many seconds, on one device.

    python studies/equal_time.py FILE OUT --seconds 7 [--preset flagship] [--set section.key=value ...] \
        --variant "rate train.learning_rate=0.002" --variant "v diffusion.weight=snr+1"

FILE is what recipes/models/carry.py wrote. --set holds for every variant; a variant is a name and
settings, and the first row has none. OUT, absent or empty, gets OUT/rows.json and a table on
standard output: updates, windows a second, held-out errors of x by noise level. These rank
trainings on one data set; whether the music is any good they do not say: OUT keeps each variant's
averaged weights to sample from. Exit codes: 0 done, 2 a file or a setting is not as expected.
"""

import argparse
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from halfstep.atomic import write_json
from halfstep.data.carried import Carried, read_carried
from halfstep.errors import InputError
from halfstep.markdown import markdown_table
from halfstep.runs.experiment import Experiment, with_settings
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.on_device import DeviceWindows
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.checkpoint import save_tensors
from halfstep.training.denoising import denoising_loss
from halfstep.training.loop import NoObserver, train
from halfstep.training.observe import errors_by_level

HELD_OUT = 64
FOREVER = 10**9
SHOWN = ("x_error/0.1", "x_error/0.5", "x_error/0.75")


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A name, and the experiment as this variant has it."""

    name: str
    experiment: Experiment


def trials(options: argparse.Namespace) -> list[Trial]:
    """The plain experiment, then every variant. InputError for a setting that does not fit."""
    variants = [("plain", [])]
    for text in options.variant:
        name, *settings = text.split()
        variants.append((name, settings))
    plain = PRESETS[options.preset]()
    timed = replace(plain, train=replace(plain.train, steps=FOREVER, epochs=None, seconds=options.seconds))
    return [Trial(name=name, experiment=with_settings(timed, [*options.set, *rest])) for name, rest in variants]


def run(trial: Trial, carried: Carried, out: Path, device: torch.device) -> dict[str, Any]:
    """The row of one variant; its weights in OUT/NAME."""
    experiment = trial.experiment
    config, training = experiment.task_as(MusicConfig), experiment.train
    windows, heldout = (DeviceWindows(carried, split, config, device) for split in ("train", "heldout"))
    torch.manual_seed(training.seed)
    denoiser = experiment.build(Music(config, carried.components))
    done: list[int] = []
    begun = time.monotonic()
    average = train(
        denoiser, denoising_loss(experiment.diffusion), windows.batches(training.batch_size), out / trial.name,
        training, NoObserver(), device, lambda updates, of, line: done.append(updates),
    )  # fmt: skip
    seconds = time.monotonic() - begun
    save_tensors(out / trial.name / "average.safetensors", average.state_dict(), {"variant": trial.name})
    errors = errors_by_level(average, heldout.evenly(HELD_OUT), experiment.diffusion.process.noise)
    return {
        "variant": trial.name,
        "updates": done[-1],
        "windows_per_second": round(done[-1] * training.batch_size / seconds),
        "parameters": sum(p.numel() for p in denoiser.parameters()),
        **{name: round(value, 4) for name, value in errors.items()},
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Variants of one experiment in equal time.")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seconds", type=float, default=7.0)
    parser.add_argument("--preset", choices=PRESETS, default="flagship")
    parser.add_argument("--set", action="append", default=[], metavar="section.key=value")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME section.key=value ...")
    options = parser.parse_args(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        if options.out.exists() and any(options.out.iterdir()):
            raise InputError(
                f"{options.out}: not empty, and a training that goes on has more than its time; choose another"
            )
        carried, rows = read_carried(options.file), []
        for trial in trials(options):
            rows.append(run(trial, carried, options.out, device))
            write_json(options.out / "rows.json", rows)
            print(rows[-1], file=sys.stderr, flush=True)
    except InputError as error:
        print(f"equal_time: {error}", file=sys.stderr)
        return 2
    columns = ("variant", "updates", "windows_per_second", *SHOWN)
    print(markdown_table(columns, [[str(row[column]) for column in columns] for row in rows]), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
