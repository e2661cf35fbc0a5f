"""The parts of a report: each from what was heard."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from halfstep.atomic import write_json
from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.diffusion.process import VARIANCES
from halfstep.errors import InputError
from halfstep.evaluation.continuity import continuity
from halfstep.evaluation.figures import as_json, rounded
from halfstep.evaluation.hearing import WORK_FOLDER, Hearing, JudgedRow, Row, Tell
from halfstep.evaluation.obeying import obeying
from halfstep.evaluation.real import REFERENCE, REFERENCE_NAME
from halfstep.evaluation.settings import Options
from halfstep.evaluation.sounds import stored_mels
from halfstep.evaluation.subject import Subject
from halfstep.machine import processor
from halfstep.metrics.copy_synthesis import copy_synthesis
from halfstep.metrics.judge import Figure, infinity_by_chance, judge_windows
from halfstep.metrics.melstats import correlation, rms_difference
from halfstep.metrics.memorisation import memory
from halfstep.metrics.music_sets import judge_music
from halfstep.metrics.stereo_image import judge_stereo
from halfstep.training.bound import bits_per_dimension

COPIES = 32
"""Windows set against their own copies: a second each."""


def data_facts(library: Library) -> dict[str, Any]:
    minutes = {name: sum(track.seconds for track in library.split(name)) / 60 for name in ("train", "heldout")}
    return {"tracks": len(library.tracks), "train_minutes": minutes["train"], "heldout_minutes": minutes["heldout"]}


def row_facts(row: Row, judged: dict[str, JudgedRow], options: Options) -> dict[str, Any]:
    """One line of the table, beside the reference."""
    its, reference = judged[row.name], judged[REFERENCE_NAME]
    figures = judge_music(its.music, reference.music, options.seed)
    figures |= judge_windows(its.judged, reference.judged, options.seed) | _image(its, reference, options)
    return {
        "name": row.name, "kind": row.kind, "steps": row.steps, "windows": row.windows, "about": row.about,
        "figures": as_json(figures),
    }  # fmt: skip


def _image(its: JudgedRow, reference: JudgedRow | None, options: Options) -> dict[str, Figure]:
    """Of two channels."""
    stereo = its.stereo
    return {} if stereo is None else judge_stereo(stereo, reference and reference.stereo, options.seed)


def stream_facts(rows: list[Row], judged: dict[str, JudgedRow], options: Options) -> list[dict[str, Any]]:
    """One line of the table of streams each."""
    real = judged.get(REFERENCE_NAME)
    reference = None if real is None else real.music
    return [
        {
            "name": row.name, "kind": row.kind, "steps": row.steps, "windows": row.windows, "about": row.about,
            "figures": as_json(
                judge_music(judged[row.name].music, reference, options.seed) | _image(judged[row.name], real, options)
            ),
        }
        for row in rows if row.kind != REFERENCE
    ]  # fmt: skip


def bias_facts(rows: list[Row], judged: dict[str, JudgedRow], options: Options) -> dict[str, Any]:
    """FAD-inf of the real halves, pooled and cut at random: 0 but for the bias of so few windows."""
    real = next(judged[row.name].judged for row in rows if row.kind == "real")
    return as_json({"fad_infinity": infinity_by_chance(real, judged[REFERENCE_NAME].judged, options.seed)})


def pair_facts(rows: list[Row], judged: dict[str, JudgedRow]) -> list[dict[str, Any]]:
    """Of every student, and of the teacher at other numbers of steps: how near its windows are to the teacher's from
    the same noise, as the ladder measures it.

    Empty without a teacher.
    """
    first = next((row for row in rows if row.kind == "teacher"), None)
    teacher = None if first is None else judged[first.name].log_mel
    if teacher is None:
        return []
    others = [row for row in rows if row.kind in ("student", "teacher") and row is not first]
    return [
        {
            "name": row.name, "steps": row.steps, "windows": len(made), "correlation": correlation(made, teacher),
            "rms_nepers": rms_difference(made, teacher),
        }
        for row, made in ((row, judged[row.name].log_mel) for row in others) if made is not None
    ]  # fmt: skip


def memory_facts(
    library: Library, subject: Subject, rows: list[Row], judged: dict[str, JudgedRow], options: Options
) -> dict[str, Any]:
    """Of every student: nearest training window, against that of held-out music. Empty without held-out tracks."""
    heldout = next((row for row in rows if row.kind == "heldout"), None)
    if heldout is None:
        return {}
    places = Windows(library, "heldout", subject.frames).apart(heldout.windows)
    bands = library.mel.n_mels
    real = stored_mels(library, places, subject.frames)(range(heldout.windows))[:, :bands]
    facts: dict[str, Any] = {}
    for name, one in ((row.name, judged[row.name]) for row in rows if row.kind == "student"):
        if one.log_mel is not None:
            nearness = memory(
                one.log_mel, real, (library.array(track)[:][:, :bands] for track in library.split("train"))
            )
            facts[name] = {
                "ratio": nearness.ratio, "flagged": nearness.flagged, "threshold": nearness.threshold,
                "windows": len(nearness.generated), "heldout_windows": heldout.windows,
            }  # fmt: skip
    return facts


def ceiling_facts(library: Library, rows: list[Row], options: Options) -> dict[str, Any]:
    """Real windows through mel and vocoder against themselves; kept like what was heard. Empty without recordings."""
    of = {row.kind: row for row in rows}
    if "ceiling" not in of:
        return {}
    kept = options.out / WORK_FOLDER / "ceiling.json"
    if not kept.exists():
        numbers = range(min(COPIES, of["ceiling"].windows))
        copies, originals = (of[kind].source(numbers).mids for kind in ("ceiling", "real"))
        write_json(kept, as_json(copy_synthesis(copies, originals, library.mel, options.seed)))
    return read_kept(kept)


def continuity_facts(subject: Subject, options: Options, tell: Tell) -> dict[str, Any]:
    """Of every student's endless stream; kept in the work folder like what was heard. Empty if unasked."""
    if not options.seams:
        return {}
    facts = {}
    for steps in reversed(subject.model.manifest.streamed):
        kept = options.out / WORK_FOLDER / f"continuity-{steps}-{options.seams}.json"
        if not kept.exists():
            tell(0, 1, f"{options.seams} joins of the endless stream, {steps} steps")
            write_json(kept, rounded(continuity(subject, steps, subject.vocoder, options.seams)))
        facts[str(steps)] = read_kept(kept)
    return facts


def asked_facts(subject: Subject, options: Options, tell: Tell) -> list[dict[str, Any]]:
    """What was asked of its controls, and what it was to follow, beside what is obtained; kept in the work folder like
    what was heard.
    """
    kept = options.out / WORK_FOLDER / "asked.json"
    if not kept.exists():
        tell(0, 1, "what was asked")
        rows = obeying(subject.model, subject.asked, options.guide, options.seed)
        write_json(kept, rounded({"rows": rows}))
    return read_kept(kept)["rows"]


BOUND_WINDOWS = 32


def bound_facts(subjects: Sequence[Subject]) -> dict[str, Any]:
    """Of every run whose schedule is a chain: DDPM's bound on held-out windows, in bits per dimension."""
    facts = {}
    for subject in subjects:
        run = subject.run
        if run is None or run.experiment.diffusion.process.noise.chain is None:
            continue
        try:
            windows = run.windows("heldout")
        except InputError:
            continue
        diffusion, count = run.experiment.diffusion, min(BOUND_WINDOWS, windows.count)
        example = run.task.free(windows.evenly(count))
        fraction = VARIANCES[diffusion.variance]
        bits, error = bits_per_dimension(run.teacher(), example, diffusion.process.noise, fraction)
        facts[subject.name] = {
            "bits_per_dimension": bits, "standard_error": error if math.isfinite(error) else None, "windows": count,
            "variance": diffusion.variance, "steps": diffusion.process.most_steps,
        }  # fmt: skip
    return facts


def read_kept(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def speed_facts(subject: Subject, hearing: Hearing, judged: dict[str, JudgedRow], rows: list[Row]) -> dict[str, Any]:
    """Processor seconds, which differ from run to run and so are no part of the report."""
    seconds = subject.frames / subject.mel.frames_per_second
    made = {
        row.name: {
            "network": judged[row.name].make_seconds / seconds,
            "vocoder": judged[row.name].voice_seconds / seconds,
            "real_time_factor": (judged[row.name].make_seconds + judged[row.name].voice_seconds) / seconds,
        }
        for row in rows
        if row.steps
    }
    judge_seconds = float(np.mean([one.judge_seconds for one in judged.values()]))
    facts = {
        "processor": processor(), "rows": made, "judges_seconds_a_window": judge_seconds,
        "windows_judged_now": hearing.windows, "seconds_hearing": hearing.seconds,
    }  # fmt: skip
    return rounded(facts)
