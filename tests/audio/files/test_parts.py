"""Files that hold more sound than a decoder finds by itself, and those that claim more than they hold."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.audio.files.endings import cut_off
from halfstep.audio.files.io import open_sound, read, read_info
from halfstep.errors import InputError

RATE = 44100


def tone(seconds: float = 1.0, hz: float = 440.0, rate: int = RATE) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


def encoded(samples: np.ndarray, file_format: str, subtype: str, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format=file_format)
    return file.getvalue()


def loudest_hz(samples: np.ndarray, rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


MP3, VORBIS, OPUS = ("MP3", "MPEG_LAYER_III"), ("OGG", "VORBIS"), ("OGG", "OPUS")
FLAC = ("FLAC", "PCM_16")


@pytest.mark.parametrize("kind", [MP3, VORBIS, OPUS, FLAC])
def test_streams_one_after_the_other_are_all_used(tmp_path: Path, kind: tuple[str, str]):
    rate = 48000 if kind == OPUS else RATE
    (tmp_path / "a").write_bytes(b"".join(encoded(tone(1, hz, rate), *kind, rate) for hz in (300, 600, 900)))
    sound = read(tmp_path / "a")
    assert sound.seconds == pytest.approx(3, abs=0.1)
    for second, hz in enumerate((300, 600, 900)):
        middle = sound.samples[0, round((second + 0.2) * rate) : round((second + 0.8) * rate)]
        assert loudest_hz(middle, rate) == pytest.approx(hz, abs=4)
    with open_sound(tmp_path / "a") as opened:
        assert opened.notes == ["3 streams one after the other, all used"]
        assert cut_off(tmp_path / "a", opened.info, sound.samples.shape[1]) is None


def test_streams_of_other_rates_and_channels_follow_the_first(tmp_path: Path):
    second = np.stack([tone(1, 600, 22050), tone(1, 600, 22050)], axis=1)
    (tmp_path / "a").write_bytes(encoded(tone(1, 300), *VORBIS) + encoded(second, *VORBIS, 22050))
    sound = read(tmp_path / "a")
    assert sound.samples.shape == (1, pytest.approx(2 * RATE, abs=100))
    assert loudest_hz(sound.samples[0, RATE + 9000 :], RATE) == pytest.approx(600, abs=4)


def test_a_span_may_lie_in_any_stream(tmp_path: Path):
    (tmp_path / "a").write_bytes(encoded(tone(1, 300), *VORBIS) + encoded(tone(1, 600), *VORBIS))
    whole = read(tmp_path / "a").samples
    with open_sound(tmp_path / "a") as opened:
        for start in (0, 20_000, 40_000, 60_000, 88_000, 100_000):
            np.testing.assert_array_equal(opened.span(start, 9000), whole[:, start : start + 9000])


@pytest.mark.parametrize("tags", [b"ID3\x04\0\0\0\0\x01\0" + bytes(128), b""])
@pytest.mark.parametrize("padding", [1, 100, 5000])
def test_padding_before_the_first_frame_is_passed_over(tmp_path: Path, tags: bytes, padding: int):
    (tmp_path / "a").write_bytes(tags + bytes(padding) + encoded(tone(), *MP3))
    assert read(tmp_path / "a").seconds == pytest.approx(1, abs=0.01)


def spoiled_wav(size: int, order: str = "<", tail: bytes = b"") -> bytes:
    data = bytearray(encoded(tone(), "WAV", "PCM_16") + tail)
    at = data.find(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", size)
    data[4:8] = struct.pack("<I", min(size + 36, 0xFFFFFFFF))
    return bytes(data)


@pytest.mark.parametrize("size", [0x7FFFF000, 0x7FFFF024, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFDB, 0xFFFFF000])
def test_a_size_that_a_pipe_was_given_is_no_cut(tmp_path: Path, size: int):
    (tmp_path / "a.wav").write_bytes(spoiled_wav(size))
    with open_sound(tmp_path / "a.wav") as sound:
        assert sound.info.frames_declared == RATE
        assert sound.notes == []
        assert cut_off(tmp_path / "a.wav", sound.info, RATE) is None


def test_a_header_that_was_never_closed_has_its_sound(tmp_path: Path):
    (tmp_path / "a.wav").write_bytes(spoiled_wav(0))
    expected = soundfile.read(io.BytesIO(encoded(tone(), "WAV", "PCM_16")), dtype="float32")[0]
    np.testing.assert_array_equal(read(tmp_path / "a.wav").samples[0], expected)
    with open_sound(tmp_path / "a.wav") as sound:
        assert "never closed" in sound.notes[0]


def test_a_caf_that_is_still_recorded_has_its_sound(tmp_path: Path):
    data = bytearray(encoded(tone(), "CAF", "PCM_16"))
    expected = soundfile.read(io.BytesIO(data), dtype="float32")[0]
    at = data.find(b"data")
    data[at + 4 : at + 12] = struct.pack(">q", -1)
    (tmp_path / "a.caf").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.caf").samples[0], expected)


def test_an_empty_data_chunk_before_others_stays_empty(tmp_path: Path):
    data = encoded(np.zeros(0), "WAV", "PCM_16") + b"LIST" + struct.pack("<I", 4) + b"INFO"
    (tmp_path / "a.wav").write_bytes(data)
    assert read_info(tmp_path / "a.wav").frames_declared == 0


@pytest.mark.parametrize("kind", ["RF64", "W64", "AIFF", "WAV"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_what_was_cut_short_says_so(tmp_path: Path, kind: str, share: float):
    data = encoded(tone(), kind, "PCM_16")
    (tmp_path / "a").write_bytes(data[: round(len(data) * share)])
    with open_sound(tmp_path / "a") as sound:
        got = sum(block.shape[1] for block in sound.decoded(True, 1.0))
        said = cut_off(tmp_path / "a", sound.info, got)
    assert said == f"cut off: declared {RATE} samples, got {got}"


@pytest.mark.parametrize("rate", [1, 999, 768_001, 10**9])
def test_an_absurd_rate_is_refused_by_whoever_reads(tmp_path: Path, rate: int):
    (tmp_path / "a.wav").write_bytes(encoded(tone(), "WAV", "PCM_16", rate))
    for reader in (read_info, read):
        with pytest.raises(InputError, match=rf"a.wav: a sample rate of {rate} Hz; 1000 to 768000 are read"):
            reader(tmp_path / "a.wav")


def test_a_forged_length_is_the_recordings_fault(tmp_path: Path):
    data = bytearray(encoded(tone(), "FLAC", "PCM_16"))
    data[21] |= 15
    data[22:26] = b"\xff" * 4
    (tmp_path / "a.flac").write_bytes(data)
    with pytest.raises(InputError, match=r"a.flac: declares 68719476735 samples in \d+ bytes: its header is broken"):
        read_info(tmp_path / "a.flac")


def test_hours_of_digital_silence_are_no_forged_length(tmp_path: Path):
    (tmp_path / "a.flac").write_bytes(encoded(np.zeros(3_000_000), "FLAC", "PCM_16"))
    assert read_info(tmp_path / "a.flac").frames_declared == 3_000_000


@pytest.mark.timeout(20)
def test_a_fifo_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(InputError, match="a.wav: no file but a folder, FIFO or device"):
        read(tmp_path / "a.wav")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 1000, RATE - 1])
def test_a_sample_that_is_no_number_is_named(tmp_path: Path, value: float, place: int):
    samples = tone()
    samples[place] = value
    (tmp_path / "a.wav").write_bytes(encoded(samples, "WAV", "FLOAT"))
    with pytest.raises(InputError, match=rf"a.wav: a sample at {place / RATE:.3f} s is NaN or infinite"):
        read(tmp_path / "a.wav", sample_rate=22050, mono=True)
