"""The command `serve`: clear where it cannot, and HLS segments that play."""

import io
import re
import socket
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.app.cli import run
from halfstep.app.serve.hls import LIST_NAME, HlsFolder, timestamp_tag
from halfstep.errors import InputError

from .conftest import QUICK, serving, until


def test_a_port_in_use_is_said_with_another(tiny_model: Path, capsys: pytest.CaptureFixture[str]):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["serve", "--model", str(tiny_model), "--port", str(port)]) == 2
    assert f"--port {port + 1}" in capsys.readouterr().err


def test_an_address_that_is_not_ours_is_said(tiny_model: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["serve", "--model", str(tiny_model), "--host", "192.0.2.1"]) == 2
    assert "--host 192.0.2.1" in capsys.readouterr().err


def test_without_the_extra_the_command_that_brings_it_is_named(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in [name for name in sys.modules if name.startswith("halfstep.app.serve.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    for name in [name for name in sys.modules if name.startswith("starlette.")]:
        monkeypatch.delitem(sys.modules, name)
    assert run(["serve", "--model", str(tiny_model)]) == 2
    assert "pip install 'halfstep[serve]'" in capsys.readouterr().err


def test_segments_are_listed_once_they_are_whole_and_play(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("halfstep.app.serve.hls.SEGMENT_SECONDS", 0.5)
    monkeypatch.setattr("halfstep.app.serve.hls.LISTED", 3)
    monkeypatch.setattr("halfstep.app.serve.hls.KEPT", 4)
    (tmp_path / "segment-0000000001.mp3").write_bytes(b"of an earlier run")
    with serving(tiny_model, replace(QUICK, burst_seconds=2.0), hls=tmp_path):
        until(lambda: len(list(tmp_path.glob("segment-??????????.mp3"))) >= 4)
        assert not (tmp_path / "segment-0000000001.mp3").exists()
        listed = (tmp_path / LIST_NAME).read_text()
        names = re.findall(r"^segment-\d+\.mp3$", listed, re.MULTILINE)
        sounds = [(tmp_path / name).read_bytes() for name in names]
    assert len(names) == 3
    assert "#EXT-X-TARGETDURATION" in listed
    assert "#EXT-X-ENDLIST" not in listed
    numbers = [int(re.findall(r"\d+", name)[0]) for name in names]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert f"#EXT-X-MEDIA-SEQUENCE:{numbers[0]}" in listed
    for sound in sounds:
        assert sound.startswith(b"ID3")
        samples, _ = soundfile.read(io.BytesIO(sound))
        assert np.sqrt(np.mean(samples**2)) > 1e-3
    seconds = [float(text) for text in re.findall(r"#EXTINF:([\d.]+)", listed)]
    assert all(0.5 <= one < 0.7 for one in seconds)


def test_a_timestamp_is_the_bytes_that_players_expect():
    tag = timestamp_tag(90_000)
    assert tag[:10] == b"ID3\4\0\0\0\0\0\x3f"
    assert tag[10:20] == b"PRIV\0\0\0\x35\0\0"
    assert tag[20:-8] == b"com.apple.streaming.transportStreamTimestamp\0"
    assert int.from_bytes(tag[-8:], "big") == 90_000


def test_segments_go_into_no_folder_of_somebody_elses(tmp_path: Path):
    (tmp_path / "segment-of-an-orange.mp3").write_bytes(b"mine")
    with pytest.raises(InputError, match="not empty, and no stream of segments made by halfstep"):
        HlsFolder(tmp_path, 44100)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"mine"]


def test_segments_of_an_earlier_version_make_room(tmp_path: Path):
    for name in ("segment-0000000001.mp3", LIST_NAME):
        (tmp_path / name).write_bytes(b"old")
    HlsFolder(tmp_path, 44100)
    assert {path.name for path in tmp_path.iterdir()} == {".halfstep", LIST_NAME}
