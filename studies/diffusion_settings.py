"""Schedules, time sampling, weights and reverse variances on real music: python studies/diffusion_settings.py RUN OUT

Every variant begins with the weights of RUN's finished teacher (of music, predicting x, v or both), goes on for
--updates under its own settings, and is sampled by its own sampler from one noise: `--count` windows in `--steps`
steps. They are heard through the vocoder of --model, by measures of music, beside real windows; the coarse Frechet
distance is to the held-out windows. What a variant costs is the same for all, so its row says what the setting does to
a network that has learned, not what it would have learned alone. OUT/processes.md is written after every row; rows
that are there are kept. n is small, and the deviation of a figure over windows stands beside it.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import halfstep
from halfstep.atomic import write_json
from halfstep.diffusion.process import VARIANCES
from halfstep.markdown import markdown_table
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.judge import voiced
from halfstep.metrics.melstats import features
from halfstep.metrics.music import music_figures
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.run_folder import Run, open_run
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music
from halfstep.training.bound import bits_per_dimension
from halfstep.training.denoising import DiffusionConfig, denoising_loss
from halfstep.training.step_random import StepRandom

HEARD = ("tuning", "held_share", "pitch_class_entropy")


def variants(plain: DiffusionConfig) -> dict[str, DiffusionConfig]:
    """Name -> settings that differ from the run's in what the name says."""
    changes: dict[str, dict[str, Any]] = {
        "as it is": {},
        **{f"schedule {name}": {"schedule": name} for name in ("shifted", "sigmoid", "edm")},
        "schedule linear, DDPM": {"schedule": "linear"},
        "schedule ddpm-cosine, DDPM": {"schedule": "ddpm-cosine"},
        "the same, upper variance": {"schedule": "ddpm-cosine", "variance": "upper"},
        "the same, learned variance": {"schedule": "ddpm-cosine", "variance": "learned"},
        "times log-normal": {"times": "log-normal"},
        "times importance": {"times": "importance"},
        "weight min-snr": {"weight": "min-snr"},
        "weight p2": {"weight": "p2"},
    }
    return {name: replace(plain, **change) for name, change in changes.items()}


def start(run: Run, teacher: Denoiser, config: DiffusionConfig) -> Denoiser:
    """The variant's network with the teacher's weights; outputs that the teacher has not begin at 0."""
    denoiser = replace(run.experiment, diffusion=config).build(run.task)
    own = denoiser.state_dict()
    for name, weight in teacher.state_dict().items():
        whole = torch.zeros_like(own[name])
        whole[: len(weight)] = weight
        own[name] = whole if whole.shape != weight.shape else weight
    denoiser.load_state_dict(own)
    return denoiser


def go_on(run: Run, denoiser: Denoiser, config: DiffusionConfig, updates: int, rate: float, batch: int) -> None:
    """A few updates, the same windows for every variant."""
    loss_fn, batches, device = denoising_loss(config), run.batches(batch, 7), torch.device("cpu")
    optimizer = torch.optim.Adam(denoiser.parameters(), lr=rate)
    denoiser.train()
    for number in range(updates):
        loss = loss_fn(denoiser, batches(number), StepRandom(7, number, device))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 1.0)
        optimizer.step()
    denoiser.eval()


def row(
    run: Run, observer: MusicObserver, teacher: Denoiser, config: DiffusionConfig, options: argparse.Namespace
) -> dict[str, Any]:
    """Figures of one variant."""
    torch.manual_seed(0)
    denoiser = start(run, teacher, config)
    go_on(run, denoiser, config, options.updates, options.rate, options.batch)
    observer.sampling = replace(config.sampling, widest=observer.sampling.widest)
    made = observer.windows(denoiser, options.steps)
    figures = measured(observer, made, options.model)
    if (noise := config.process.noise).chain is not None:
        fraction = VARIANCES[config.variance]
        bits, error = bits_per_dimension(denoiser, run.task.free(observer.real), noise, fraction, draws=6)
        figures |= {"bits": bits, "bits_error": error}
    return figures


def measured(observer: MusicObserver, log_mel: np.ndarray, model: str) -> dict[str, Any]:
    """Means over windows and their standard errors, through the vocoder of `model`."""
    mel = observer.mel
    by_window = [
        music_figures(one, mel.sample_rate) for one in voiced(log_mel, mel, halfstep.load(model).engine.vocoder)
    ]
    figures: dict[str, Any] = {
        name: [
            float(np.nanmean([one[name] for one in by_window])),
            float(np.nanstd([one[name] for one in by_window], ddof=1) / len(by_window) ** 0.5),
        ]
        for name in HEARD
    }
    real = observer.log_mel(observer.real)
    return figures | {"frechet": frechet_distance(features(log_mel), features(real)), "windows": len(by_window)}


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Markdown, one row a variant."""

    def cells(name: str, its: dict[str, Any]) -> list[str]:
        said = [f"{its[one][0]:.3f} ({its[one][1]:.3f})" for one in HEARD]
        bits = f"{its['bits']:.2f} ({its['bits_error']:.2f})" if "bits" in its else "-"
        return [name, str(its["windows"]), *said, f"{its['frechet']:.2f}", bits]

    head = ("variant", "n", "tuning", "held share", "pitch-class entropy", "Frechet (melstats)", "bits a dimension")
    return markdown_table(head, [cells(name, its) for name, its in rows.items()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--updates", type=int, default=50)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=32)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--model", default="piano", help="whose vocoder speaks")
    parser.add_argument("--only", nargs="*", default=[])
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / "processes.json"
    rows: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    with open_run(options.run) as run:
        task, teacher, experiment = run.task, run.teacher(), run.experiment
        if not isinstance(task, Music):
            raise SystemExit(f"processes: {options.run} models {experiment.task_name}, not music")
        observer = MusicObserver(
            task, run.windows("heldout"), experiment.mel, run.band, experiment.diffusion.sampling, options.out,
            torch.device("cpu"), count=options.count,
        )  # fmt: skip
        if "real windows" not in rows:
            rows["real windows"] = measured(observer, observer.log_mel(observer.real), options.model)
        for name, config in variants(run.experiment.diffusion).items():
            if name not in rows and (not options.only or name in options.only):
                rows[name] = row(run, observer, teacher, config, options)
                write_json(path, rows)
                (options.out / "processes.md").write_text(table(rows), encoding="utf-8")
                print(name, json.dumps(rows[name]), flush=True)


if __name__ == "__main__":
    main()
