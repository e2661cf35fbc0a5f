"""What every request passes first: is it for this server, from its own page, and small enough?

A page of a stranger may ask a browser to reach 127.0.0.1. It cannot name another host than its own (DNS rebinding), so
hosts are compared with a list; and what would change anything must come from a page of this server.
"""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = frozenset({"localhost"})
MISDIRECTED, FORBIDDEN, TOO_LARGE, NOT_SATISFIABLE = 421, 403, 413, 416
MOST_RANGES = 8
"""Of a file, in one request; players ask for one."""
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; media-src 'self' blob:; worker-src 'self' blob:; manifest-src 'self'; font-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Guard:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], upload_bytes: int) -> None:
        """hosts: names beside localhost and plain addresses that this server may be called by."""
        self._app, self._hosts, self._upload_bytes = app, {host.lower() for host in hosts}, upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if refusal := self._refusal(scope, headers):
            await self._refuse(scope, receive, _with_headers(send), *refusal)
            return
        await self._app(scope, _Bounded(receive, self._upload_bytes), _with_headers(send))

    def _refusal(self, scope: Scope, headers: Headers) -> tuple[int, str] | None:
        if len(headers.getlist("host")) != 1 or not self._is_ours(headers["host"]):
            return MISDIRECTED, "not a name of this server; serve --allow-host adds one"
        origin = headers.get("origin")
        same = origin is not None and urlsplit(origin).netloc.lower() == headers["host"].lower()
        if origin is not None and not same and (scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")):
            return FORBIDDEN, "not from a page of this server"
        declared = headers.get("content-length", "0")
        if not declared.isascii() or not declared.isdigit() or int(declared) > self._upload_bytes:
            return TOO_LARGE, f"a body of at most {self._upload_bytes} bytes was expected"
        if headers.get("range", "").count(",") >= MOST_RANGES:
            return NOT_SATISFIABLE, f"at most {MOST_RANGES} ranges were expected"
        return None

    def _is_ours(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
            ipaddress.ip_address(name)
        except ValueError:
            name = host.rpartition(":")[0] if ":" in host else host
            return name.lower() in LOCAL_NAMES | self._hosts
        return True

    async def _refuse(self, scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {"Connection": "close"} if status == TOO_LARGE else None
        await JSONResponse({"error": text}, status, headers)(scope, receive, send)


class TooLarge(Exception):
    """A body that went on past what was allowed."""


class _Bounded:
    """What is received, up to so many bytes of a body."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._left = receive, most

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise TooLarge
        return message


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
