"""How loud a model is, and music as loud as was asked for."""

import math
import warnings
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pyloudnorm's, of its own dependencies
    import pyloudnorm

import halfstep
from halfstep.audio.limiter import CEILING, GAIN, KNEE
from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.generation.level import MEASURED_SECONDS, gain_for, measured_loudness


def test_a_tone_is_heard_as_loud_as_the_standard_says():
    """BS.1770-4: 997 Hz at full scale reads -3.01 LUFS; here 12 dB lower, 3 of them the limiter's."""
    samples = (KNEE / 10 ** (11 / 20) * np.sin(2 * np.pi * 997 * np.arange(44100 * 30) / 44100)).astype(np.float32)
    blocks = iter(np.split(samples[None], 30, axis=1))
    assert measured_loudness(blocks, MelConfig()) == pytest.approx(-3.01 - 15, abs=0.05)
    assert len(list(blocks)) == 30 - MEASURED_SECONDS


@pytest.mark.parametrize("asked", [-40.0, -12.0])
@pytest.mark.parametrize("loop", [False, True])
def test_music_and_loops_are_as_loud_as_was_asked_for(asked: float, loop: bool, tiny_model: Path):
    """By another meter, whatever the limiter bends of the louder one."""
    sound = halfstep.load(tiny_model).generate(3, seed=2, loop=loop, loudness=asked)
    sounding = pyloudnorm.Meter(sound.sample_rate).integrated_loudness(sound.samples[0].astype(np.float64))
    assert sounding == pytest.approx(asked, abs=0.3)  # at 8 kHz the two meters are .2 apart
    assert np.abs(sound.samples).max() <= CEILING


def test_a_stream_has_the_gain_of_its_beginning_wherever_it_is_begun(tiny_model: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("halfstep.generation.level.LEVELLED_SECONDS", 3.0)
    model = halfstep.load(tiny_model)
    usual, louder = (
        np.concatenate([block.samples for block in islice(model.stream(2, loudness=level), 5)], axis=1)
        for level in (None, -40.0)
    )
    gain = float(louder.std() / usual.std())
    np.testing.assert_allclose(louder, usual * gain, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(louder, model.generate(5, seed=2, loudness=-40.0).samples)
    later = next(model.stream(2, loudness=-40.0, start=4)).samples
    np.testing.assert_allclose(later, next(model.stream(2, start=4)).samples * gain, rtol=1e-4, atol=1e-6)


def test_silence_is_left_as_it_is():
    assert gain_for(-16.0, [np.zeros((1, 44100), np.float32)], MelConfig()) == GAIN


def test_what_the_model_states_is_believed(write_model: Callable[..., Path], tmp_path: Path):
    model = halfstep.load(write_model(tmp_path / "stated", measured={"loudness_lufs": -25}))
    assert model.loudness == -25
    assert math.isfinite(halfstep.load(write_model(tmp_path / "silent", measured={"loudness_lufs": "loud"})).loudness)


def test_a_recording_keeps_its_level(tiny_model: Path):
    with pytest.raises(InputError, match="loudness"):
        halfstep.load(tiny_model).generate(1, context=np.ones(8000) / 9, loudness=-20)
