"""`halfstep export`: from a run to a model folder, or to the vocoder of one."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from halfstep.app.mirror import at_hand
from halfstep.app.options import AsJson
from halfstep.app.terminal import note, say

if TYPE_CHECKING:
    from halfstep.bundle import Manifest

RunFolder = Annotated[str, typer.Argument(metavar="RUN", help="The folder of the run, or its address.")]


def export(
    run: RunFolder,
    out: Annotated[str | None, typer.Option(metavar="MODEL", help="The model folder to make, or an address.")] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="MODEL", help="The model folder that gets the vocoder, for a run of one."),
    ] = None,
    with_teacher: Annotated[
        bool, typer.Option("--with-teacher", help="Add the teacher's weights, to go on training from.")
    ] = False,
    weights: Annotated[str, typer.Option(help="How they are stored: fp32, fp16, int8 or int4.")] = "fp32",
    steps: Annotated[
        list[int] | None, typer.Option(min=1, help="Students to take; may be given again. If not: 4 and 1.")
    ] = None,
    jump: Annotated[
        bool,
        typer.Option("--jump", help="Students take their last two steps in one: quicker, and steadier notes."),
    ] = False,
    draw: Annotated[
        list[str] | None,
        typer.Option(help="What new music draws from its seed if not asked for: key; again, tempo. Needs a guide."),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="A run of the preset plan: what it makes is followed by new music."),
    ] = None,
    plan_weights: Annotated[
        str | None, typer.Option(help="How the plan's are stored, if not as --weights says.")
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="The model's name, if not that of its folder.")] = None,
    description: Annotated[str | None, typer.Option(help="What it plays, in a sentence.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the model.")] = None,
    output_licence: Annotated[str | None, typer.Option(help="Of the music it makes.")] = None,
    credits_: Annotated[
        list[Path] | None,
        typer.Option("--credits", metavar="FILE", help="JSON: a list of {file, licence, ...} of the recordings."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Turn a run into a model folder that generate, serve and play read; a vocoder's, into a part of one."""
    from halfstep.errors import InputError

    if (out is None) == (into is None):
        raise InputError("--out MODEL, or for a vocoder --into MODEL: one of the two was expected")
    said = {"description": description, "licence": licence, "output_licence": output_licence}
    card = {name: text for name, text in said.items() if text is not None} | {"credits": tuple(credits_ or ())}
    with (
        at_hand(run) as folder,
        nullcontext() if out is None else at_hand(out) as model,
        nullcontext() if plan is None else at_hand(plan) as planner,
    ):
        choice: dict[str, Any] = {
            "steps": tuple(steps or ()), "weights": weights, "jump": jump, "with_teacher": with_teacher,
            "drawn": tuple(draw or ()), "plan": planner, "plan_weights": plan_weights,
        }  # fmt: skip
        _export(folder, model, into, choice, id_, card, as_json)


def _export(
    run: Path,
    out: Path | None,
    into: Path | None,
    choice: dict[str, Any],
    id_: str | None,
    card: dict[str, Any],
    as_json: bool,
) -> None:
    from halfstep.errors import InputError
    from halfstep.runs.export_model import NOT_MUSIC, Card, ExportConfig, export_run
    from halfstep.runs.export_vocoder import export_vocoder, holds_vocoder

    if holds_vocoder(run):
        done = export_vocoder(run, choice["weights"], card["credits"], card.get("licence"), into, out)
        if as_json:
            print(json.dumps({"run": str(run), "out": str(out or into), "vocoder": done}, indent=1))
        else:
            note(done)
        return
    if out is None:
        raise InputError(f"--into {into}: {run} holds no vocoder; make a model folder of it with --out")
    made = Card(id=_model_id(id_ or out.name), **card)
    manifest = export_run(run, out, made, ExportConfig(**choice))
    warning = manifest.measured.get(NOT_MUSIC)
    if as_json:
        print(json.dumps(_exported(run, out, manifest, warning), indent=1))
        return
    if warning:
        say(f"{out}: {warning}; train longer, or on more music")
    if manifest.vocoder is not None:
        note(f"{out}: has the vocoder of an installed model, {manifest.vocoder.licence}")
    size = f"{manifest.bytes / 1e6:.1f} MB, steps {', '.join(str(number) for number in manifest.steps)}"
    note(f"{out}: {size}; hear it: halfstep generate music.wav --model {out}")


def _exported(run: Path, out: Path, manifest: "Manifest", warning: str | None) -> dict[str, object]:
    vocoder = None if manifest.vocoder is None else manifest.vocoder.licence
    return {
        "run": str(run), "out": str(out), "id": manifest.id, "bytes": manifest.bytes, "steps": manifest.steps,
        "licence": manifest.licence, "output_licence": manifest.output_licence, "vocoder_licence": vocoder,
        "warning": warning,
    }  # fmt: skip


def _model_id(name: str) -> str:
    from halfstep.errors import InputError
    from halfstep.fields import PLAIN_NAME

    if not PLAIN_NAME.fullmatch(name):
        raise InputError(f"--id {name}: letters, digits and ._- make an id; choose one with --id")
    return name
