"""Connections that can be cut, and that must begin to ask in time.

An ASGI application cannot close a connection whose other end has stopped reading: the bytes that wait would keep it
open. So connections are known here by their other end.
"""

import asyncio
import socket
import weakref

from uvicorn.protocols.http.h11_impl import H11Protocol

from halfstep.app.serve.limits import USUAL

SENT_BYTES = 1 << 17
"""That the system keeps for a connection, about: more would hide for minutes that nobody reads."""
HEADER_SECONDS = USUAL.header_seconds

OPEN: weakref.WeakValueDictionary[tuple[str, int], asyncio.Transport] = weakref.WeakValueDictionary()
"""Address and port of the other end -> the connection."""


def cut(client: tuple[str, int] | None) -> None:
    """Close a connection at once; what was not sent is lost."""
    if client is not None and (transport := OPEN.get((client[0], client[1]))):
        transport.abort()


class Connection(H11Protocol):
    """uvicorn's own, known by its other end, and cut where no head of a request comes in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if sock := transport.get_extra_info("socket"):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)
        if self.client is not None:
            OPEN[self.client[:2]] = transport
        asyncio.get_running_loop().call_later(HEADER_SECONDS, self._cut_if_mute, weakref.ref(transport))

    def _cut_if_mute(self, transport: weakref.ref[asyncio.Transport]) -> None:
        still = transport()
        if self.cycle is None and still is not None and still.get_protocol() is self:
            still.abort()
