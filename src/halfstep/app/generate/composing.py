"""The command `generate`: its options, one by one."""

from pathlib import Path
from typing import Annotated

import typer

from halfstep.app.generate.order import Order

MostPieces = 1000
EXAMPLES = """Example: halfstep generate out/night.flac --seconds 300 --seed 7 --plot

halfstep generate loop.wav --loop --bars 8 --bpm 96

halfstep generate longer.flac --continue take.mp3 --seconds 60

halfstep generate round.wav --continue take.mp3 --seconds 8 --loop

halfstep generate bridged.wav --continue a.wav --into b.wav --seconds 10

halfstep generate mended.wav --mend take.wav --from 12.5 --to 14

halfstep generate sister.wav --seed 7 --vary 0.3

halfstep generate drift.wav --seed 7 --toward 8 --seconds 120"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=EXAMPLES)(generate)


def generate(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file to write: .wav .flac .ogg .mp3")],
    seconds: Annotated[float | None, typer.Option(help="How much new music; 30 if nothing says otherwise.")] = None,
    bars: Annotated[float | None, typer.Option(help="How much new music, in bars; with --bpm.")] = None,
    bpm: Annotated[float | None, typer.Option(help="Beats a minute, for --bars.")] = None,
    beats: Annotated[int | None, typer.Option(help="Beats a bar, for --bars; 4 if not told.")] = None,
    seed: Annotated[int, typer.Option(help="Which piece; the same seed gives the same bytes.")] = 0,
    steps: Annotated[
        int | None, typer.Option(help="Sampling steps, of those the model serves: more is slower and better.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="ID|DIR", help="A model by id or folder, if not the one that comes along."),
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, max=MostPieces, help="Write so many pieces, OUT-1, OUT-2 ..., from seed on.")
    ] = 1,
    loop: Annotated[
        bool,
        typer.Option("--loop", help="Its end leads into its beginning; with --continue, into the recording's."),
    ] = False,
    continue_: Annotated[
        Path | None,
        typer.Option("--continue", metavar="AUDIO", help="Begin with this recording, and go on from it."),
    ] = None,
    into: Annotated[
        Path | None, typer.Option(metavar="AUDIO", help="Lead from the --continue recording into this one.")
    ] = None,
    mend: Annotated[
        Path | None, typer.Option(metavar="AUDIO", help="Keep this recording but for the span --from --to, made anew.")
    ] = None,
    from_: Annotated[float | None, typer.Option("--from", metavar="SECONDS", help="Where to begin to --mend.")] = None,
    to: Annotated[float | None, typer.Option("--to", metavar="SECONDS", help="Where to end it.")] = None,
    vary: Annotated[
        float | None,
        typer.Option(metavar="STRENGTH", help="Another piece like this one: 0 is itself, 1 is --toward (or seed + 1)."),
    ] = None,
    toward: Annotated[
        int | None, typer.Option(metavar="SEED", help="Without --vary: drift from --seed to this one.")
    ] = None,
    vocoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="griffin-lim: not the model's own, for comparison.")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Write the spectrogram beside it, as a .png.")] = False,
) -> None:
    """Write music to a file. The first minute of a longer piece is the one-minute piece."""
    from halfstep.app.threads import keep_to_one_thread

    keep_to_one_thread()
    from halfstep.app.generate.generating import generate_files

    generate_files(
        Order(
            out=out,
            seconds=seconds,
            bars=bars,
            bpm=bpm,
            beats=beats,
            seed=seed,
            steps=steps,
            model=model,
            count=count,
            loop=loop,
            recording=continue_,
            into=into,
            mend=mend,
            mend_from=from_,
            mend_to=to,
            variation=vary,
            toward=toward,
            vocoder=vocoder,
            plot=plot,
        )
    )
