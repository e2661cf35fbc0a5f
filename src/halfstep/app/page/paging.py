"""The command `page`. It imports late what it needs."""

import json
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from halfstep.app.options import AsJson, model_ids
from halfstep.app.terminal import note
from halfstep.app.threads import keep_to_one_thread
from halfstep.atomic import disk_named
from halfstep.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog="Example: halfstep page --out site --model piano")(page)


def page(
    out: Annotated[Path, typer.Option(metavar="DIR", help="The folder to write; any static host can serve it.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|DIR",
            autocompletion=model_ids,
            help="A model by id or folder; again for more. The one that comes along.",
        ),
    ] = None,
    runtime: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="onnxruntime-web's dist folder; npm brings it if not given."),
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A halfstep server, whose stream plays where a device is too slow."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a static site that makes music in the visitor's own browser, with no server at all."""
    keep_to_one_thread()
    from halfstep.app.page.runtime import runtime_folder
    from halfstep.app.page.static_site import write_site
    from halfstep.bundle import load_folder

    if server is not None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or not parts.hostname or set(server) & set("\"'<>; "):
            raise InputError(f"--server {server}: give an address as https://radio.example")
        server = server.rstrip("/")
    folders = [load_folder(name) for name in model or [None]]
    with disk_named(out), runtime_folder(runtime) as files:
        size = write_site(out, folders, files, server)
    if as_json:
        print(json.dumps({"out": str(out), "bytes": size, "models": [one.manifest.id for one in folders]}, indent=1))
    else:
        note(f"{out}: {size / 1e6:.1f} MB; try it: python -m http.server --directory {out} --bind 127.0.0.1")
