"""All addresses of the server, as one ASGI application."""

import asyncio
import logging
from collections.abc import Collection, Mapping
from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

import halfstep
from halfstep.app.serve.describing import document
from halfstep.app.serve.guard import TOO_LARGE, Guard, TooLarge
from halfstep.app.serve.jobs import Jobs
from halfstep.app.serve.limits import Limits
from halfstep.app.serve.ordering import Kitchen, Order
from halfstep.app.serve.refusals import NOT_FOUND, Refusal
from halfstep.app.serve.resemblance import Resemblance, all_known_by_sound
from halfstep.app.serve.sending import serve_blocks, stream_response
from halfstep.app.serve.tunes import Stations, said
from halfstep.conditioning import shown
from halfstep.errors import InputError
from halfstep.generation.model import Model

LOG = logging.getLogger("halfstep.serve")
ACCEPTED, OUR_FAULT = 202, 500
PAGE = Path(str(resources.files("halfstep.app.page") / "site"))
"""The folder of the page; `PAGE_TYPES` says which of its files are served."""
PAGE_TYPES = {
    ".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json", ".wasm": "application/wasm",
    ".mjs": "text/javascript; charset=utf-8", ".json": "application/json",
}  # fmt: skip


class Server:
    """What is behind the addresses. `close` when they are no longer reached."""

    def __init__(self, models: Mapping[str, Model], limits: Limits, seed: int | None = None) -> None:
        """models: by id; the first one plays when none is named. seed: of their own streams."""
        self.models, self.limits = dict(models), limits
        self.stations = Stations(self.models, limits, seed)
        self.jobs = Jobs(limits, lambda error: said(error, self.models))
        self.kitchen = Kitchen(self.models, self.jobs, limits)
        self.resemblance = Resemblance(self.models, limits)
        self._page = {path.name: path for path in sorted(PAGE.iterdir()) if path.suffix in PAGE_TYPES}

    def application(self, hosts: Collection[str] = ()) -> ASGIApp:
        """hosts: names that it may be called by, beside localhost and plain addresses."""
        routes: list[BaseRoute] = [
            Route("/", self._index),
            Route("/health", self._health),
            Route("/api/models", self._models),
            Route("/api/status", self._status),
            Route("/api/openapi.json", self._document),
            Route("/api/jobs/{id}", self._job, methods=["GET", "DELETE"]),
            Route("/api/jobs/{id}/audio", self._audio),
            Route("/stream/{name}", self._stream),
            WebSocketRoute("/live/{name}", self._live),
            Route("/api/likenesses", self._like, methods=["POST"]),
            *(self._order_route(order) for order in self.kitchen.orders.values()),
            Route("/{name}", self._file),
        ]
        handlers = {
            Refusal: _refused, InputError: self._at_fault, HTTPException: _http, TooLarge: _too_large,
            Exception: _broken,
        }  # fmt: skip
        # starlette's handler of Exception raises it again after the answer, for the server's log; ours is in the log.
        return Guard(_Quiet(Starlette(routes=routes, exception_handlers=handlers)), hosts, self.limits.upload_bytes)

    def close(self) -> None:
        """End every job, and wait for what makes music."""
        self.jobs.close()
        self.stations.finish()

    async def _index(self, request: Request) -> Response:
        return self._page_file("index.html")

    async def _file(self, request: Request) -> Response:
        return self._page_file(str(request.path_params["name"]))

    def _page_file(self, name: str) -> Response:
        if name not in self._page:
            raise Refusal(NOT_FOUND, "no such address")
        path = self._page[name]
        return FileResponse(path, headers={"Cache-Control": "no-cache"}, media_type=PAGE_TYPES[path.suffix])

    async def _health(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def _models(self, request: Request) -> Response:
        return JSONResponse({"models": [_facts(model) for model in self.models.values()]})

    async def _status(self, request: Request) -> Response:
        return JSONResponse(
            {
                "version": halfstep.__version__, "listeners": self.stations.listeners,
                "most_listeners": self.limits.listeners, "generators": self.stations.running,
                "limits": {
                    "job_seconds": self.limits.job_seconds, "upload_bytes": self.limits.upload_bytes,
                    "upload_seconds": self.limits.upload_seconds,
                },
            }
        )  # fmt: skip

    async def _document(self, request: Request) -> Response:
        return JSONResponse(
            document(
                self.kitchen.orders.values(),
                tuple(self.models),
                self.limits,
                self.stations.fields,
                self.resemblance.fields,
            )
        )

    async def _like(self, request: Request) -> Response:
        given = request.query_params.multi_items()
        return JSONResponse(await run_in_threadpool(self.resemblance.of, given, await request.body()))

    async def _job(self, request: Request) -> Response:
        id = str(request.path_params["id"])
        return JSONResponse((self.jobs.cancel(id) if request.method == "DELETE" else self.jobs.get(id)).facts())

    async def _audio(self, request: Request) -> Response:
        id = str(request.path_params["id"])
        path = self.jobs.audio(id)
        return FileResponse(path, filename=f"halfstep{path.suffix}", headers={"Cache-Control": "no-store"})

    def _order_route(self, order: Order) -> Route:
        async def take(request: Request) -> Response:
            upload = b"" if order.upload is None else await request.body()
            given = request.query_params.multi_items()
            job = await run_in_threadpool(self.kitchen.take, order, given, upload)
            return JSONResponse(job.facts(), ACCEPTED, {"Location": f"/api/jobs/{job.id}"})

        return Route(f"/api/{order.name}", take, methods=["POST"])

    async def _stream(self, request: Request) -> ASGIApp:
        return stream_response(request, self.stations)

    async def _live(self, websocket: WebSocket) -> None:
        await serve_blocks(websocket, self.stations, self.models)

    async def _at_fault(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, InputError)
        return JSONResponse({"error": said(error, self.models)}, 400)


class _Quiet:
    """What starlette raises once it has answered is in the log already; an upload that breaks off is nobody's fault."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (ClientDisconnect, WebSocketDisconnect):
            pass
        except asyncio.CancelledError:
            raise
        except Exception as error:
            LOG.error("%s: %s: %s", scope.get("path"), type(error).__name__, " ".join(str(error).split()))


def _facts(model: Model) -> dict[str, object]:
    manifest = model.manifest
    return {
        "id": manifest.id, "description": manifest.description, "licence": manifest.licence,
        "output_licence": manifest.output_licence, "steps": list(manifest.steps),
        "default_steps": manifest.default_steps, "sample_rate": manifest.mel.sample_rate,
        "conditions": [shown(condition) for condition in manifest.asks.all],
        "known_by_sound": all_known_by_sound(manifest), "guide": manifest.guide,
        "credits": [
            {"title": origin.title, "licence": origin.licence, "source": origin.source}
            for origin in manifest.trained_on
        ],
    }  # fmt: skip


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return JSONResponse({"error": error.text}, error.status, error.headers)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _too_large(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "the body is too large"}, TOO_LARGE, {"Connection": "close"})


async def _broken(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "a mistake of ours; the server's log says more"}, OUR_FAULT)
