"""AAC in MP4 and bare, through PyAV where it is installed; without it, the command that brings it."""

import io
import sys
from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.files.io import open_sound, read, read_info
from halfstep.errors import InputError

RATE = 44100


def encoded(container: str, seconds: float = 2.0) -> bytes:
    av = pytest.importorskip("av")
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        stream = out.add_stream("aac", rate=RATE, layout="stereo")
        time = np.arange(round(seconds * RATE)) / RATE
        samples = np.stack([0.3 * np.sin(2 * np.pi * hz * time) for hz in (440, 660)]).astype(np.float32)
        for start in range(0, samples.shape[1], 1024):
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + 1024]), "fltp", "stereo")
            frame.sample_rate = RATE
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize("container", ["mp4", "adts"])
def test_its_sound_is_read(tmp_path: Path, container: str):
    (tmp_path / "a").write_bytes(encoded(container))
    info = read_info(tmp_path / "a")
    assert (info.format, info.subtype, info.sample_rate, info.channels) == ("MP4", "AAC", RATE, 2)
    sound = read(tmp_path / "a")
    assert sound.seconds == pytest.approx(2, abs=0.06)
    for channel, hz in zip(sound.samples, (440, 660), strict=True):
        spectrum = np.abs(np.fft.rfft(channel))
        assert spectrum.argmax() * RATE / len(channel) == pytest.approx(hz, abs=2)
        assert channel.std() == pytest.approx(0.3 / np.sqrt(2), rel=0.03)
    with open_sound(tmp_path / "a") as opened:
        np.testing.assert_array_equal(opened.span(30_000, 5000), sound.samples[:, 30_000:35_000])


@pytest.mark.parametrize("keep", [20, 2000, 20_000])
def test_what_is_cut_or_harmed_is_named_or_shorter(tmp_path: Path, keep: int):
    (tmp_path / "a.m4a").write_bytes(encoded("mp4")[:keep])
    with pytest.raises(InputError, match=r"a.m4a: (not readable as AAC|MP4 without sound|holds no samples)"):
        read(tmp_path / "a.m4a")


def test_a_film_is_not_read(tmp_path: Path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(InputError, match=r"a.mp4: a film"):
        read_info(tmp_path / "a.mp4")


def test_without_the_reader_the_command_that_brings_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "a.m4a").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(InputError, match=r"a.m4a: AAC or M4A, which PyAV reads: pip install 'halfstep\[aac\]'"):
        read_info(tmp_path / "a.m4a")
