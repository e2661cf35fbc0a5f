"""The command `push`. It imports late what it needs."""

import json
from typing import Annotated

import typer

from halfstep.app.options import AsJson, model_ids
from halfstep.app.terminal import note
from halfstep.app.threads import keep_to_one_thread


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: halfstep push models/mine hf://me/mine --private")(push)


def push(
    model: Annotated[str, typer.Argument(metavar="ID|DIR", autocompletion=model_ids, help="A model by id or folder.")],
    to: Annotated[str, typer.Argument(metavar="hf://USER/MODEL", help="Its name on the Hugging Face Hub.")],
    private: Annotated[bool, typer.Option("--private", help="For yourself alone.")] = False,
    examples: Annotated[int, typer.Option(min=0, max=20, help="Pieces of 20 s to hear on its page.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Publish a model, with a card of its figures, licences and sources, and pieces to hear.

    It needs the extra `hub`, and that you are logged in: hf auth login
    """
    keep_to_one_thread()
    import halfstep
    from halfstep.addresses import HUB
    from halfstep.bundle.remote import hub_name

    name, _ = hub_name(to)
    address = halfstep.load(model).push_to_hub(name, private, examples)
    if as_json:
        print(json.dumps({"model": model, "address": address}, indent=1))
    else:
        note(f"{address}: published; hear it: halfstep generate music.wav --model {HUB}{name}")
