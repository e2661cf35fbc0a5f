"""The command `serve`. It imports late what it needs."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from halfstep.app.options import AsJson, model_ids
from halfstep.app.terminal import note
from halfstep.app.threads import keep_to_one_thread
from halfstep.errors import InputError

HOST, PORT = "127.0.0.1", 8765
EXAMPLES = """Example: halfstep serve --open

halfstep serve --model piano --port 9000 --hls /var/www/radio

mpv http://127.0.0.1:8765/stream/piano.mp3"""


def add_to(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command(epilog=EXAMPLES)(serve)


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 is every one of this machine.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 is any free one.")] = PORT,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID|DIR",
            autocompletion=model_ids,
            help="A model by id or folder; again for more. All installed if not given.",
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Of the stream that all hear; another each time if not given.")
    ] = None,
    listeners: Annotated[int, typer.Option(min=1, max=10_000, help="At most, all together.")] = 100,
    hls: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the first model's stream there, as HLS segments.")
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A name by which this server may be called, beside localhost; again for more."
        ),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    as_json: AsJson = False,
) -> None:
    """Serve the page, endless streams and a small API, until Ctrl-C.

    On this machine alone, unless --host says otherwise. --json prints one line, once it answers.
    It needs the extra `serve`: pip install 'halfstep[serve]'
    """
    keep_to_one_thread()
    import logging
    import threading
    import webbrowser
    from dataclasses import replace

    import halfstep
    from halfstep.app.run_folders import as_model
    from halfstep.app.serve.application import Server
    from halfstep.app.serve.limits import USUAL
    from halfstep.app.serve.running import Running, bound, serve_on, warm_up
    from halfstep.app.serve.station import LAST_SECONDS
    from halfstep.bundle import installed
    from halfstep.generation.requests import Request

    Request(seed=seed or 0)
    names = model or [manifest.id for manifest in installed()] or [None]
    loaded = [halfstep.load(as_model(name)) for name in names]
    models = {one.manifest.id: one for one in loaded}
    if len(models) < len(loaded):
        raise InputError("--model: two with the same id; an address can name only one of them")
    logging.basicConfig(format="halfstep: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # its warnings are of listeners who left
    server = Server(models, replace(USUAL, listeners=listeners), seed)
    warming: list[threading.Thread] = []

    def ready() -> None:
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{sock.getsockname()[1]}/"
        warming.append(warm_up(server))
        if as_json:
            streams = {name: [f"{address}stream/{name}.{kind}" for kind in ("mp3", "ogg")] for name in models}
            print(json.dumps({"address": address, "streams": streams}), flush=True)
        else:
            lines = [f"  {address}stream/{name}.mp3   .ogg" for name in models]
            note("\n".join([f"halfstep plays at {address}  (Ctrl-C ends it)", *lines]))
            sys.stdout.flush()
        if open_:
            webbrowser.open(address)

    try:
        running = Running(server, allow_host or [], hls, ready)
        sock = bound(host, port)
        serve_on(sock, running)
    finally:
        server.close()
        for thread in warming:
            thread.join(LAST_SECONDS)
