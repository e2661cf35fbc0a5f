"""What `halfstep distill` does: the ladder of a run, and after each rung a row of quality and speed."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from halfstep.atomic import remove_partials, write_json
from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.errors import InputError
from halfstep.metrics.melstats import correlation, rms_difference
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.run_folder import Run, open_run
from halfstep.training.ladder import climb, distillation_loss, frozen, load_student
from halfstep.training.loop import Progress, StepRandom, move
from halfstep.training.observe import LadderObserver, one_pass


def distill_command(run: Path, to: int, updates: int | None, progress: Progress) -> list[dict[str, Any]]:
    """Climb from the run's teacher down to `to` steps (or go on); return the ladder's rows, teacher first."""
    with open_run(run) as opened:
        return distill_run(opened, to, updates, progress)


def distill_run(run: Run, to: int, updates: int | None, progress: Progress) -> list[dict[str, Any]]:
    """The same for an opened run."""
    diffusion = run.experiment.diffusion
    if not PARAMETERIZATIONS[diffusion.parameterization].distillable or diffusion.schedule != "cosine":
        raise InputError(
            f"{run.path}: its teacher predicts {diffusion.parameterization} under the {diffusion.schedule} schedule, "
            f"which says nothing of x at pure noise; train with parameterization x, v or both and schedule cosine"
        )
    config = run.experiment.distill
    if updates is not None:
        config = replace(config, updates=updates)
    try:
        rungs = config.rungs(to)
    except ValueError as fault:
        raise InputError(f"--to: {fault}") from None
    teacher = run.teacher()
    folder = run.path / "ladder"
    _settle(folder, config.updates)
    report = LadderReport(run, folder, teacher.to(run.device))
    climb(
        teacher, rungs, config, run.experiment.train,
        lambda num_steps: run.batches(config.batch_size, num_steps),  # every rung draws windows of its own
        folder, lambda num_steps: run.observer(folder / f"{num_steps:04d}"), run.device, progress, report.landed,
    )  # fmt: skip
    return report.rows


def finished_rungs(run: Run) -> dict[int, Callable[[], Denoiser]]:
    """Number of steps -> how to load that student, most steps first."""

    def loader(path: Path) -> Callable[[], Denoiser]:
        def load() -> Denoiser:
            student = run.experiment.build(run.task)
            load_student(student, path)
            return frozen(student)

        return load

    notes = (run.path / "ladder").glob("[0-9]*/student.json")
    paths = {int(note.parent.name): note.with_suffix(".safetensors") for note in notes}
    return {num_steps: loader(paths[num_steps]) for num_steps in sorted(paths, reverse=True)}


def _settle(folder: Path, updates: int) -> None:
    """A ladder keeps the teacher, and the updates a rung, that it began with."""
    path = folder / "config.json"
    folder.mkdir(exist_ok=True)
    remove_partials(folder)
    teacher = json.loads((folder.parent / "teacher.json").read_text(encoding="utf-8"))["sha256"]
    wanted = {"updates": updates, "teacher": teacher}
    begun = wanted | (json.loads(path.read_text(encoding="utf-8")) if path.exists() else {})
    if begun["updates"] != updates:
        raise InputError(
            f"{folder}: began with {begun['updates']} updates a rung, now {updates} are asked for; "
            f"use --updates {begun['updates']}, or remove the folder to climb anew"
        )
    if begun["teacher"] != teacher:
        raise InputError(
            f"{folder}: began from the teacher {begun['teacher'][:8]}, since trained on to {teacher[:8]} "
            f"(sha256); remove the folder to climb anew"
        )
    write_json(path, wanted)


@dataclass
class LadderReport:
    """Quality against the teacher from the same noise, and the time of a window: table, pictures, JSON in `folder`."""

    run: Run
    folder: Path
    teacher: Denoiser

    def __post_init__(self) -> None:
        self.start = self.run.experiment.distill.start_steps
        self.observer: LadderObserver = self.run.observer(self.folder)
        windows = self.observer.windows(self.teacher, self.start)
        self._reference = self.observer.mels(windows)
        self._samples: dict[int, np.ndarray] = {}
        self.rows = [self._row(self.start, self.teacher, windows, {})]

    def landed(self, num_steps: int, student: Denoiser, its_teacher: Denoiser) -> None:
        """Add the row of a finished rung."""
        windows = self.observer.windows(student, num_steps)
        before = self.observer.mels(self.observer.windows(its_teacher, 2 * num_steps))
        undistilled = self.observer.windows(self.teacher, num_steps)
        against = {
            "correlation_with_own_teacher": correlation(self.observer.mels(windows), before),
            "undistilled_correlation": correlation(self.observer.mels(undistilled), self._reference),
            **{f"undistilled_{name}": value for name, value in self._look(undistilled).items()},
            "heldout_loss": self._heldout_loss(student, its_teacher, num_steps),
        }
        self.rows.append(self._row(num_steps, student, windows, against))
        write_json(self.folder / "ladder.json", self.rows)
        (self.folder / "ladder.md").write_text(table(self.rows), encoding="utf-8")
        self._draw()

    def _row(
        self, num_steps: int, denoiser: Denoiser, windows: np.ndarray, against: dict[str, float]
    ) -> dict[str, Any]:
        mels = self._samples[num_steps] = self.observer.mels(windows)
        return {
            "steps": num_steps,
            "correlation": correlation(mels, self._reference),
            "rms_nepers": rms_difference(mels, self._reference),
            **self._look(windows),
            "window_seconds": num_steps * self._pass_seconds(denoiser),
            **against,
        }

    def _look(self, windows: np.ndarray) -> dict[str, float]:
        return {_column(name): value for name, value in self.observer.look(windows).items()}

    @torch.no_grad()
    def _heldout_loss(self, student: Denoiser, its_teacher: Denoiser, num_steps: int) -> float:
        """The rung's own loss on held-out windows and fixed noise."""
        example = move(self.run.task.free(self.observer.real), self.run.device)
        loss = distillation_loss(frozen(its_teacher), num_steps, self.run.experiment.distill.weight)
        return float(np.mean([loss(student, example, StepRandom(0, k, self.run.device)).item() for k in range(8)]))

    @torch.no_grad()
    def _pass_seconds(self, denoiser: Denoiser) -> float:
        """Median seconds of one network call on one window, one thread, PyTorch (export makes it faster)."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        example = self.run.task.free(self.observer.real[:1])
        frozen_copy = frozen(denoiser).to("cpu")
        seconds = []
        for _ in range(7):
            before = time.perf_counter()
            one_pass(frozen_copy, example)
            seconds.append(time.perf_counter() - before)
        torch.set_num_threads(threads)
        return float(np.median(seconds))

    def _draw(self) -> None:
        """The same noise down the ladder: one column a clip, one row a number of steps, real windows last."""
        from halfstep.training.drawing import draw_ladder, draw_rows

        rows = {f"{steps} steps": windows[:4] for steps, windows in self._samples.items()}
        real = self.observer.log_mel(self.observer.real)[:4]
        draw_rows(self.folder / "same-noise.png", rows | {"real": real})
        judged = self.observer.judged
        draw_ladder(self.folder / "ladder.png", self.rows, _column(judged.figure), judged.title)


def _column(figure: str) -> str:
    """A figure's name in a row: samples/frechet_melstats is frechet."""
    return figure.removeprefix("samples/").removesuffix("_melstats")


COLUMNS = {
    "steps": ("steps", "d"),
    "correlation": ("correlation with the teacher", ".3f"),
    "rms_nepers": ("RMS (nepers)", ".3f"),
    "undistilled_correlation": ("teacher at as many steps: correlation", ".3f"),
    "heldout_loss": ("held-out loss", ".5f"),
    "frechet": ("Frechet (melstats)", ".2f"),
    "undistilled_frechet": ("teacher at as many steps: Frechet", ".2f"),
    "frame_step": ("frame step", ".3f"),
    "mr_stft": ("MR-STFT", ".3f"),
    "undistilled_mr_stft": ("teacher at as many steps: MR-STFT", ".3f"),
    "log_mel_l1": ("log-mel L1", ".3f"),
    "window_seconds": ("seconds a window", ".3f"),
}


def table(rows: list[dict[str, Any]]) -> str:
    """The ladder as a Markdown table, of the columns that its rows have."""
    columns = {name: column for name, column in COLUMNS.items() if any(name in row for row in rows)}
    lines = ["| " + " | ".join(title for title, _ in columns.values()) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [format(row[name], form) if name in row else "-" for name, (_, form) in columns.items()]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
