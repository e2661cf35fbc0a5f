"""A server that runs, and ways to ask it."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

import halfstep
from halfstep.app.serve.application import Server
from halfstep.app.serve.limits import USUAL, Limits
from halfstep.app.serve.running import Running, bound
from halfstep.audio.timbre import KINDS
from halfstep.conditioning import LabelCondition, Likeness, NumberCondition

HIGH = tuple(float(tilt) for tilt in (-6, -4, -2, 0, 0, 2, 4, 6)) + (0.0,) * 8 * (KINDS - 1)
"""Of the timbre of eight bands: how much of the level lies high. What does is strings."""
ALIKE = Likeness(weights=(tuple(-tilt for tilt in HIGH), HIGH), bias=(0.0, 0.0))
CONTROLS = (
    LabelCondition(name="style", values=("piano", "strings"), likeness=ALIKE),
    NumberCondition(name="tempo", values=(60.0, 180.0), unit="bpm"),
)
"""What `styled_model` can be asked for."""
QUICK = replace(USUAL, burst_seconds=0.5, queue_seconds=1.0, idle_seconds=0.3, upload_bytes=1 << 20)


@dataclass
class Site:
    """A server on a port of this machine."""

    port: int
    server: Server

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        status, _, data = self.ask(method, path, body)
        return status, json.loads(data)

    @contextmanager
    def listening(self, path: str) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request("GET", path)
        try:
            yield connection.getresponse()
        finally:
            connection.close()

    def made(self, path: str, body: bytes | None = None) -> bytes:
        """The sound that a job makes."""
        status, job = self.json("POST", path, body)
        assert status == 202, job
        until(lambda: self.json("GET", f"/api/jobs/{job['id']}")[1]["state"] in ("done", "failed"))
        facts = self.json("GET", f"/api/jobs/{job['id']}")[1]
        assert facts["state"] == "done", facts
        return self.ask("GET", facts["audio"])[2]


def until(true: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is true; AssertionError if it never is."""
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.01)


@contextmanager
def serving(model: Path, limits: Limits = QUICK, hls: Path | None = None, seed: int | None = 7) -> Iterator[Site]:
    """A server of one model."""
    loaded = halfstep.load(model)
    server = Server({loaded.manifest.id: loaded}, limits, seed)
    sock = bound("127.0.0.1", 0)
    ready, before = threading.Event(), set(threading.enumerate())  # another server may be at work
    running = Running(server, [], hls, ready.set)
    thread = threading.Thread(target=lambda: running.run(sockets=[sock]), daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield Site(sock.getsockname()[1], server)
    finally:
        running.should_exit = True
        thread.join(20)
        sock.close()
        server.close()
        assert not thread.is_alive()
        # ONNX Runtime, still at work as Python ends, would bring the process down.
        left = set(threading.enumerate()) - before
        assert not [one.name for one in left if one.name.startswith("station")]


@pytest.fixture
def site(tiny_model: Path) -> Iterator[Site]:
    with serving(tiny_model) as site:
        yield site


@pytest.fixture(scope="session")
def styled_model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """The tiny model with `CONTROLS`, which shift its music; read only."""
    return write_model(tmp_path_factory.mktemp("styled") / "tiny-gauss", conditions=CONTROLS)
