"""Where a teacher loses the music, and what guidance gives back. python studies/noised_and_back.py RUN [--model piano]

Held-out windows are noised to each time t and brought back to 0 by the teacher's own DDIM steps, and in one: what is
lost between two rows is lost between their noise levels. The first rows are the windows themselves and what the
packing leaves of them; the last are samples from noise, by the teacher and guided by a worse version of itself whose
attention looks at its own position only (perturbed-attention guidance, Ahn et al. 2024, arXiv:2403.17377): v + w (v -
v_worse). With --student 4 --calls 1 .75 .5 (again for others) also samples of a student that is called at such times.
The vocoder is that of --model.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import halfstep
from halfstep.diffusion.steps import ddim_step
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.judge import voiced
from halfstep.metrics.melstats import features
from halfstep.metrics.music import music_figures
from halfstep.nets.denoiser import rates_like
from halfstep.nets.guidance import Guided
from halfstep.runs.distill import finished_rungs
from halfstep.runs.run_folder import Run, open_run
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music
from halfstep.training.denoising import noised
from halfstep.training.observe import fixed_noise

SHOWN = ("tuning", "held_share", "pitch_class_entropy", "pulse", "decay_db_per_second")
BATCH = 8


@torch.inference_mode()
def brought_back(
    run: Run, task: Music, denoiser: Callable[..., Tensor], z: Tensor, real: np.ndarray, calls: Sequence[float]
) -> Tensor:
    """x [n, C, L] from z at the first of the times of the network's calls; the last of them goes down to 0."""
    schedule = run.experiment.diffusion.process.noise
    batches = []
    for at in range(0, len(z), BATCH):
        part, condition = z[at : at + BATCH], task.free(real[at : at + BATCH]).condition
        for t, s in pairwise([*calls, 0.0]):
            at_t, at_s = (rates_like(schedule.rates(np.full(len(part), time)), part) for time in (t, s))
            part = ddim_step(part, denoiser(part, at_t, condition), at_t, at_s)
        batches.append(part)
    return torch.cat(batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--model", default="piano", help="whose vocoder speaks")
    parser.add_argument("--times", type=float, nargs="+", default=[0.1, 0.25, 0.5, 0.7, 0.85])
    parser.add_argument("--guidance", type=float, nargs="*", default=[0.5, 1.0, 2.0])
    parser.add_argument("--steps", type=int, default=24, help="from t = 1 to 0")
    parser.add_argument("--student", type=int, help="of so many steps, called at --calls")
    parser.add_argument("--calls", type=float, nargs="+", action="append", default=[], metavar="T")
    parser.add_argument("--count", type=int, default=16, help="windows a row")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    with open_run(options.run) as run:
        observer, task, teacher = run.observer(options.run), run.task, run.teacher()
        if not (isinstance(observer, MusicObserver) and isinstance(task, Music)):
            raise SystemExit(f"noised_and_back: {options.run} models {run.experiment.task_name}, not music")
        real, mel, vocoder = observer.real[: options.count], observer.mel, halfstep.load(options.model).engine.vocoder

        def row(name: str, log_mel: np.ndarray) -> None:
            by_window = [music_figures(one, mel.sample_rate) for one in voiced(log_mel, mel, vocoder)]
            figures = (f"{key} {np.nanmean([one[key] for one in by_window]):.3f}" for key in SHOWN)
            far = frechet_distance(features(log_mel), features(observer.log_mel(real)))
            print(name, *figures, f"frechet_melstats {far:.2f}", sep="  ", flush=True)

        def of(x: Tensor) -> np.ndarray:
            return observer.log_mel(task.windows(x.float().numpy()))

        row("real windows", observer.log_mel(real))
        x = task.free(real).x
        row("their packing", of(x))
        noise = fixed_noise(x, options.seed)
        schedule = run.experiment.diffusion.process.noise
        for t in options.times:
            z = noised(x, noise, rates_like(schedule.rates(np.full(len(x), t)), x))
            for name, calls in ((f"back from t = {t}", evenly(t, options.steps)), (f"at once from t = {t}", [t])):
                row(name, of(brought_back(run, task, teacher, z, real, calls)))
        for weight in [0.0, *options.guidance]:
            made = brought_back(run, task, Guided(teacher, weight), noise, real, evenly(1.0, options.steps))
            row(f"from noise, guidance {weight}", of(made))
        for calls in options.calls:
            student = finished_rungs(run)[options.student]()
            made = brought_back(run, task, student, noise, real, calls)
            row(f"student of {options.student}, called at {', '.join(map(str, calls))}", of(made))


def evenly(begin: float, steps: int) -> list[float]:
    """Times from `begin` on, in equal steps as near to 1 / steps as fit."""
    return np.linspace(begin, 0, max(2, round(steps * begin)) + 1)[:-1].tolist()


if __name__ == "__main__":
    main()
