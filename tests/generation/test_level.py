"""How loud a model is, and music as loud as was asked for."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.audio.limiter import GAIN, KNEE
from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.generation.level import MEASURED_SECONDS, gain_for, measured_loudness


def test_the_gain_is_the_difference_in_decibels():
    assert gain_for(None, -20.0) == GAIN
    assert gain_for(-20.0, -20.0) == GAIN
    assert gain_for(-14.0, -20.0) == pytest.approx(GAIN * 10 ** (6 / 20))


def test_a_tone_is_heard_as_loud_as_the_standard_says():
    """BS.1770-4: 997 Hz at full scale reads -3.01 LUFS; here 12 dB lower, 3 of them the limiter's."""
    samples = (KNEE / 10 ** (11 / 20) * np.sin(2 * np.pi * 997 * np.arange(44100 * 30) / 44100)).astype(np.float32)
    blocks = iter(np.split(samples[None], 30, axis=1))
    assert measured_loudness(blocks, MelConfig()) == pytest.approx(-3.01 - 15, abs=0.05)
    assert len(list(blocks)) == 30 - MEASURED_SECONDS


@pytest.mark.parametrize("asked", [-40.0, -30.0])
def test_music_and_loops_are_as_loud_as_was_asked_for(asked: float, tiny_model: Path):
    """Its limiter bends nothing so low, so that one gain is all there is."""
    model = halfstep.load(tiny_model)
    gain = 10 ** ((asked - model.loudness) / 20)
    for loop in (False, True):
        usual, other = (model.generate(1, seed=2, loop=loop, loudness=level) for level in (None, asked))
        np.testing.assert_allclose(other.samples, usual.samples * gain, rtol=1e-3, atol=1e-5)
    streamed = next(model.stream(2, loudness=asked))
    np.testing.assert_array_equal(streamed.samples, model.generate(1, seed=2, loudness=asked).samples)


def test_what_the_model_states_is_believed(write_model: Callable[..., Path], tmp_path: Path):
    model = halfstep.load(write_model(tmp_path / "stated", measured={"loudness_lufs": -25}))
    assert model.loudness == -25
    assert math.isfinite(halfstep.load(write_model(tmp_path / "silent", measured={"loudness_lufs": "loud"})).loudness)


def test_a_recording_keeps_its_level(tiny_model: Path):
    with pytest.raises(InputError, match="loudness"):
        halfstep.load(tiny_model).generate(1, context=np.ones(8000) / 9, loudness=-20)
