"""What `halfstep distill` does: the ladder of a run."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from halfstep.atomic import remove_partials, write_json
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.fields import Fields, read_json
from halfstep.nets.denoiser import Denoiser
from halfstep.runs.ladder_report import LadderReport
from halfstep.runs.run_folder import Run, open_run
from halfstep.training.checkpoint import notes_of
from halfstep.training.devices import device_named
from halfstep.training.ladder import climb, frozen, load_student
from halfstep.training.loop import Progress
from halfstep.training.team import joined, team


def distill_command(
    run: Path, to: int, updates: int | None, progress: Progress, device: str | None = None
) -> list[dict[str, Any]]:
    """Climb from the run's teacher down to `to` steps (or go on); return the ladder's rows, teacher first.

    device: cuda, mps or cpu, if not the best. No rows on any process of a team but the first.
    """
    on = device_named(device)
    with joined(on) as everyone, ExitStack() as held:
        opened = everyone.in_turn(lambda: held.enter_context(open_run(run, on)))
        return distill_run(opened, to, updates, progress)


def distill_run(run: Run, to: int, updates: int | None, progress: Progress) -> list[dict[str, Any]]:
    """The same for an opened run."""
    diffusion = run.experiment.diffusion
    if not diffusion.process.distillable:
        raise InputError(
            f"{run.path}: its teacher predicts {diffusion.parameterization}, which says nothing of x at pure noise; "
            f"train with parameterization x, v or both"
        )
    config = run.experiment.distill
    if config.start_steps > diffusion.process.most_steps:
        raise InputError(
            f"{run.path}: distill.start_steps is {config.start_steps}, and its chain has "
            f"{diffusion.process.most_steps} steps; begin with fewer"
        )
    if updates is not None:
        config = replace(config, updates=updates)
    try:
        rungs = config.rungs(to)
    except ValueError:
        raise NamedError(
            f"{{to}} is {to}: a power of two below distill.start_steps, {config.start_steps}, was expected"
        ) from None
    run.windows("train").expect(config.batch_size, "distill.batch_size")
    teacher = run.teacher()
    folder = run.path / "ladder"
    everyone = team()
    everyone.in_turn(lambda: _settle(folder, config.updates) if everyone.leads else None)
    report = LadderReport(run, folder, teacher.to(run.device)) if everyone.leads else None

    def landed(num_steps: int, student: Denoiser, its_teacher: Denoiser) -> None:
        if report is not None:
            report.landed(num_steps, student, its_teacher)

    climb(
        teacher, rungs, config, run.experiment.train,
        lambda num_steps: run.batches(config.batch_size, num_steps),  # every rung draws windows of its own
        folder, lambda num_steps: run.observer(folder / f"{num_steps:04d}", num_steps), run.device, progress,
        landed, diffusion,
    )  # fmt: skip
    return report.rows if report else []


def finished_rungs(run: Run) -> dict[int, Callable[[], Denoiser]]:
    """Number of steps -> how to load that student, most steps first."""

    def loader(path: Path) -> Callable[[], Denoiser]:
        def load() -> Denoiser:
            student = run.network()
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
    teacher = notes_of(folder.parent / "teacher.safetensors")["sha256"]
    wanted = {"updates": updates, "teacher": teacher}
    begun: dict[str, Any] = wanted | (_begun(path) if path.exists() else {})
    if begun["updates"] != updates:
        raise NamedError(
            f"{unbraced(folder)}: began with {begun['updates']} updates a rung, now {updates} are asked for; "
            f"use {{updates}} {begun['updates']}, or remove the folder to climb again"
        )
    if begun["teacher"] != teacher:
        raise InputError(
            f"{folder}: began from the teacher {begun['teacher'][:8]}, since trained on to {teacher[:8]} "
            f"(sha256); remove the folder to climb again"
        )
    write_json(path, wanted)


def _begun(path: Path) -> dict[str, Any]:
    """What a ladder was begun with. InputError where its note is no such thing."""
    again = "remove the folder to climb again"
    fields = Fields(str(path), read_json(path, again), again)
    known = {"updates": lambda: fields.integer("updates", 1, 10**9), "teacher": lambda: fields.text("teacher", 64)}
    return {name: read() for name, read in known.items() if fields.has(name)}
