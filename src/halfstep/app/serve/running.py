"""A port, and the server on it until it is interrupted."""

import asyncio
import contextlib
import errno
import socket
import threading
from collections.abc import Callable, Collection
from pathlib import Path

import uvicorn

from halfstep.app.serve.application import Server
from halfstep.app.serve.connections import Connection
from halfstep.app.serve.hls import HlsFolder, write_hls
from halfstep.errors import InputError

SHUTDOWN_SECONDS = 2
LARGEST_HEAD = 16 << 10
LARGEST_MESSAGE = 4096
"""Of a WebSocket's listener, who has nothing to say."""
SPARE_CONNECTIONS = 150
"""Beside the listeners: pages, jobs, those who are told to wait."""
BACKLOG = 128


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. InputError where it cannot."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family)
    except OSError as error:
        raise InputError(f"--host {host}: {error.strerror}; name an address of this machine, as 127.0.0.1") from error
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"--port {port}: another program uses it; choose one: --port {port + 1}") from error
        if error.errno == errno.EACCES:
            raise InputError(f"--port {port}: not permitted; choose one above 1023") from error
        raise InputError(f"--host {host}: {error.strerror}; name an address of this machine, as 127.0.0.1") from error
    sock.set_inheritable(False)
    return sock


class Running(uvicorn.Server):
    """uvicorn, with what has to begin and end with it."""

    def __init__(self, server: Server, hosts: Collection[str], hls: Path | None, ready: Callable[[], None]) -> None:
        """hls: a folder for segments of the first model. ready: called once it answers.

        InputError for a folder of somebody else's, OSError for one that cannot be written.
        """
        config = uvicorn.Config(
            server.application(hosts), http=Connection, ws="websockets-sansio", loop="asyncio", lifespan="off",
            log_config=None, log_level="warning", access_log=False, server_header=False, date_header=True,
            timeout_keep_alive=10, timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            limit_concurrency=server.limits.listeners + SPARE_CONNECTIONS, ws_max_size=LARGEST_MESSAGE,
            ws_per_message_deflate=False, ws_ping_interval=20, ws_ping_timeout=20,
        )  # fmt: skip
        super().__init__(config)
        self._music, self._ready = server, ready
        name, model = next(iter(server.models.items()))
        self._hls = None if hls is None else (name, HlsFolder(hls, model.sample_rate))
        self._tasks: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._hls is not None:
            name, folder = self._hls
            self._tasks.append(asyncio.create_task(write_hls(folder, self._music.stations, name)))
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for task in self._tasks:
            task.cancel()
        self._music.stations.end()
        await super().shutdown(sockets)


def serve_on(sock: socket.socket, running: Running) -> None:
    """Until SIGINT or SIGTERM."""
    with contextlib.closing(sock):
        running.run(sockets=[sock])


def warm_up(server: Server) -> threading.Thread:
    """Load the first model's networks beside all else, so that the first listener need not wait for them."""

    def load() -> None:
        model = next(iter(server.models.values()))
        tune = server.stations.tune(model.manifest.id, {})
        with contextlib.suppress(InputError):  # said to the first listener
            next(model.passages(tune.piece))

    thread = threading.Thread(target=load, name="warming up", daemon=True)
    thread.start()
    return thread
