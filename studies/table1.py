"""The paper's Table 1 as an experiment with controls: {2-D U-Net, 1-D U-Net} x {teacher, student of 4 steps}.

    python studies/table1.py OUT --set soundtrack=DATA --set piano=DATA [--scale cpu] [--seconds 170]
    python studies/table1.py OUT --set soundtrack=DATA --set piano=DATA --scale gpu --minutes 60 --threads 16
    python studies/table1.py OUT --set soundtrack=DATA --set piano=DATA --scale gpu-small --minutes 12 --threads 16
    python studies/table1.py OUT --set soundtrack=DATA --set piano=DATA --scale paper --updates 1000000

DATA are data sets that `halfstep prepare` made. Three stages, each of which goes on where it was cut off:

train   every network of TRAININGS on every set, each a run folder OUT/SET/NAME. Equal time: each gets `--seconds` of
        computing for its teacher and `--ladder-share` of that for its ladder; the pace is measured once and the
        updates follow. Or equal updates. With `--minutes` the seconds, and the windows of every row, follow from the
        time that the whole of it may take.
sample  windows of every row of the table, OUT/SET/windows/ROW/*.npy, log-mel.
judge   every row through the same vocoder, then every measure against the same reference windows of the training
        split, they too through the vocoder. Writes OUT/table1.json and OUT/table1.md.
"""

import argparse
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from table1_cells import (
    SCALES,
    STUDENT_STEPS,
    Row,
    Scale,
    affordable_windows,
    experiments,
    generated_rows,
    planned,
    teacher_seconds,
)
from table1_judge import judge_all, log_mel_of
from table1_report import report

from halfstep.atomic import replacing, write_json
from halfstep.data.dataset import Library
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.experiment import Experiment
from halfstep.runs.run_folder import Run, settle
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.checkpoint import load_tensors, save_tensors
from halfstep.training.denoising import denoising_loss
from halfstep.training.ladder import climb, frozen, load_student
from halfstep.training.loop import NoObserver, train
from halfstep.training.observe import sample_like
from halfstep.training.pace import RECORD

PACE_UPDATES = 8


def _now(device: torch.device) -> float:
    """Seconds of computing: of the processor, so that a busy machine is fair to all, or of the clock on a GPU."""
    if device.type == "cuda":
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


@contextmanager
def _costing(path: Path, device: torch.device) -> Iterator[None]:
    """Add the seconds of the block to those in the JSON file `path`: what was cut off and goes on has one total."""
    before = _now(device)
    try:
        yield
    finally:
        spent = json.loads(path.read_text())["seconds"] if path.exists() else 0.0
        write_json(path, {"seconds": spent + _now(device) - before})


def _say(done: int, of: int, line: str) -> None:
    if done % 100 == 0 or done == of:
        print(f"  {done} of {of}: {line}", flush=True)


def _teacher(run: Run, updates: int) -> Denoiser:
    """Train it, or go on, or load it: the averaged weights."""
    path = run.path / "teacher.safetensors"
    torch.manual_seed(run.experiment.train.seed)
    denoiser = run.network()
    if path.with_suffix(".json").exists():
        denoiser.load_state_dict(load_tensors(path)[0])
        return frozen(denoiser)
    config = replace(run.experiment.train, steps=updates)
    with _costing(run.path / "teacher-cost.json", run.device):
        average = train(
            denoiser, denoising_loss(run.experiment.diffusion), run.batches(config.batch_size), run.path, config,
            NoObserver(), run.device, _say,
        )  # fmt: skip
    save_tensors(path, average.state_dict(), {"updates": updates})
    return frozen(average)


def _student(run: Run, teacher: Denoiser, updates: int, to: int = STUDENT_STEPS) -> Denoiser:
    """The last student of the ladder, `updates` on each rung; the same call goes on."""
    config = replace(run.experiment.distill, updates=updates)
    with _costing(run.path / "ladder-cost.json", run.device):
        return climb(
            teacher, config.rungs(to), config, run.experiment.train,
            lambda num_steps: run.batches(config.batch_size, num_steps),
            run.path / "ladder", lambda num_steps: NoObserver(), run.device, _say, lambda *_: None,
            run.experiment.diffusion,
        )  # fmt: skip


def _pace(experiment: Experiment, library: Library) -> tuple[float, float]:
    """Seconds of one update of the teacher, and of one on a rung of the ladder."""
    one_rung = experiment.distill.start_steps // 2
    took: list[tuple[float, float]] = []
    with TemporaryDirectory() as scratch:
        for number, updates in enumerate(
            (2, 2, 2 + PACE_UPDATES)
        ):  # the first warms up and times the precisions, the second is what a run costs
            run = Run(Path(scratch) / str(number), experiment, library)
            before = _now(run.device)
            teacher = _teacher(run, updates)
            between = _now(run.device)
            _student(run, teacher, updates, one_rung)
            took.append((between - before, _now(run.device) - between))
            experiment = _paced(experiment, run)
    few, more = took[1:]
    return (more[0] - few[0]) / PACE_UPDATES, (more[1] - few[1]) / PACE_UPDATES


def _paced(experiment: Experiment, run: Run) -> Experiment:
    """In the precision that `run` found the faster, so that no other run times it again."""
    path = run.path / RECORD
    if not path.exists():
        return experiment
    pace = json.loads(path.read_text())
    return replace(experiment, train=replace(experiment.train, precision=pace["precision"], compile=pace["compile"]))


def train_all(out: Path, sets: dict[str, Library], scale: Scale, options: argparse.Namespace) -> None:
    """Every network on every set; updates are settled once, so that they are the same on all sets."""
    path, cells = out / "plan.json", experiments(scale)
    if not path.exists():
        first = next(iter(sets.values()))
        pace = {name: _pace(cells[name], first) for name in ("2d", "1d")}
        rungs = len(scale.distill.rungs(STUDENT_STEPS))
        seconds, windows = options.seconds, options.windows
        if options.minutes is not None:
            seconds = teacher_seconds(options.minutes, len(sets), options.ladder_share)
            windows = min(windows, affordable_windows(options.minutes, len(sets), options.threads, pace, scale))
        plan = planned(pace, rungs, seconds, options.ladder_share, options.updates)
        write_json(path, {"seconds_of_an_update": pace, "updates": plan, "windows": windows})
    plan = json.loads(path.read_text())["updates"]
    for set_name, library in sets.items():
        for name, experiment in cells.items():
            run = Run(out / set_name / name, experiment, library)
            run.path.mkdir(parents=True, exist_ok=True)
            settle(run)
            print(f"{set_name}, {name}: {plan[name]}", flush=True)
            teacher = _teacher(run, plan[name]["teacher"])
            if plan[name]["rung"]:
                _student(run, teacher, plan[name]["rung"])


@torch.no_grad()
def sampled(run: Run, denoiser: Denoiser, row: Row, seeds: range) -> np.ndarray:
    """Log-mel windows [n, n_mels, frames], one a seed whatever the batch; rows of one network start from one noise."""
    task, diffusion = Music(run.experiment.task_as(MusicConfig)), run.experiment.diffusion
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def draw() -> torch.Tensor:
        drawn = [torch.randn(task.channels, task.config.length, generator=one) for one in generators]
        return torch.stack(drawn).to(run.device)

    noise = draw()
    free = replace(task.free(np.zeros((len(seeds), task.config.n_mels, task.config.frames), np.float32)), x=noise)
    sampling = diffusion.sampling if row.ancestral else diffusion.on_ladder
    x = sample_like(denoiser, free, noise, row.steps, sampling, lambda step: draw())
    return log_mel_of(run.library, task.windows(x.float().cpu().numpy()))


def sample_all(out: Path, sets: dict[str, Library], scale: Scale, options: argparse.Namespace) -> None:
    """Windows of every row whose network is finished, in files of `--batch`; what is there is kept."""
    cells = experiments(scale)
    for set_name, library in sets.items():
        for name, row in generated_rows(scale).items():
            run = Run(out / set_name / row.training, cells[row.training], library)
            denoiser = _finished(run, row)
            folder = out / set_name / "windows" / name
            folder.mkdir(parents=True, exist_ok=True)
            for first in range(0, options.windows, options.batch):
                seeds = range(first, min(first + options.batch, options.windows))
                path = folder / f"{first:05d}-{seeds.stop:05d}.npy"
                if denoiser is None or path.exists():
                    continue
                with _costing(folder / "cost.json", run.device):
                    windows = sampled(run, denoiser, row, seeds).astype(np.float16)
                with replacing(path) as fresh:
                    np.save(fresh, windows)
                print(f"{set_name}, {row.title}, {row.steps} steps: {seeds.stop} of {options.windows}", flush=True)


def _finished(run: Run, row: Row) -> Denoiser | None:
    """The row's network on its device, None if it is not trained yet."""
    weights = run.path / (f"ladder/{row.steps:04d}/student.safetensors" if row.student else "teacher.safetensors")
    if not weights.with_suffix(".json").exists():
        return None
    denoiser = run.network()
    load_student(denoiser, weights)
    return frozen(denoiser).to(run.device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", action="append", required=True, metavar="NAME=DATA", dest="sets")
    parser.add_argument("--scale", choices=SCALES, default="cpu")
    parser.add_argument("--seconds", type=float, default=170.0, help="of computing, for each teacher")
    parser.add_argument("--ladder-share", type=float, default=0.35, help="of a teacher's computing, for its ladder")
    parser.add_argument("--minutes", type=float, help="for all of it: sets --seconds, and --windows if they are fewer")
    parser.add_argument("--updates", type=int, help="of each teacher, instead of --seconds")
    parser.add_argument("--windows", type=int, default=48, help="of every row")
    parser.add_argument("--reference", type=int, default=192, help="windows every row is judged against")
    parser.add_argument("--quick", action="store_true", help="judge by what needs no judges: seconds, no sound")
    parser.add_argument("--batch", type=int, default=8, help="windows sampled at once")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--stages", nargs="*", choices=("train", "sample", "judge"), default=["train", "sample", "judge"]
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    sets = {name: Library(Path(data)) for name, _, data in (one.partition("=") for one in options.sets)}
    scale = SCALES[options.scale]()
    if "train" in options.stages:
        train_all(options.out, sets, scale, options)
    if (plan := options.out / "plan.json").exists():
        options.windows = min(options.windows, json.loads(plan.read_text()).get("windows", options.windows))
    if "sample" in options.stages:
        sample_all(options.out, sets, scale, options)
    if "judge" in options.stages:
        settings = {"scale": options.scale, "windows": options.windows, "reference": options.reference}
        results = settings | {"sets": judge_all(options.out, sets, scale, options)}
        write_json(options.out / "table1.json", results)
        (options.out / "table1.md").write_text(report(results), encoding="utf-8")


if __name__ == "__main__":
    main()
