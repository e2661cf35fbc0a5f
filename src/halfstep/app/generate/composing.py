"""The command `generate`: its options, one by one."""

from pathlib import Path
from typing import Annotated

import typer

from halfstep.app.failures import OPTIONS as EVERYWHERE
from halfstep.app.options import (
    AsJson,
    Chords,
    Controls,
    Density,
    Key,
    Like,
    LoudnessLike,
    Ray,
    Style,
    asked_for,
    joined,
    model_ids,
    style_like,
)
from halfstep.errors import InputError, NamedError

MostPieces = 1000
USUAL_BEATS = 4
OPTIONS = EVERYWHERE | {
    "seconds": "--seconds", "seed": "--seed", "variation": "--vary", "toward": "--toward", "vocoder": "--vocoder",
    "loudness": "--loudness", "context": "--continue", "into": "--into", "loop": "--loop", "mend": "--mend",
    "stop": "--to", "restyle": "--restyle", "strength": "--strength",
}  # fmt: skip
"""Field of a request -> the option that gives it."""
EXAMPLES = """Example: halfstep generate night.flac --seconds 60 --seed 7 --plot

halfstep generate loop.wav --loop --bars 8 --bpm 96

halfstep generate longer.flac --continue take.mp3 --seconds 20

halfstep generate round.wav --continue take.mp3 --seconds 8 --loop

halfstep generate bridged.wav --continue a.wav --into b.wav --seconds 10

halfstep generate mended.wav --mend take.wav --from 12.5 --to 14

halfstep generate other.wav --restyle take.wav --strength 0.6

halfstep generate sister.wav --seed 7 --vary 0.3

halfstep generate drift.wav --seed 7 --toward 8 --seconds 30

halfstep generate mixed.wav --model models/mine --style piano:2..strings

halfstep generate alike.wav --model models/mine --like take.mp3

halfstep generate along.wav --model models/mine --guide take.mp3

halfstep generate teacher.wav --model runs/mine --steps 64

halfstep generate mix.wav --sample-rate 48000 --bit-depth 24 --loudness -16

halfstep generate many.flac --count 1000 --ray auto"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=EXAMPLES)(generate)


def generate(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The file to write: .wav .flac .ogg .mp3; - is standard output.")
    ],
    seconds: Annotated[float | None, typer.Option(help="How much new music; 30 if nothing says otherwise.")] = None,
    bars: Annotated[float | None, typer.Option(help="How much new music, in bars; with --bpm.")] = None,
    bpm: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBER", help="Beats a minute, for --bars; alone, of a model that knows tempo: A..B drifts."
        ),
    ] = None,
    beats: Annotated[int | None, typer.Option(help="Beats a bar, for --bars; 4 if not given.")] = None,
    seed: Annotated[int, typer.Option(help="Which piece; the same seed gives the same bytes.")] = 0,
    steps: Annotated[
        int | None,
        typer.Option(help="Sampling steps, of those the model serves; any number where its teacher is in it."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR",
            help="A model by id or folder, or a run, if not the one that comes along.",
            autocompletion=model_ids,
        ),
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
        Path | None,
        typer.Option(metavar="AUDIO", help="Keep this recording, but regenerate it --from --to."),
    ] = None,
    from_: Annotated[float | None, typer.Option("--from", metavar="SECONDS", help="Where to begin to --mend.")] = None,
    to: Annotated[float | None, typer.Option("--to", metavar="SECONDS", help="Where to end it.")] = None,
    restyle: Annotated[
        Path | None,
        typer.Option(metavar="AUDIO", help="This recording, noised and brought back by the model, as --style says."),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(help="How much noise --restyle adds: 0 is the recording, 1 nothing of it; 0.75 if not given."),
    ] = None,
    vary: Annotated[
        float | None,
        typer.Option(metavar="STRENGTH", help="Another piece like this one: 0 is itself, 1 is --toward (or seed + 1)."),
    ] = None,
    toward: Annotated[
        int | None, typer.Option(metavar="SEED", help="Without --vary: drift from --seed to this one.")
    ] = None,
    guide: Annotated[
        Path | None,
        typer.Option(
            metavar="MIDI|AUDIO", help="Follow its chords or rhythm, again and again, of a model that learned to."
        ),
    ] = None,
    style: Style = None,
    like: Like = None,
    key: Key = None,
    chords: Chords = None,
    density: Density = None,
    loudness_like: LoudnessLike = None,
    control: Controls = None,
    vocoder: Annotated[
        str | None, typer.Option(metavar="NAME", help="griffin-lim: not the model's own, for comparison.")
    ] = None,
    sampler: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="ddim or ancestral (DDPM's), of a network that was never distilled."),
    ] = None,
    respacing: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Which of DDPM's steps: trailing, linspace, leading or quadratic; or jump."),
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", help="Write the spectrogram beside it, as a .png.")] = False,
    sample_rate: Annotated[
        int | None, typer.Option(metavar="HZ", help="If not the model's, or the recording's.")
    ] = None,
    bit_depth: Annotated[
        int | None, typer.Option(metavar="16|24|32", help="Of .wav and .flac, if not 16; 32 are floats.")
    ] = None,
    loudness: Annotated[
        float | None,
        typer.Option(metavar="LUFS", help="How loud, by one gain: that of the first minute, for which a stream waits."),
    ] = None,
    format_: Annotated[
        str, typer.Option("--format", metavar="wav|raw", help="What standard output gets; raw is bare samples.")
    ] = "wav",
    as_json: AsJson = False,
    ray: Ray = None,
) -> None:
    """Write music to a file. The first minute of a longer piece is the one-minute piece."""
    from halfstep.app.threads import keep_to_one_thread

    keep_to_one_thread()
    from halfstep.app.generate.delivering import Delivery
    from halfstep.app.generate.generating import generate_files
    from halfstep.generation.requests import request_for

    alone = bars is None and beats is None
    length = seconds if alone else _seconds(seconds, bars, bpm, beats)
    if ray is not None:  # another machine has another current folder
        named = (continue_, into, mend, restyle, guide)
        continue_, into, mend, restyle, guide = (None if path is None else path.absolute() for path in named)
    try:
        tempo = bpm if bpm is not None and (alone or _asks_tempo_of_bars(model, guide is not None)) else None
        request = request_for(
            seconds=length, context=continue_, into=into, loop=loop, mend=mend, start=from_, stop=to, seed=seed,
            restyle=restyle, strength=strength, steps=steps, variation=vary, toward=toward, vocoder=vocoder,
            sampler=sampler, respacing=respacing, loudness=loudness, guide=guide,
            asked=asked_for(
                control, style=style_like(like, style, model), tempo=tempo, key=key, chords=chords,
                density=density, loudness_like=loudness_like,
            ),
        )  # fmt: skip
        delivery = Delivery(sample_rate=sample_rate, bits=bit_depth, standard=format_, as_json=as_json)
        with joined(ray) as cluster:
            generate_files(out, request, model=model, count=count, plot=plot, delivery=delivery, cluster=cluster)
    except NamedError as error:
        raise InputError(error.named(OPTIONS)) from error


def _asks_tempo_of_bars(model: str | None, guided: bool) -> bool:
    import halfstep
    from halfstep.app.run_folders import as_model

    return halfstep.load(as_model(model)).manifest.asks_tempo_of_bars(guided)


def _seconds(seconds: float | None, bars: float | None, bpm: str | None, beats: int | None) -> float:
    """How much new music: as many bars as were typed. InputError for half of a pair."""
    if bars is None and bpm is None:
        raise InputError("--beats: counts the beats of --bars at --bpm: give those too")
    if bars is None or bpm is None:
        raise InputError("--bars and --bpm: one says nothing without the other; give both")
    if seconds is not None:
        raise InputError("--seconds: --bars and --bpm give the length already; leave one of them out")
    beats = USUAL_BEATS if beats is None else beats
    try:
        rate = float(bpm)
    except ValueError:
        raise InputError(f"--bpm {bpm}: with --bars, give a single number") from None
    for option, value in (("--bars", bars), ("--bpm", rate), ("--beats", beats)):
        if not 0 < value < 1e6:
            raise InputError(f"{option} is {value:g}: give a number above 0")
    return bars * beats * 60 / rate
