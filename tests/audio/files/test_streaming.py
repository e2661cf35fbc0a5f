"""Streams of MP3 and Opus: a listener may join anywhere, and hears what was pushed."""

import io

import numpy as np
import pytest
import soundfile

from halfstep.audio.files.streaming import STREAM_ENCODERS

RATE = 44_100
HZ = 440.0
BLOCK = 8192


def tone(seconds: float) -> np.ndarray:
    """A sine with a little noise, [1, n]."""
    times = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal(len(times)) * 0.01
    return (0.3 * np.sin(2 * np.pi * HZ * times) + noise).astype(np.float32)[None]


def loudest_hz(data: bytes) -> float:
    samples, rate = soundfile.read(io.BytesIO(data))
    middle = samples[len(samples) // 3 :][:rate]
    return float(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))).argmax() * rate / len(middle))


@pytest.mark.parametrize("ending", STREAM_ENCODERS)
@pytest.mark.parametrize("missed", [0, 12])
def test_whoever_joins_hears_the_tone_from_there_on(ending: str, missed: int):
    sound = tone(6)
    encoder = STREAM_ENCODERS[ending](RATE, 1)
    parts = [encoder.push(sound[:, start : start + BLOCK]) for start in range(0, sound.shape[1], BLOCK)]
    data = encoder.head + b"".join(parts[missed:])
    assert loudest_hz(data) == pytest.approx(HZ, abs=1.5)
    info = soundfile.info(io.BytesIO(data))
    assert info.duration == pytest.approx(6 - missed * BLOCK / RATE, abs=1.6)


@pytest.mark.parametrize("ending", STREAM_ENCODERS)
def test_what_is_pushed_comes_out_soon(ending: str):
    encoder = STREAM_ENCODERS[ending](RATE, 1)
    sound = tone(2)
    sizes = [len(encoder.push(sound[:, start : start + BLOCK])) for start in range(0, sound.shape[1], BLOCK)]
    assert any(sizes[: round(1.3 * RATE / BLOCK)])


def test_a_stream_of_mp3_has_no_room_for_a_length():
    """The frame that libsndfile would fill in at the end of a file says `Info` or `Xing`: a player would believe it."""
    encoder = STREAM_ENCODERS["mp3"](RATE, 1)
    data = encoder.push(tone(1))
    assert data[:2] == b"\xff\xfb"
    assert b"Info" not in data
    assert b"Xing" not in data


def test_a_rate_that_mp3_does_not_have_is_refused():
    with pytest.raises(ValueError, match="12345 Hz"):
        STREAM_ENCODERS["mp3"](12_345, 1)
