import math

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.files.io import read, read_blocks, read_info
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
