"""The commands of the making half: prepare, train, distill, export; first and last are files of their own. Each
imports late what it needs.
"""

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from halfstep.app.make.data_sets import DEFAULT_PRESET, Preset, prepare
from halfstep.app.make.exporting import RunFolder, export
from halfstep.app.mirror import at_hand, place
from halfstep.app.options import AsJson
from halfstep.app.progress import progress
from halfstep.app.terminal import note, say
from halfstep.atomic import disk_named
from halfstep.printable import printable

Device = Annotated[
    str | None, typer.Option(metavar="cuda|mps|cpu", help="Where the network is; the best that is here if not given.")
]
Track = Annotated[
    str | None,
    typer.Option(
        metavar="PROJECT", help="Keep the figures in a project of trackio, on this machine: pip install trackio."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the program."""
    app.command(
        epilog="Example: halfstep prepare ~/Music/mine --out data/mine\n\n"
        "halfstep prepare ~/Music --out data/all --label style=folders"
    )(prepare)
    app.command(epilog="Example: halfstep train data/mine --out runs/mine --set train.batch_size=16")(train)
    app.command(epilog="Example: halfstep distill runs/mine --to 4")(distill)
    app.command(epilog="Example: halfstep export runs/mine --out models/mine")(export)


def train(
    data: Annotated[str, typer.Argument(metavar="DATA", help="A data set that `halfstep prepare` made.")],
    out: Annotated[str, typer.Option(metavar="RUN", help="The folder of the run, or an address like s3://.")],
    preset: Preset = DEFAULT_PRESET,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be given again."),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Updates in all, if not the preset's.")] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RUN|MODEL",
            help="Begin with what another run or a model has learned, in its packing.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say how long it would take here, and how much memory and disk.")
    ] = False,
    track: Track = None,
    as_json: AsJson = False,
    device: Device = None,
) -> None:
    """Train a teacher, or the learned vocoder, on a data set. The same command again goes on where it was stopped.

    On several processes or machines: torchrun ... -m halfstep train ... (docs/scale.md).
    """
    if dry_run:
        _rehearse(place(data), preset, settings or [], steps, device, as_json)
        return
    from halfstep.runs.train import train_command
    from halfstep.training.log import read_log
    from halfstep.training.tracking import tracked_in
    from halfstep.training.verdict import verdict

    kept = _kept(lambda: _so_far(run))
    with at_hand(out) as run, disk_named(run), tracked_in(track), progress("train") as tell, kept:
        figures = train_command(place(data), run, preset, settings or [], steps, tell, start, device)
    if not figures:  # not the first process of a team
        return
    said = verdict(read_log(run))
    if as_json:
        print(json.dumps({"run": str(out), "figures": figures, "learning": said.learning, "said": said.said}, indent=1))
        return
    vocoder = preset.startswith("vocoder") and (run / "vocoder.safetensors").exists()
    then = f"halfstep export {out} --into MODEL" if vocoder else f"halfstep distill {out}"
    note(f"{out}: finished; {_figures(figures)}\n{said.said}\nnext: {then}")


def distill(
    run: RunFolder,
    to: Annotated[int, typer.Option(metavar="K", min=1, help="How few steps the last rung takes.")] = 1,
    updates: Annotated[int | None, typer.Option(min=1, help="Updates a rung, if not the preset's.")] = None,
    track: Track = None,
    as_json: AsJson = False,
    device: Device = None,
) -> None:
    """Halve the teacher's steps, rung by rung. The same command again goes on where it was stopped."""
    from halfstep.runs.distill import distill_command
    from halfstep.runs.ladder_report import table
    from halfstep.runs.run_folder import open_run
    from halfstep.training.tracking import tracked_in

    kept = _kept(lambda: "saved; the same command goes on")
    with at_hand(run) as folder, disk_named(folder), tracked_in(track), progress("distill") as tell, kept:
        rows = distill_command(folder, to, updates, tell, device)
    if as_json and rows:
        print(json.dumps({"run": str(run), "rungs": rows}, indent=1))
    elif rows:
        with open_run(folder) as opened:
            plans = opened.experiment.kind.plans is not None
        of_music = f"MUSIC-RUN --out MODEL --weights int8 --plan {run}"
        then = of_music if plans else f"{run} --out models/{folder.resolve().name} --weights int8"
        note(table(rows) + f"next: halfstep export {then}")


def _so_far(run: Path) -> str:
    from halfstep.training.checkpoint import CHECKPOINTS, updates_done
    from halfstep.training.log import read_log
    from halfstep.training.verdict import verdict

    if not (done := updates_done(run / CHECKPOINTS)):
        return "nothing was trained yet; the same command begins again"
    return f"saved after {done} updates; {verdict(read_log(run)).said}; the same command goes on"


@contextmanager
def _kept(said: Callable[[], str]) -> Generator[None, None, None]:
    """What an interrupted piece of long work leaves, and how it goes on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        print(f"halfstep: {printable(said())}", file=sys.stderr)
        raise


def _rehearse(
    data: Path | str, preset: str, settings: list[str], steps: int | None, device: str | None, as_json: bool
) -> None:
    from dataclasses import asdict

    from halfstep.app.progress import lasting
    from halfstep.runs.rehearsal import rehearse

    rehearsed = rehearse(data, preset, settings, steps, device)
    if as_json:
        print(json.dumps(asdict(rehearsed), indent=1))
        return
    memory = "-" if rehearsed.memory_bytes is None else f"{rehearsed.memory_bytes / 1e9:.1f} GB"
    model = f"{rehearsed.parameters / 1e6:.1f} M parameters, {rehearsed.windows} windows of music"
    pace = f"{rehearsed.updates} updates of {rehearsed.seconds_per_update:.3g} s"
    say(
        f"preset {rehearsed.preset} on {rehearsed.device}: {model}\n"
        f"{pace}: about {lasting(rehearsed.seconds)}, and what is measured and sampled on the way\n"
        f"{memory} of memory, {rehearsed.disk_bytes / 1e9:.2g} GB of disk; nothing was written"
    )


def _figures(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())
