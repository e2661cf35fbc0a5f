"""The commands models, verify and doctor. Each imports late what it needs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from halfstep.app.options import AsJson
from halfstep.app.terminal import say
from halfstep.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from halfstep.bundle import ModelFolder


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(epilog="Example: halfstep models --json")(models)
    app.command(epilog="Example: halfstep verify models/mine")(verify)
    app.command(epilog="Example: halfstep doctor")(doctor)


def models(as_json: AsJson = False) -> None:
    """List the installed models.

    Of each: id, size, licences, steps, what was measured.
    """
    from halfstep.bundle import ModelFolder, installed_folders, model_places

    folders = list(installed_folders())
    whole = [folder for folder in folders if isinstance(folder, ModelFolder)]
    problems = [str(folder) for folder in folders if not isinstance(folder, ModelFolder)]
    if as_json:
        print(json.dumps({"models": [_facts(folder) for folder in whole], "problems": problems}, indent=1))
        return
    for folder in whole:
        say(_described(folder))
    for problem in problems:
        say(f"not usable: {printable(problem)}")
    if not folders:
        say(f"no models in {', '.join(str(place) for place in model_places())}")


def verify(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="A data set, a run, a model folder, or an installed model's id.")
    ],
    as_json: AsJson = False,
) -> None:
    """Check that a data set, run or model is whole.

    Every problem is a line, and the exit code 2.
    """
    from halfstep.app.inspect.verifying import kind_and_problems
    from halfstep.bundle import ModelFolder, installed_folders

    if not path.exists():
        folders = (folder for folder in installed_folders() if isinstance(folder, ModelFolder))
        path = {folder.manifest.id: folder.path for folder in folders}.get(str(path), path)
    kind, problems = kind_and_problems(path)
    if as_json:
        print(json.dumps({"path": str(path), "kind": kind, "problems": problems}, indent=1))
    else:
        say("\n".join(map(printable, problems)) or f"{path}: {kind}, whole")
    if problems:
        raise typer.Exit(2)


def doctor(as_json: AsJson = False) -> None:
    """Say what this machine lacks.

    And the command that mends each lack. The exit code is 2 if no music can be made.
    """
    from halfstep.app.inspect.doctor import examine

    findings = examine()
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        say("\n".join(finding.line() for finding in findings))
    if any(finding.needed and not finding.well for finding in findings):
        raise typer.Exit(2)


def _facts(folder: "ModelFolder") -> dict[str, object]:
    from halfstep.conditioning import shown

    manifest = folder.manifest
    return {
        "id": manifest.id,
        "path": str(folder.path),
        "description": manifest.description,
        "bytes": manifest.bytes,
        "parameters": manifest.parameters,
        "licence": manifest.licence,
        "output_licence": manifest.output_licence,
        "vocoder_licence": None if manifest.vocoder is None else manifest.vocoder.licence,
        "sample_rate": manifest.mel.sample_rate,
        "window_seconds": manifest.seconds,
        "steps": manifest.steps,
        "conditions": [shown(condition) for condition in manifest.asks.all],
        "guide": manifest.guide,
        "plans": manifest.plan is not None,
        "measured": manifest.measured,
    }


def _described(folder: "ModelFolder") -> str:
    from halfstep.audio.guide import NO_GUIDE

    manifest = folder.manifest
    lines = [
        f"{manifest.id}  {manifest.bytes / 1e6:.1f} MB  {manifest.parameters / 1e6:.1f} M parameters",
        f"  {' '.join(manifest.description.split())}",
        f"  steps {manifest.serving} (default {manifest.default_steps}), "
        f"{manifest.mel.sample_rate} Hz, windows of {manifest.seconds:.2f} s",
        f"  licence {manifest.licence}; of its music {manifest.output_licence}",
    ]
    if manifest.vocoder is not None:
        lines.append(f"  licence of its vocoder {manifest.vocoder.licence}")
    lines += [f"  {condition.name}: {condition.about}" for condition in manifest.asks.all]
    lines += [] if manifest.guide == NO_GUIDE else [f"  --guide: {manifest.guide}, of MIDI or audio"]
    if manifest.plan is not None:
        lines.append(f"  plans its music {manifest.plan.frames / manifest.mel.frames_per_second:.0f} s at a time")
    return "\n".join([*lines, *_measured_lines(manifest.measured, manifest.steps)])


def _measured_lines(measured: "Mapping[str, Any]", steps: tuple[int, ...]) -> list[str]:
    """Single values in one line; of a table, a line for each number of steps that is served."""
    plain = [f"{name} {json.dumps(value)}" for name, value in measured.items() if not isinstance(value, list | dict)]
    rows = [row for value in measured.values() if isinstance(value, list) for row in value if isinstance(row, dict)]
    served = [row for row in rows if row.get("steps") in steps]
    lines = [
        ", ".join(f"{name} {value:.4g}" for name, value in row.items() if isinstance(value, int | float))
        for row in served
    ]
    return [f"  measured: {line}" for line in (", ".join(plain), *lines) if line]
