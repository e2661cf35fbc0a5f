"""The commands `play` and, for the plugin, `feed`. They import late what they need."""

import json
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from halfstep.app.options import AsJson, Controls, Style, asked_for, model_ids
from halfstep.app.terminal import note
from halfstep.app.threads import keep_to_one_thread


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: halfstep play --seed 7 --steps 1\n\nhalfstep play --osc 9000")(play)
    app.command(hidden=True)(feed)


def play(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR", autocompletion=model_ids, help="A model by id or folder, if not the one that comes along."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which piece; another each time if not given.")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampling steps, of those the model serves.")] = None,
    style: Style = None,
    control: Controls = None,
    osc: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=1, max=65535, help="Follow OSC: /halfstep/seed, /gain, /pause, /bpm."),
    ] = None,
    midi_clock: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Follow the clock of this MIDI input, in loops of bars; virtual makes one."),
    ] = None,
    bars: Annotated[int, typer.Option(min=1, max=64, help="Of a loop, where a tempo is followed.")] = 4,
    as_json: AsJson = False,
) -> None:
    """Play music without end on this machine's speakers, until Ctrl-C.

    What --osc and --midi-clock change is heard four seconds later. It needs the extra `play`, and for these two
    `stage`: pip install 'halfstep[play,stage]'. --json prints one line as it begins and one as it ends.
    """
    keep_to_one_thread()
    import secrets

    import halfstep
    from halfstep.app.play.player import BLOCK_SECONDS, Player
    from halfstep.app.run_folders import as_model

    loaded = halfstep.load(as_model(model))
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    asked = asked_for(control, style=style)
    ends: list[Callable[[], object]] = []
    if osc is None and midi_clock is None:
        blocks = loaded.stream(seed, steps, BLOCK_SECONDS, **asked)
    else:
        from halfstep.app.play.stage import MidiClock, Stage, Wanted, listen_midi, listen_osc, staged

        stage = Stage(Wanted(seed=seed, steps=steps, asked=asked))
        ends += [] if osc is None else [listen_osc(stage, osc)]
        ends += [] if midi_clock is None else [listen_midi(MidiClock(stage), midi_clock)]
        blocks = staged(loaded, stage, BLOCK_SECONDS, bars)
    player = Player(loaded.sample_rate, loaded.manifest.mel.channels)
    if as_json:
        _print_line(model=loaded.manifest.id, seed=seed, sample_rate=loaded.sample_rate)
    else:
        note(f"model {loaded.manifest.id}, seed {seed}; Ctrl-C ends it", aside=True)
    try:
        player.play(blocks)
    finally:
        for end in ends:
            end()
        if as_json:
            _print_line(seconds=round(player.seconds, 3), gaps=player.gaps)
        elif player.gaps:
            advice = "fewer --steps, or less work beside it, would help"
            print(f"{player.gaps} gaps: this machine did not keep up; {advice}", file=sys.stderr)


def _print_line(**facts: str | float) -> None:
    print(json.dumps(facts), flush=True)


def feed(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR", envvar="HALFSTEP_MODEL", autocompletion=model_ids, help="A model by id or folder."
        ),
    ] = None,
) -> None:
    """Make what the plugin for a DAW asks for on standard input, until that ends."""
    keep_to_one_thread()
    import halfstep
    from halfstep.app.generate.delivering import forget_standard
    from halfstep.app.play.feeding import follow
    from halfstep.app.run_folders import as_model

    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as lines:
        try:
            follow(halfstep.load(as_model(model)), lines, sys.stdout.buffer)
        except BrokenPipeError:
            forget_standard()
