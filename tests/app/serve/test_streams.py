"""Endless streams: one generator for all, bounded queues, a burst for whoever joins, nothing made for nobody."""

import io
import socket
import struct
import threading
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import soundfile
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

import halfstep
from halfstep.app.serve.formats import BLOCK_HEAD, as_int16
from halfstep.generation.requests import Piece

from .conftest import QUICK, Site, serving, until


def live(site: Site, query: str = "") -> ClientConnection:
    return connect(f"ws://127.0.0.1:{site.port}/live/tiny-gauss{query}", proxy=None)


def block_of(message: bytes | str) -> tuple[int, np.ndarray, np.ndarray]:
    """Frame number, samples [n] int16 and levels [frames, bands]."""
    assert isinstance(message, bytes)
    frames, bands, first = BLOCK_HEAD.unpack_from(message)
    levels = np.frombuffer(message[-frames * bands :], np.uint8).reshape(frames, bands)
    samples = np.frombuffer(message[BLOCK_HEAD.size : -frames * bands], "<i2")
    return int(first), samples, levels


@pytest.mark.parametrize(("ending", "format"), [("mp3", "MP3"), ("ogg", "OGG")])
def test_a_plain_player_hears_music(site: Site, ending: str, format: str):
    with site.listening(f"/stream/tiny-gauss.{ending}") as answer:
        assert answer.status == 200
        data = answer.read(24_000)
    samples, _ = soundfile.read(io.BytesIO(data))
    assert soundfile.info(io.BytesIO(data)).format == format
    assert np.sqrt(np.mean(samples**2)) > 1e-3


def test_blocks_are_the_music_of_the_seed(site: Site, tiny_model: Path):
    with live(site, "?seed=3&steps=1") as websocket:
        hello = websocket.recv()
        assert '"seed":"3"' in str(hello).replace(" ", "")
        blocks = [block_of(websocket.recv()) for _ in range(4)]
    expected = list(islice(halfstep.load(tiny_model).passages(Piece(seconds=9, seed=3, steps=1)), 4))
    for (frame, samples, levels), passage in zip(blocks, expected, strict=True):
        assert frame == passage.frame
        np.testing.assert_array_equal(samples, as_int16(passage.samples)[0])
        assert levels.shape == passage.log_mel.T.shape
        assert np.corrcoef(levels.ravel(), passage.log_mel.T.ravel())[0, 1] > 0.99


def test_a_link_leads_to_the_moment(site: Site):
    with live(site, "?seed=3&at=2") as websocket:
        websocket.recv()
        frame, _, _ = block_of(websocket.recv())
    assert frame == 2 * 8000 // 64


def test_all_hear_one_generator_and_late_ones_a_burst(site: Site):
    with live(site) as first, live(site) as second:
        first.recv()
        second.recv()
        one = [block_of(first.recv()) for _ in range(8)]
        assert site.json("GET", "/api/status")[1]["generators"] == 1
        with live(site) as third:
            third.recv()
            began = time.monotonic()
            late = block_of(third.recv())
            assert time.monotonic() - began < 0.3
        two = {frame: samples for frame, samples, _ in (block_of(second.recv()) for _ in range(8))}
        for frame, samples, _ in one:
            np.testing.assert_array_equal(samples, two[frame])
        assert late[0] > 0 or len(one) * 16 * 64 / 8000 < QUICK.burst_seconds


def test_nobody_listens_and_nothing_is_made(site: Site):
    assert site.server.stations.running == 0
    with site.listening("/stream/tiny-gauss.mp3") as answer:
        answer.read(1000)
        assert site.server.stations.running == 1
    until(lambda: site.server.stations.running == 0)
    assert site.server.stations.listeners == 0


def test_music_is_made_no_faster_than_it_is_heard(site: Site):
    with live(site) as websocket:
        websocket.recv()
        began = time.monotonic()
        last = 0
        while time.monotonic() - began < 1.0:
            last, _, _ = block_of(websocket.recv())
    seconds_sent = (last + 16) * 64 / 8000
    assert 1.0 < seconds_sent < 1.0 + QUICK.burst_seconds + 0.4


def test_one_that_never_reads_is_dropped_and_others_hear_no_gap(site: Site):
    mute = socket.socket()
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    mute.connect(("127.0.0.1", site.port))
    # Blocks take 16 kB a second here; what the kernel holds for a connection is bounded where it sends, too.
    mute.sendall(
        b"GET /live/tiny-gauss HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    (channel,) = [None]
    until(lambda: site.server.stations.listeners == 1)
    station = site.server.stations._all()[0]
    (listener,) = next(iter(station._channels.values())).listeners
    listener._most_seconds = 0.0  # its queue is full from now on
    with live(site) as websocket:
        websocket.recv()
        frames = [block_of(websocket.recv())[0] for _ in range(12)]
    assert channel is None
    assert np.diff(frames).tolist() == [16] * 11
    until(lambda: site.server.stations.listeners == 0)
    mute.settimeout(5)
    with pytest.raises(ConnectionError):  # cut, not closed in good order
        while mute.recv(1 << 16):
            pass
        raise ConnectionResetError  # or all of it was in the kernel already
    mute.close()


def test_the_listener_beyond_the_limit_is_told_to_wait(tiny_model: Path):
    most = 100
    request = b"GET /stream/tiny-gauss.mp3 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serving(tiny_model, replace(QUICK, listeners=most)) as site:
        sockets = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(most)]
        for one in sockets:
            one.sendall(request)
        until(lambda: site.server.stations.listeners == most)
        status, headers, _ = site.ask("GET", "/stream/tiny-gauss.mp3")
        assert (status, headers["retry-after"]) == (503, "5")
        began = time.monotonic()
        assert site.ask("GET", "/health")[0] == 200
        assert time.monotonic() - began < 0.5
        assert site.server.stations.running == 1
        assert all(len(one.recv(2000)) > 100 for one in sockets)
        with live(site) as websocket:
            assert "try again" in str(websocket.recv())
        for one in sockets:
            one.close()
        until(lambda: site.server.stations.listeners == 0)


def test_pieces_are_limited_and_idle_ones_make_room(tiny_model: Path):
    with serving(tiny_model, replace(QUICK, pieces=1, idle_seconds=60)) as site:
        with site.listening("/stream/tiny-gauss.mp3?seed=1") as answer:
            answer.read(100)
            assert site.ask("GET", "/stream/tiny-gauss.mp3?seed=2")[0] == 503
        until(lambda: site.server.stations.listeners == 0)
        with site.listening("/stream/tiny-gauss.mp3?seed=2") as answer:
            assert answer.status == 200


def test_many_connects_and_disconnects_leave_nothing(site: Site):
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0

    with site.listening("/stream/tiny-gauss.mp3") as answer:
        answer.read(10)
    until(lambda: site.server.stations.running == 0)
    threads, files = threading.active_count(), descriptors()
    for number in range(150):
        with socket.create_connection(("127.0.0.1", site.port)) as one:
            query = f"?seed={number % 3}" if number % 2 else ""
            one.sendall(f"GET /stream/tiny-gauss.mp3{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            if number % 5 == 0:
                one.recv(100)
            if number % 7 == 0:  # without good manners
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: site.server.stations.listeners == 0 and site.server.stations.running == 0)
    until(lambda: threading.active_count() <= threads and descriptors() <= files)
    until(lambda: not site.server.stations._pieces())


def test_a_generator_that_fails_is_one_line_and_the_next_listener_is_served(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    model = site.server.models["tiny-gauss"]
    real = model.passages

    def failing(piece: Piece, first_frame: int = 0):
        yield next(real(piece, first_frame))
        raise RuntimeError("the file\nwas replaced")

    monkeypatch.setattr(model, "passages", failing)
    with live(site) as websocket, pytest.raises(ConnectionClosed):
        while True:
            websocket.recv(5)
    assert [record.message.count("\n") for record in caplog.records] == [0]
    assert "the file was replaced" in caplog.text
    monkeypatch.undo()
    with live(site) as websocket:
        websocket.recv()
        assert len(block_of(websocket.recv())[1]) == 16 * 64


def test_a_head_is_not_a_listener(site: Site):
    status, headers, body = site.ask("HEAD", "/stream/tiny-gauss.mp3")
    assert (status, headers["content-type"], body) == (200, "audio/mpeg", b"")
    assert site.server.stations.running == 0
