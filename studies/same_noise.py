"""Does the ladder keep the teacher's map from noise to music? python studies/same_noise.py RUN [--steps 1024 64 16 4]

The same noise at each number of steps: the teacher from the ladder's first number on up, the distilled students below
(and, for comparison, the teacher at as few steps). Writes RUN/same-noise-STEPS.png, one row a number of steps and real
windows last, and prints the log-mel correlation of every row with the first.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from halfstep.metrics.melstats import correlation, rms_difference
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.distill import finished_rungs
from halfstep.runs.run_folder import Run, open_run
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music
from halfstep.training.drawing import draw_rows
from halfstep.training.observe import sample_like


def windows(run: Run, denoiser: Denoiser, noise: torch.Tensor, real: np.ndarray, steps: int) -> np.ndarray:
    """Log-mel [n, n_mels, frames] from `noise` in `steps` steps, with nothing known."""
    observer = run.observer(run.path, ladder=True)
    if not (isinstance(observer, MusicObserver) and isinstance(run.task, Music)):
        raise SystemExit(f"same_noise: {run.path} models {run.experiment.task_name}, not music")
    x = sample_like(denoiser, run.task.free(real), noise, steps, observer.sampling)
    return observer.log_mel(run.task.windows(x.float().numpy()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--steps", type=int, nargs="+", default=[1024, 64, 16, 4])
    parser.add_argument("--count", type=int, default=4, help="windows, a column each")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with open_run(options.run) as run:
        teacher, students = run.teacher(), finished_rungs(run)
        start = run.experiment.distill.start_steps
        if lacking := [steps for steps in options.steps if steps < start and steps not in students]:
            raise SystemExit(f"same_noise: {options.run} has no student of {lacking} steps; distil it that far first")
        real = run.observer(run.path).real[: options.count]
        shape = run.task.free(real).x.shape
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(options.seed))
        rows: dict[str, np.ndarray] = {}
        for steps in options.steps:
            denoiser = teacher if steps >= start else students[steps]()
            rows[f"{steps} steps"] = made = windows(run, denoiser, noise, real, steps)
            first = next(iter(rows.values()))
            line = f"{steps} steps: correlation {correlation(made, first):.3f}, RMS {rms_difference(made, first):.3f}"
            if steps < start:
                plain = windows(run, teacher, noise, real, steps)
                line += f"; the teacher itself at as many: {correlation(plain, first):.3f}"
            print(line, flush=True)
        others = windows(run, teacher, torch.randn(shape, generator=torch.Generator().manual_seed(99)), real, 64)
        print(f"another seed: {correlation(others, next(iter(rows.values()))):.3f}")
        rows["real"] = run.observer(run.path).log_mel(real)
        name = "-".join(str(steps) for steps in options.steps)
        draw_rows(options.run / f"same-noise-{name}.png", rows)


if __name__ == "__main__":
    main()
