"""Every row of Table 1 through the same vocoder, then every measure beside the same reference windows."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from table1_cells import STUDENT_STEPS, Scale, generated_rows

from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.errors import InputError
from halfstep.evaluation.figures import as_json
from halfstep.evaluation.hearing import Hearing, JudgedRow, Row, listen_to_all
from halfstep.evaluation.sounds import Source, recordings, source_paths, through_vocoder
from halfstep.evaluation.subject import griffin_lim
from halfstep.metrics.frechet import frechet_distance
from halfstep.metrics.judge import judge_windows
from halfstep.metrics.judges.musicnn import musicnn
from halfstep.metrics.melstats import correlation, features, frame_step
from halfstep.metrics.music_sets import judge_music
from halfstep.training.checkpoint import load_tensors

REFERENCE = "reference"
REAL_ROWS = {
    "recordings": "the recordings of the row below",
    "real": "other windows of the training tracks",
    "heldout": "held-out tracks",
    "noise": "noise of the same bands",
}


def real_windows(library: Library, frames: int, reference: int, count: int) -> dict[str, np.ndarray]:
    """Log-mel windows: `reference` of the training split, and the real rows and noise, `count` of each.

    InputError if the training split is too small for windows that do not overlap.
    """
    train_split = Windows(library, "train", frames)
    if reference + count > train_split.count:
        raise InputError(
            f"{library.path}: {train_split.count} windows, but --reference {reference} and --windows {count} "
            f"are asked for; ask for fewer"
        )
    both, apart = train_split.clips(train_split.apart(reference + count)), _apart(reference, count)
    noise = np.random.default_rng(0).standard_normal(both[:count].shape).astype(np.float32)
    parts = {
        "reference": both[~apart], "real": both[apart],
        "heldout": Windows(library, "heldout", frames).evenly(count), "noise": noise,
    }  # fmt: skip
    return {name: log_mel_of(library, windows) for name, windows in parts.items()}


def log_mel_of(library: Library, standardised: np.ndarray) -> np.ndarray:
    """Standardised windows [n, n_mels, frames] as log-mel, not below the mel's floor."""
    mean, std = (band.astype(np.float32)[:, None] for band in (library.band_mean, library.band_std))
    return np.maximum(standardised * std + mean, np.float32(np.log(library.mel.floor)))


def _apart(reference: int, count: int) -> np.ndarray:
    """Which of the even windows are not the reference's: `count` of them, evenly between."""
    apart = np.zeros(reference + count, bool)
    apart[np.linspace(0, len(apart) - 1, count).astype(int)] = True
    return apart


def recorded(library: Library, frames: int, reference: int, count: int) -> Source | None:
    """The windows of the row `real` as they were recorded, None where a recording is no longer there."""
    even = Windows(library, "train", frames).apart(reference + count)
    places = [place for place, chosen in zip(even, _apart(reference, count), strict=True) if chosen]
    paths = source_paths(library)
    if any(track.id not in paths for track, _ in places):
        return None
    return recordings(places, paths, library.mel, frames)


def judge_all(out: Path, sets: dict[str, Library], scale: Scale, options: argparse.Namespace) -> dict[str, Any]:
    """Every row that has all its windows, beside the same reference; what was heard of a row is kept."""
    return {name: _judge_set(out / name, library, scale, options) for name, library in sets.items()}


def _judge_set(folder: Path, library: Library, scale: Scale, options: argparse.Namespace) -> dict[str, Any]:
    """One set: its rows, what it holds, and how its judges do on instruments they never learned from."""
    count, frames = options.windows, scale.music.frames
    windows = real_windows(library, frames, options.reference, count)
    windows |= {name: made for name in generated_rows(scale) if (made := _made(folder, name, options)) is not None}
    reference = windows.pop("reference")
    judged = {} if options.quick else _judged(folder, library, frames, windows, reference, options)
    rows = {}
    for name in judged if judged else windows:
        if name == REFERENCE:
            continue
        figures = _looks(name, windows, reference)
        if judged:
            its, against = judged[name], judged[REFERENCE]
            figures |= as_json(judge_windows(its.judged, against.judged) | judge_music(its.music, against.music))
        rows[name] = {"figures": figures, **_facts(folder, name, scale, options)}
    return {"rows": rows, **_data_facts(library)}


def _judged(
    folder: Path, library: Library, frames: int, windows: dict[str, np.ndarray], reference: np.ndarray,
    options: argparse.Namespace,
) -> dict[str, JudgedRow]:  # fmt: skip
    """All judges and all measures of music, of every row through one vocoder and of the recordings themselves; kept in
    `folder`, a few windows a file, so that it goes on where it was cut off.
    """
    mel, vocoder = library.mel, griffin_lim(library.mel)
    rows = [
        Row(name=name, kind=name, source=through_vocoder(_by_number(some), mel, vocoder), windows=len(some))
        for name, some in {REFERENCE: reference, **windows}.items()
    ]
    if (source := recorded(library, frames, options.reference, options.windows)) is not None:
        rows.insert(1, Row(name="recordings", kind="real", source=source, windows=options.windows))
    settings = {"windows": options.windows, "reference": options.reference}
    hearing = Hearing(folder / "heard", listen_to_all(mel.sample_rate, musicnn()), settings)

    def tell(done: float, total: float, name: str) -> None:
        print(f"{folder.name}, {name}: heard {done:.0f} of {total:.0f}", flush=True)

    return hearing.hear_all(rows, tell, options.threads)


def _by_number(windows: np.ndarray) -> Callable[[range], np.ndarray]:
    return lambda numbers: windows[numbers.start : numbers.stop]


def _made(folder: Path, name: str, options: argparse.Namespace) -> np.ndarray | None:
    """The generated windows of a row, None if they are not all there."""
    parts = [np.load(path) for path in sorted((folder / "windows" / name).glob("*.npy"))]
    if sum(map(len, parts)) < options.windows:
        return None
    return np.concatenate(parts)[: options.windows].astype(np.float32)


def _looks(name: str, windows: dict[str, np.ndarray], reference: np.ndarray) -> dict[str, dict[str, float]]:
    """What needs no judge: movement from frame to frame, the coarse Frechet distance of the mels themselves and, at few
    steps, the correlation with the windows of the teacher's full steps from the same noise.
    """
    if name not in windows:
        return {}
    some, teacher = windows[name], f"{name.removesuffix('-few').removesuffix('-student')}-teacher"
    looks = {"frame_step": frame_step(some), "melstats": frechet_distance(features(some), features(reference))}
    if teacher != f"{name}-teacher" and teacher in windows:
        looks["correlation"] = correlation(some, windows[teacher])
    return {key: {"value": value} for key, value in looks.items()}


def _facts(folder: Path, name: str, scale: Scale, options: argparse.Namespace) -> dict[str, Any]:
    """What a row is and what it cost."""
    if name not in (rows := generated_rows(scale)):
        return {"title": REAL_ROWS[name]}
    row, run = rows[name], folder / rows[name].training
    plan = json.loads((folder.parent / "plan.json").read_text())["updates"][row.training]
    rungs = len(scale.distill.rungs(STUDENT_STEPS)) if row.student else 0
    spent = _seconds(run / "teacher-cost.json") + (_seconds(run / "ladder-cost.json") if row.student else 0)
    weights = load_tensors(run / "teacher.safetensors")[0]
    return {
        "title": row.title,
        "steps": row.steps,
        "sampler": "ancestral" if row.ancestral else "DDIM",
        "parameters": sum(tensor.numel() for tensor in weights.values()),
        "updates": plan["teacher"] + rungs * plan["rung"],
        "training_seconds": spent,
        "window_seconds": _seconds(folder / "windows" / name / "cost.json") / options.windows,
    }


def _seconds(path: Path) -> float:
    return json.loads(path.read_text())["seconds"]


def _data_facts(library: Library) -> dict[str, Any]:
    minutes = {split: sum(t.seconds for t in library.split(split)) / 60 for split in ("train", "heldout")}
    return {"minutes": minutes, "tracks": {split: len(library.split(split)) for split in minutes}}
