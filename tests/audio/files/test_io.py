import base64
import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.files import io as file_io
from halfstep.audio.files.io import Audio, read, read_blocks, read_info
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.errors import InputError

FORMATS = {
    "wav": ("WAV", "PCM_16"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
}


def tone(seconds: float, rate: int, hz: float = 1000.0, level: float = 0.5) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_at_the_rate_asked_for(tmp_path, name):
    path = tmp_path / f"tone.{name}"
    file_format, subtype = FORMATS[name]
    stereo = np.stack([tone(2, 48000), tone(2, 48000, hz=500)], axis=1)
    soundfile.write(path, stereo, 48000, subtype, format=file_format)
    info = read_info(path)
    assert (info.format, info.subtype, info.sample_rate, info.channels) == (file_format, subtype, 48000, 2)
    audio = read(path, sample_rate=44100)
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape[0] == 2
    assert audio.seconds == pytest.approx(2, abs=0.05)
    a_second = np.abs(np.fft.rfft(audio.samples[0, 11025:55125]))
    assert np.argmax(a_second) == 1000


@pytest.mark.parametrize("name", ["song.mp3", "song.WAV", "song", "song.txt", "song.raw", "song.vox"])
def test_content_decides_not_the_name(tmp_path, name):
    path = tmp_path / name
    soundfile.write(path, tone(0.5, 8000), 8000, format="FLAC")
    assert read_info(path).format == "FLAC"
    assert read(path).samples.shape == (1, 4000)


@settings(max_examples=25, deadline=None)
@given(
    rates=st.tuples(st.sampled_from([8000, 11025, 44100, 48000]), st.sampled_from([8000, 22050, 44100])),
    block_seconds=st.floats(0.01, 2.0),
    channels=st.integers(1, 3),
)
def test_blocks_joined_are_the_whole(tmp_path_factory, rates, block_seconds, channels):
    path = tmp_path_factory.mktemp("blocks") / "noise.wav"
    rng = np.random.default_rng(0)
    soundfile.write(path, rng.uniform(-0.5, 0.5, (rates[0], channels)), rates[0], "FLOAT")
    joined = np.concatenate(list(read_blocks(path, rates[1], mono=False, block_seconds=block_seconds)), axis=1)
    whole = read(path, rates[1]).samples
    assert joined.shape == whole.shape == (channels, rates[1])
    np.testing.assert_allclose(joined, whole, atol=1e-5)


@pytest.mark.parametrize("channels", [2, 16])
def test_mono_is_the_mean_of_the_channels(tmp_path, channels: int):
    """Of more than two by the rule of their layout, where there is one: tests of the downmix."""
    samples = np.random.default_rng(1).uniform(-1, 1, (1000, channels))
    soundfile.write(tmp_path / "six.wav", samples, 8000, "DOUBLE")
    mono = read(tmp_path / "six.wav", mono=True).samples
    np.testing.assert_allclose(mono[0], samples.mean(axis=1), atol=1e-6)


@pytest.mark.parametrize(
    ("rate", "channels", "subtype"),
    [
        (44100, 1, "PCM_U8"),
        (44100, 2, "PCM_16"),
        (44100, 1, "PCM_24"),
        (44100, 1, "DOUBLE"),
        (192000, 2, "PCM_24"),
        (48000, 6, "PCM_16"),
        (8000, 1, "PCM_16"),
    ],
)
def test_a_tone_gives_the_same_mel_from_any_kind_of_file(tmp_path, rate, channels, subtype):
    """1 kHz, within half a decibel where it sounds (F17)."""
    path = tmp_path / "tone.wav"
    soundfile.write(path, np.repeat(tone(1, rate)[:, None], channels, axis=1), rate, subtype)
    config = MelConfig()
    ours = log_mel(read(path, 44100, mono=True).samples[0], config)[:, 20:-20]
    wanted = log_mel(tone(1, 44100), config)[:, 20:-20]
    loud = wanted > wanted.max() - math.log(10)  # the bands within 20 dB of the loudest
    decibels = 20 / math.log(10) * np.abs(ours[:, : wanted.shape[1]] - wanted[:, : ours.shape[1]])
    assert decibels[loud[:, : decibels.shape[1]]].max() < 0.5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not readable as sound"),
        (b"hello", "not readable"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not readable"),
    ],
)
def test_what_is_no_sound_is_the_inputs_fault(tmp_path, content, reason):
    path = tmp_path / "x.wav"
    path.write_bytes(content)
    with pytest.raises(InputError, match=reason) as caught:
        read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_empty_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.wav: No such file"):
        read_info(tmp_path / "gone.wav")
    soundfile.write(tmp_path / "header.wav", np.zeros((0, 1)), 8000)
    with pytest.raises(InputError, match=r"header\.wav: holds no samples"):
        read(tmp_path / "header.wav")


def test_an_audio_plays_in_a_notebook():
    html = Audio(tone(0.1, 8000)[None], 8000)._repr_html_()
    data = re.search(r'src="data:audio/wav;base64,([^"]+)"', html)
    assert data is not None
    assert base64.b64decode(data[1]).startswith(b"RIFF")


def test_audio_saves_and_knows_its_length(tmp_path):
    audio = Audio(tone(0.25, 8000)[None], 8000)
    audio.save(tmp_path / "a.flac", {"title": "A"})
    assert audio.seconds == 0.25
    np.testing.assert_allclose(read(tmp_path / "a.flac").samples, audio.samples, atol=1e-4)


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([[-32768, 0, 16384]], np.int16), [-1, 0, 0.5]),
        (np.array([[-(2**31), 0, 2**30]], np.int32), [-1, 0, 0.5]),
        (np.array([[0, 128, 192]], np.uint8), [-1, 0, 0.5]),
        (np.array([[-1, 0, 0.5]], np.float64), [-1, 0, 0.5]),
        (np.array([[-1, 0, 0.5]], np.float16), [-1, 0, 0.5]),
    ],
)
def test_integers_are_scaled_from_their_full_range(samples: np.ndarray, expected: list[float]):
    sound = Audio(samples, 8000)
    assert sound.samples.dtype in (np.float32, np.float64)
    np.testing.assert_array_equal(sound.samples, [expected])


@pytest.mark.parametrize(
    "samples", [np.zeros((1, 4), kind) for kind in (bool, np.uint16, complex, np.int64, object, "S1", "M8[s]")]
)
def test_what_is_no_sound_is_refused(samples: np.ndarray):
    with pytest.raises(InputError, match=f"samples is of {re.escape(str(samples.dtype))}"):
        Audio(samples, 8000)


@pytest.mark.parametrize("kind", [">f4", ">f8", np.longdouble])
def test_other_floats_become_the_usual_ones(kind: str):
    rate: Any = np.int32(8000)  # what other libraries give
    sound = Audio(np.array([[-1, 0, 0.5]], kind), rate)
    assert sound.samples.dtype in (np.dtype(np.float32), np.dtype(np.float64)) and type(sound.sample_rate) is int
    np.testing.assert_array_equal(sound.samples, [[-1, 0, 0.5]])


@pytest.mark.parametrize("rate", [0, 1, -8000, 8000.5, float("nan"), "8000", None, True, 10**9])
def test_a_rate_that_is_none_is_refused(rate: Any):
    with pytest.raises(InputError, match="^sample_rate is "):
        Audio(np.zeros((1, 4), np.float32), rate)


@pytest.mark.parametrize("shape", [(), (1, 2, 3), (65, 10)])
def test_samples_of_another_shape_are_refused(shape: tuple[int, ...]):
    with pytest.raises(InputError, match="of shape"):
        Audio(np.zeros(shape, np.float32), 8000)


def test_numpy_reads_the_very_samples_and_one_row_is_one_channel():
    samples = tone(0.1, 8000)
    audio = Audio(samples, 8000)
    assert np.asarray(audio) is audio.samples and audio.samples.shape == (1, 800)
    assert np.array(audio).base is None and np.asarray(audio, np.float64).dtype == np.float64


@pytest.mark.parametrize("ending", ["wav", ".flac", "ogg"])
def test_an_open_file_gets_what_a_path_does(ending: str, tmp_path: Path):
    audio = Audio(tone(0.2, 8000), 8000)
    audio.save(path := tmp_path / f"a.{ending.removeprefix('.')}")
    with io.BytesIO() as file:
        audio.save(file, format=ending)
        assert file.getvalue() == path.read_bytes()
    with pytest.raises(InputError, match="format"):
        audio.save(path, format=ending)


def test_a_notebook_holds_a_long_piece_compressed_and_its_beginning_at_most(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(file_io, "MOST_SHOWN_SECONDS", 20.0)
    html = Audio(np.tile(tone(1, 44100), (1, 30)), 44100)._repr_html_()
    sound = base64.b64decode(html.split("base64,")[1].split('"')[0])
    info = soundfile.info(io.BytesIO(sound))
    assert info.format == "MP3" and 20 <= info.duration < 20.2 and "20 of 30.0 s" in html
    assert len(html) < 20 * 44100
