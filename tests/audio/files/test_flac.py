"""FLAC that was written into a pipe says no length: its last frame does."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.audio.files.endings import cut_off
from halfstep.audio.files.flac import crc8
from halfstep.audio.files.io import open_sound, read, read_info

RATE = 44100


def piped(frames: int, channels: int = 1) -> tuple[bytes, np.ndarray]:
    """FLAC whose number of samples is 0, and its samples."""
    times = np.arange(frames) / RATE
    samples = np.stack([0.5 * np.sin(2 * np.pi * (300 + 200 * n) * times) for n in range(channels)], axis=1)
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, "PCM_16", format="FLAC")
    data = bytearray(file.getvalue())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data), soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)[0].T


@pytest.mark.parametrize(("frames", "channels"), [(1, 1), (100, 2), (4096, 1), (4097, 2), (600_000, 1)])
def test_a_stream_without_a_length_has_all_of_its_sound(tmp_path: Path, frames: int, channels: int):
    """One frame, whole and part frames, and numbers of frames of more than one byte."""
    data, samples = piped(frames, channels)
    (tmp_path / "a.flac").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.flac").samples, samples)


def test_streams_without_lengths_may_be_joined_and_cut(tmp_path: Path):
    data, samples = piped(10_000)
    (tmp_path / "a.flac").write_bytes(data + data)
    np.testing.assert_array_equal(read(tmp_path / "a.flac").samples, np.tile(samples, 2))
    (tmp_path / "a.flac").write_bytes(data[:-100])
    info = read_info(tmp_path / "a.flac")
    assert info.frames_declared == 10_000
    with open_sound(tmp_path / "a.flac") as sound, pytest.raises(soundfile.LibsndfileError):
        list(sound.decoded(mono=True, block_seconds=1.0))
    assert cut_off(tmp_path / "a.flac", info, 8192) == "cut off: declared 10000 samples, got 8192"


def test_the_check_value_of_the_polynomial():
    assert crc8(b"123456789") == 0xF4
