"""Sound in memory: what becomes of an array, and what a file or a notebook gets of it."""

import base64
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from halfstep.audio.files import sound as under_test
from halfstep.audio.files.io import read
from halfstep.audio.files.sound import Audio
from halfstep.errors import InputError


def tone(seconds: float, rate: int) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * 1000 * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


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
    monkeypatch.setattr(under_test, "MOST_SHOWN_SECONDS", 20.0)
    html = Audio(np.tile(tone(1, 44100), (1, 30)), 44100)._repr_html_()
    sound = base64.b64decode(html.split("base64,")[1].split('"')[0])
    info = soundfile.info(io.BytesIO(sound))
    assert info.format == "MP3" and 20 <= info.duration < 20.2 and "20 of 30.0 s" in html
    assert len(html) < 20 * 44100
