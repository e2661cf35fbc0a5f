"""What a stranger may not do, and what an answer never says."""

import contextlib
import http.client
import json
import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.app.serve.connections import Connection
from halfstep.app.serve.decoding import decoded_upload
from halfstep.app.serve.limits import USUAL
from halfstep.app.serve.tunes import TUNE_FIELDS
from halfstep.errors import InputError

from .conftest import Site, serving

WRONG = [
    "steps=-1", "steps=0", "steps=1000000000", "steps=2", "steps=NaN", "steps=4.0", "steps=", "seed=-1",
    "seed=18446744073709551616", "seed=1_0", "seed=x", "variation=nan", "variation=2", "at=inf", "at=-1",
    "toward=1e3", "over=0", "no_such=1", "seed=1&seed=2", "seed=" + "9" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("query", WRONG)
def test_what_is_out_of_range_is_refused_before_any_work(site: Site, query: str):
    began = time.monotonic()
    status, _, body = site.ask("GET", f"/stream/tiny-gauss.mp3?{query}")
    assert status == 400
    assert len(json.loads(body)["error"]) < 400
    assert time.monotonic() - began < 1
    assert not site.server.stations._all()


@pytest.mark.parametrize("path", ["/stream/other.mp3", "/stream/tiny-gauss.wav", "/stream/.mp3", "/stream/tiny-gauss"])
def test_only_models_of_the_list_are_played(site: Site, path: str):
    assert site.ask("GET", path)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2fpyproject.toml", "/%00", "/index.html%00.js",
        "/__init__.py",
        "/stream/..%2f..%2fpiano.mp3", "/stream/http:%2f%2fevil.example%2fm.mp3", "/stream/%3Cscript%3E.mp3",
        "/api/jobs/..%2f..%2fetc/audio", "/api/jobs/%2e%2e/audio", "//etc/passwd", "/./x", "/C:%5Cwindows%5Cwin.ini",
        "/../index.html", "/....//etc/passwd", "/..%252f..%252fetc/passwd", "/%c0%ae%c0%ae/etc/passwd", "/..%5c..%5cx",
        "/%5c%5cevil.example%5cx", "/stream/../../etc/passwd", "/stream/%2e%2e%2fpiano.mp3", "/stream/..%5cpiano.mp3",
        "/stream/file:%2f%2f%2fetc%2fpasswd.mp3", "/stream/%00.mp3", "/stream/tiny-gauss.mp3%00.js", "/stream/~.mp3",
        "/stream/tiny-gauss.mp3/..", "/live/..%2f..%2fx", "/api/models/../x", "/api/..%2fmodels", "/api/jobs/%00",
        "/api/jobs/%00/audio", "/api/jobs//audio", "/api/jobs/x/../y", "/proc/self/environ", "/.git/config", "/.env",
        "/site/page.js", "/page.js%20", "/PAGE.JS", "/%70age.js%2fx", "/page.js%2f..%2findex.html",
    ],
)  # fmt: skip
def test_no_address_leads_out(site: Site, path: str):
    status, headers, body = site.ask("GET", path)
    assert status in (400, 404)
    assert b"<script>" not in body
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]


@pytest.mark.parametrize("count", [3000, 10_000])
def test_a_thousand_ranges_are_no_work(site: Site, count: int):
    began = time.monotonic()
    status, _, body = site.ask("GET", "/page.js", headers={"Range": "bytes=" + ",".join(["0-0"] * count)})
    assert status == 416
    assert len(body) < 1000
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "", "127.0.0.1.evil.example"]
)
def test_another_name_is_not_answered(site: Site, host: str):
    """A page of evil.example whose name was made to lead here asks with its own name (DNS rebinding)."""
    assert site.ask("GET", "/api/models", headers={"Host": host})[0] == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8765", "[::1]:1", "LOCALHOST:80"])
def test_its_own_names_are(site: Site, host: str):
    assert site.ask("GET", "/api/models", headers={"Host": host})[0] == 200


def test_a_page_of_a_stranger_can_change_nothing(site: Site):
    for method, path in (("POST", "/api/clips"), ("DELETE", "/api/jobs/x"), ("OPTIONS", "/api/clips")):
        status, headers, _ = site.ask(method, path, headers={"Origin": "http://evil.example"})
        assert status == 403
        assert "access-control-allow-origin" not in headers
    upgrade = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "http://evil.example",
    }  # fmt: skip
    assert site.ask("GET", "/live/tiny-gauss", headers=upgrade)[0] == 403
    assert not site.server.stations._all()


def test_a_body_that_is_too_large_is_refused_at_once(site: Site):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    connection.putrequest("POST", "/api/continuations")
    connection.putheader("Content-Length", str(1 << 30))
    connection.endheaders()
    began = time.monotonic()
    assert connection.getresponse().status == 413
    assert time.monotonic() - began < 1
    connection.close()


def test_nor_is_one_that_does_not_say_its_length(site: Site):
    connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=10)
    chunks = (bytes(1 << 16) for _ in range(20))
    try:
        connection.request("POST", "/api/continuations", chunks, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it did not even hear us out
    connection.close()


def test_a_head_that_does_not_come_is_not_waited_for(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    real = Connection._cut_if_mute

    def soon(self: Connection, transport: Any) -> None:
        real(self, transport)

    monkeypatch.setattr("halfstep.app.serve.connections.HEADER_SECONDS", 0.2)
    monkeypatch.setattr(Connection, "_cut_if_mute", soon)
    with serving(tiny_model) as site, socket.create_connection(("127.0.0.1", site.port), timeout=5) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(100) == b""


def test_a_junk_upload_is_refused_without_a_path(site: Site):
    status, job = site.json("POST", "/api/continuations?seconds=1", b"\x00junk" * 100)
    assert status == 202
    for _ in range(500):
        facts = site.json("GET", f"/api/jobs/{job['id']}")[1]
        if facts["state"] in ("done", "failed"):
            break
        time.sleep(0.02)
    assert facts["state"] == "failed"
    assert "not readable as sound" in facts["error"]
    assert "/" not in facts["error"]


def test_decoding_ends_in_time():
    from dataclasses import replace

    with pytest.raises(InputError, match="in less time"):
        decoded_upload(bytes(1000), replace(USUAL, decode_seconds=-10 + 0.01))


NUMBERS = st.integers(-1, 2**65) | st.floats(width=32) | st.sampled_from([1, 4, 0.5])
QUERIES = st.text(max_size=60) | st.dictionaries(
    st.sampled_from([field.name for field in TUNE_FIELDS]), NUMBERS.map(str), max_size=3
).map(urlencode)


@settings(max_examples=15)
@given(st.sampled_from(["/api/clips", "/api/loops", "/api/jobs/x", "/"]), QUERIES)
def test_no_query_is_our_fault(site: Site, path: str, query: str):
    status, _, _ = site.ask("DELETE" if "jobs" in path else "POST", f"{path}?{quote(query, safe='=&')}")
    assert status < 500


@settings(max_examples=15)
@given(st.sampled_from(["mp3", "ogg"]), QUERIES)
def test_no_query_of_an_endless_stream_is_our_fault(site: Site, ending: str, query: str):
    with site.listening(f"/stream/tiny-gauss.{ending}?{quote(query, safe='=&')}") as answer:
        assert answer.status in (200, 400, 503)  # 503: as many pieces at once as it plays


@pytest.fixture(scope="module")
def site(tiny_model: Path):
    with serving(tiny_model) as site:
        yield site
