"""A server that is killed, and a model whose file is replaced: listeners are told, and come back (reliability F37)."""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import serving


@contextlib.contextmanager
def process(model: Path, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`halfstep serve` on a port, once it answers: its first line is checked."""
    command = [sys.executable, "-m", "halfstep", "serve", "--model", str(model), "--port", str(port), "--seed", "7"]
    address = f"http://127.0.0.1:{port}/"
    line = f"halfstep plays at {address}  (Ctrl-C ends it)\n"
    if options == ("--json",):
        streams = {"tiny-gauss": [f"{address}stream/tiny-gauss.mp3", f"{address}stream/tiny-gauss.ogg"]}
        line = json.dumps({"address": address, "streams": streams}) + "\n"
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == line
            yield server
        finally:
            server.kill()


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def streamed(port: int, count: int) -> bytes:
    """The first bytes of the stream, after its head; ConnectionError where there is no server."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as listener:
        listener.sendall(b"GET /stream/tiny-gauss.mp3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        data = b""
        while len(data.partition(b"\r\n\r\n")[2]) < count:
            data += (more := listener.recv(1 << 16))
            if not more:
                raise ConnectionError("sent away")
        return data


def test_a_server_that_is_killed_sends_nobody_into_silence_and_is_there_again(tiny_model: Path):
    """SIGKILL: the connection ends at once, a new process has the port, and whoever asks again hears music."""
    port = free_port()
    with process(tiny_model, port) as server, socket.create_connection(("127.0.0.1", port), timeout=30) as listener:
        listener.sendall(b"GET /stream/tiny-gauss.mp3 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert listener.recv(1 << 16)
        os.kill(server.pid, signal.SIGKILL)
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            while listener.recv(1 << 16):
                pass
        assert time.monotonic() - began < 5
        server.wait(20)
    with pytest.raises(OSError, match=r"refused|reset"):
        streamed(port, 1)
    with process(tiny_model, port, "--json"):
        assert len(streamed(port, 500)) > 500


def test_a_model_file_that_is_replaced_stops_no_music_and_is_one_line(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """What plays is in memory; what has to be read anew is refused, its listener sent away, and the log says why."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    with serving(folder) as site, site.listening("/stream/tiny-gauss.mp3") as own:
        own.read(500)
        for path in folder.glob("*.onnx"):
            path.write_bytes(b"replaced")
        with caplog.at_level(logging.ERROR), site.listening("/stream/tiny-gauss.mp3?steps=1&seed=9") as other:
            assert other.read() == b""  # the end, not silence
        assert len(own.read(2000)) == 2000
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()
