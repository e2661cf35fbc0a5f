"""After each rung of a ladder a row of quality and speed: a table, pictures, JSON."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from halfstep.atomic import write_json
from halfstep.errors import InputError
from halfstep.fields import Fields, read_json
from halfstep.markdown import markdown_table
from halfstep.metrics.melstats import correlation, rms_difference
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.run_folder import Run
from halfstep.training.ladder import distillation_loss, frozen
from halfstep.training.loop import move
from halfstep.training.observe import LadderObserver, one_pass
from halfstep.training.step_random import StepRandom

MOST_ROWS = 64
AGAIN = "climb again, or remove it"


@dataclass
class LadderReport:
    """Quality against the teacher from the same noise, and the time of a window: table, pictures, JSON in `folder`."""

    run: Run
    folder: Path
    teacher: Denoiser

    def __post_init__(self) -> None:
        self.start = self.run.experiment.distill.start_steps
        self.observer: LadderObserver = self.run.observer(self.folder, ladder=True)
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
        experiment = self.run.experiment
        loss = distillation_loss(frozen(its_teacher), num_steps, experiment.distill.weight, experiment.diffusion)
        return float(np.mean([loss(student, example, StepRandom(0, k, self.run.device)).item() for k in range(8)]))

    @torch.no_grad()
    def _pass_seconds(self, denoiser: Denoiser) -> float:
        """Median seconds of one network call on one window, one thread, PyTorch (export makes it faster)."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        example = self.run.task.free(self.observer.real[:1])
        frozen_copy = frozen(denoiser).to("cpu")
        seconds: list[float] = []
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


def ladder_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a ladder.json. InputError where it holds anything but named numbers, or is no such file."""
    rows = read_json(path, AGAIN)
    if not isinstance(rows, list) or len(rows) > MOST_ROWS:
        raise InputError(f"{path}: not the rows of a ladder; {AGAIN}")
    for number, row in enumerate(rows):
        fields = Fields(f"{path}: row {number}", row, AGAIN)
        fields.integer("steps", 1, 2**20)
        for name in fields.names():
            fields.number(name, -1e12, 1e12)
    return rows


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
    cells = [[format(row[name], form) if name in row else "-" for name, (_, form) in columns.items()] for row in rows]
    return markdown_table([title for title, _ in columns.values()], cells)
