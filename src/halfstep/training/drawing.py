"""Samples for the eye and ear: log-mel windows as a picture and as audio."""

import atexit
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from halfstep.arrays import Float
from halfstep.atomic import remove_partials, replacing
from halfstep.audio.mel import MelConfig

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_samples(
    folder: Path,
    name: str,
    samples: Float[np.ndarray, "samples bands frames"],
    real: Float[np.ndarray, "real bands frames"],
    mel: MelConfig,
) -> None:
    """`name`.png: samples [n, n_mels, frames] over real windows; `name`.flac: the samples, one after another."""
    from halfstep.vocoders.griffin_lim import griffin_lim, mel_to_magnitude

    folder.mkdir(parents=True, exist_ok=True)
    remove_partials(folder)
    draw_rows(folder / f"{name}.png", {"samples": samples, "real": real})
    rng = np.random.default_rng(0)
    clips = [griffin_lim(mel_to_magnitude(window, mel), mel, rng=rng) for window in samples]
    write_sound(folder / f"{name}.flac", clips, mel.sample_rate)


def write_sound(path: Path, clips: Iterable[Float[np.ndarray, "samples"]], sample_rate: int) -> None:
    """Clips [n] one after another, turned down where they would be clipped."""
    from halfstep.audio.files.io import write

    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.concatenate(list(clips)).astype(np.float32, copy=False)
    samples = samples / np.float32(max(1.0, float(np.abs(samples).max()) / 0.9))
    write(path, [samples[None]], sample_rate, {"title": path.stem})


def empty_figure(width: float, height: float) -> "Figure":
    """Inches. Drawn without a screen; what matplotlib remembers goes with the process, not into the home folder."""
    if "MPLCONFIGDIR" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="halfstep-matplotlib-")
        atexit.register(folder.cleanup)
        os.environ["MPLCONFIGDIR"] = folder.name
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw_rows(path: Path, rows: dict[str, Float[np.ndarray, "windows bands frames"]]) -> None:
    """Rows of log-mel windows [n, n_mels, frames], all on the colour scale of the last row."""
    low, high = np.percentile(next(reversed(rows.values())), [1, 99.8])
    columns = max(len(windows) for windows in rows.values())
    figure = empty_figure(3.2 * columns, 2.2 * len(rows))
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, (name, windows) in zip(axes, rows.items(), strict=True):
        for cell, window in zip(line, windows, strict=False):
            cell.imshow(window, origin="lower", aspect="auto", vmin=low, vmax=high, cmap="magma")
            cell.set_xticks([])
            cell.set_yticks([])
        line[0].set_ylabel(name)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=80)


def draw_ladder(path: Path, rows: list[dict[str, Any]], figure_name: str, title: str) -> None:
    """Quality against steps: correlation with the teacher and a task's own figure, student and undistilled teacher."""
    figure = empty_figure(9, 3.6)
    titles = {"correlation": "log-mel correlation with the teacher", figure_name: title}
    for axis, student in zip(figure.subplots(1, 2), titles, strict=True):
        for name, label in ((student, "distilled"), (f"undistilled_{student}", "the teacher at as many steps")):
            known = [(row["steps"], row[name]) for row in rows if name in row]
            axis.plot(*zip(*known, strict=True), marker="o", label=label)
        axis.set_xscale("log", base=2)
        axis.set_xlabel("steps")
        axis.set_title(titles[student])
        axis.legend()
    with replacing(path) as partial:
        figure.savefig(partial, dpi=90)
