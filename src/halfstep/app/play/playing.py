"""The command `play`. It imports late what it needs."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from halfstep.app.options import model_ids
from halfstep.app.threads import keep_to_one_thread

if TYPE_CHECKING:
    pass


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: halfstep play --seed 7 --steps 1")(play)


def play(
    model: Annotated[
        str | None,
        typer.Option(
            metavar="ID|DIR", autocompletion=model_ids, help="A model by id or folder, if not the one that comes along."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which piece; another each time if not given.")] = None,
    steps: Annotated[int | None, typer.Option(help="Sampling steps, of those the model serves.")] = None,
) -> None:
    """Play music without end on this machine's speakers, until Ctrl-C.

    It needs the extra `play`: pip install 'halfstep[play]'
    """
    keep_to_one_thread()
    import secrets

    import halfstep
    from halfstep.app.play.player import BLOCK_SECONDS, Player
    from halfstep.app.run_folders import as_model

    loaded = halfstep.load(as_model(model))
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    blocks = loaded.stream(seed, steps, BLOCK_SECONDS)
    player = Player(loaded.sample_rate)
    print(f"model {loaded.manifest.id}, seed {seed}; Ctrl-C ends it", file=sys.stderr)
    try:
        player.play(blocks)
    finally:
        if player.gaps:
            advice = "fewer --steps, or less work beside it, would help"
            print(f"{player.gaps} gaps: this machine did not keep up; {advice}", file=sys.stderr)
