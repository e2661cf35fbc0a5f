"""The command `halfstep evaluate`. It imports late what it needs."""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from halfstep.addresses import HUB, is_address
from halfstep.app.mirror import at_hand, place
from halfstep.app.options import (
    AsJson,
    Controls,
    Density,
    Key,
    LoudnessLike,
    Ray,
    Style,
    asked_for,
    joined,
    model_ids,
)
from halfstep.app.progress import progress
from halfstep.app.terminal import note
from halfstep.app.threads import keep_to_one_thread
from halfstep.atomic import disk_named
from halfstep.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(
        epilog="Example: halfstep evaluate piano --data data/mine --out report\n\n"
        "halfstep evaluate runs/mine --data data/mine --out page --beside runs/ddpm\n\n"
        "halfstep evaluate models/mine --data data/mine --out report --style piano\n\n"
        "halfstep evaluate models/mine --data data/mine --out page --guide take.mp3"
    )(evaluate)


def evaluate(
    data: Annotated[str, typer.Option(metavar="DATA", help="A data set that `halfstep prepare` made.")],
    out: Annotated[str, typer.Option(metavar="REPORT", help="The folder of the report, or an address.")],
    subject: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|MODEL]", autocompletion=model_ids, help="A run folder, or a model by id or folder."
        ),
    ] = None,
    windows: Annotated[int, typer.Option(min=10, help="Windows of music a row.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Of the generated music and of all resampling.")] = 0,
    embedding: Annotated[
        str, typer.Option(help="What FAD, KAD, density and coverage hear with: musicnn, vggish=FILE or clap=FILE.")
    ] = "musicnn",
    seams: Annotated[int, typer.Option(min=0, help="Joins of the endless stream that are listened to.")] = 200,
    streams: Annotated[
        int, typer.Option(min=0, help="Streams of every row, one a seed, measured as music; 0 for none.")
    ] = 6,
    stream_seconds: Annotated[float, typer.Option(min=10, help="How long each stream is.")] = 60.0,
    teacher_steps: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Judge the undistilled network at so many steps too; may be given again."),
    ] = None,
    baselines: Annotated[
        list[str] | None,
        typer.Option("--beside", metavar="RUN|MODEL", help="Set the networks of another beside; may be given again."),
    ] = None,
    style: Style = None,
    bpm: Annotated[str | None, typer.Option(metavar="NUMBER", help="Of a model that knows tempo.")] = None,
    key: Key = None,
    density: Density = None,
    loudness_like: LoudnessLike = None,
    control: Controls = None,
    guide: Annotated[
        Path | None,
        typer.Option(metavar="MIDI|AUDIO", help="How well pieces follow it, of a model that learned to."),
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; one a core if not given.")] = None,
    controls: Annotated[
        bool, typer.Option("--controls", help="Instead: whether every measure is worse for music spoilt on purpose.")
    ] = False,
    as_json: AsJson = False,
    ray: Ray = None,
) -> None:
    """Judge a model or a run against real music: one page to hear and read, JSON and Markdown beside it.

    Of a run, its teacher and every student; with --beside, a baseline too, all from the same noise. The same command
    again goes on where it was stopped, and the same report.json comes out. What is asked of its controls is asked of
    all its music, without a drift, and of what is set beside it.
    """
    keep_to_one_thread()
    if controls == (subject is not None):
        raise InputError("evaluate: give either RUN|MODEL or --controls")
    if controls and ray is not None:
        raise InputError("--ray: --controls are heard on this machine; leave one of the two out")
    asked = asked_for(control, style=style, tempo=bpm, key=key, density=density, loudness_like=loudness_like)
    if controls and (asked or guide):
        given = ", ".join([*asked, *(["--guide"] if guide else [])])
        raise InputError(f"--controls: spoils real music, of which nothing can be asked; leave {given} out")
    from halfstep.evaluation.settings import Options

    with ExitStack() as stack:
        folder = stack.enter_context(at_hand(out))
        subject = subject and _judged(subject, stack)
        others = tuple(_judged(one, stack) for one in baselines or ())
        options = Options(
            data=place(data), out=folder, windows=windows, seed=seed, embedding=embedding, seams=seams,
            streams=streams, stream_seconds=stream_seconds, workers=workers,
            teacher_steps=tuple(teacher_steps or ()), baselines=others, asked=tuple(asked.items()), guide=guide,
        )  # fmt: skip
        with disk_named(folder), progress("evaluate") as tell, joined(ray) as cluster:
            if subject is None:
                from halfstep.evaluation.control_report import controls_command

                text = controls_command(options, tell)
            else:
                from halfstep.evaluation.evaluate import evaluate_command

                text = evaluate_command(subject, options, tell, None if cluster is None else cluster.answers)
        said = (folder / "report.json").read_text(encoding="utf-8") if as_json else ""
    if as_json:
        print(said, end="")
        return
    note(f"{text}{out.rstrip('/')}/report.html: the page")


def _judged(name: str, stack: ExitStack) -> str:
    """The same; of a run or model at an address, the folder here that stands for it while `stack` lasts."""
    fetched = is_address(name) and not name.startswith(HUB)
    return str(stack.enter_context(at_hand(name))) if fetched else name
