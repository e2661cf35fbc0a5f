"""Endless answers: chunks of MP3 or Opus over plain HTTP, and blocks over WebSocket for the page."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from halfstep.app.serve.connections import cut
from halfstep.app.serve.formats import BLOCKS, HIGHEST_LEVEL, LOWEST_LEVEL
from halfstep.app.serve.listening import Listener
from halfstep.app.serve.parameters import read_fields
from halfstep.app.serve.refusals import NOT_FOUND, Refusal
from halfstep.app.serve.station import Station
from halfstep.app.serve.tunes import Stations, Tune
from halfstep.audio.files.streaming import STREAM_ENCODERS
from halfstep.audio.mel import MelConfig, band_edges_hz
from halfstep.generation.model import Model

TRY_AGAIN_LATER = 1013
"""WebSocket's code for a server that is too busy."""


def tune_of(connection: HTTPConnection, stations: Stations, model: str) -> Tune:
    """What the address asks for. Refusal for what cannot be had."""
    return stations.tune(model, read_fields(stations.fields, connection.query_params.multi_items()))


class StreamResponse:
    """Chunks for as long as the listener stays; an ASGI application."""

    def __init__(self, stations: Stations, station: Station, tune: Tune, ending: str) -> None:
        self._stations, self._station, self._tune, self._ending = stations, station, tune, ending

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        media_type = STREAM_ENCODERS[self._ending].media_type
        piece = f"model={self._tune.model}&seed={self._tune.seed}&steps={self._tune.steps}"
        headers = {"Content-Type": media_type, "Cache-Control": "no-store", "Accept-Ranges": "none", "Piece": piece}
        start = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        if scope["method"] == "HEAD":
            await send(start)
            await send({"type": "http.response.body", "body": b""})
            return

        async def one(data: bytes) -> None:
            await send({"type": "http.response.body", "body": data, "more_body": True})

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        listener = self._station.join(self._ending)
        try:
            await send(start)
            await _fed(listener, one, gone)
        finally:
            self._station.leave(self._ending, listener)
            self._stations.forget_idle_later()
        if listener.too_slow:
            cut(scope.get("client"))
        elif listener.ended.is_set():
            with contextlib.suppress(OSError):
                await send({"type": "http.response.body", "body": b""})


def stream_response(request: Request, stations: Stations) -> StreamResponse:
    """For the address /stream/MODEL.ENDING. Refusal for what cannot be had."""
    model, _, ending = str(request.path_params["name"]).rpartition(".")
    if ending not in STREAM_ENCODERS:
        raise Refusal(NOT_FOUND, f"no such stream; an address ends in {' or '.join(STREAM_ENCODERS)}")
    tune = tune_of(request, stations, model)
    return StreamResponse(stations, stations.station(tune), tune, ending)


async def serve_blocks(websocket: WebSocket, stations: Stations, models: dict[str, Model]) -> None:
    """First what is to come, as JSON, then blocks (`formats.block_bytes`). A refusal is JSON with an `error`."""
    await websocket.accept()
    try:
        tune = tune_of(websocket, stations, str(websocket.path_params["name"]))
        station = stations.station(tune)
    except Refusal as refusal:
        await websocket.send_json({"error": refusal.text, "status": refusal.status})
        await websocket.close(TRY_AGAIN_LATER)
        return
    listener = station.join(BLOCKS)
    try:
        await websocket.send_json(hello(tune, models[tune.model].manifest.mel, stations.is_own(tune)))

        async def gone() -> None:
            while True:
                await websocket.receive()

        await _fed(listener, websocket.send_bytes, gone)
    except (WebSocketDisconnect, RuntimeError):
        pass  # the listener has left
    finally:
        station.leave(BLOCKS, listener)
        stations.forget_idle_later()
    if listener.too_slow:
        cut(websocket.scope.get("client"))
    elif listener.ended.is_set():
        with contextlib.suppress(RuntimeError, OSError):
            await websocket.close(TRY_AGAIN_LATER)


def hello(tune: Tune, mel: MelConfig, own: bool) -> dict[str, Any]:
    """What the page must know of the blocks that follow. Seeds are strings: they have more digits than its numbers."""
    return {
        "model": tune.model, "seed": str(tune.seed), "steps": tune.steps, "variation": tune.variation,
        "toward": None if tune.toward is None else str(tune.toward), "over": tune.over, "at": tune.at, "own": own,
        "asked": dict(tune.asked),
        "sample_rate": mel.sample_rate, "hop_length": mel.hop_length, "bands": mel.n_mels, "channels": mel.channels,
        "band_hz": [round(float(hz), 1) for hz in band_edges_hz(mel)[1:-1]],
        "lowest": LOWEST_LEVEL, "highest": HIGHEST_LEVEL,
    }  # fmt: skip


async def _fed(
    listener: Listener, send: Callable[[bytes], Awaitable[None]], gone: Callable[[], Awaitable[None]]
) -> None:
    """Sends chunks until the listener leaves, or is too slow, or the station ends."""

    async def sending() -> None:
        async for data in listener.chunks():
            if data:
                await send(data)

    tasks = [asyncio.ensure_future(what) for what in (sending(), gone(), listener.ended.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, (OSError, WebSocketDisconnect, RuntimeError)):
                raise result
