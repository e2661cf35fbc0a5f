"""From one sound to another: it begins and ends as they do, and never falls silent between."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.audio.joining import joined

RATE = 16000


def tone(count: int, hertz: float = 440.0, phase: float = 0.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(count) / RATE + phase)).astype(np.float32)


def noise(count: int, seed: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


@given(count=st.integers(0, 9000))
def test_it_is_as_long_and_has_both_ends(count: int):
    """A sixth at either end, which frames that are all of one sound reach, is that sound itself."""
    left, right = noise(count, 0), noise(count, 1)
    mixed = joined(left, right)
    assert mixed.shape == (count,) and mixed.dtype == np.float32
    assert np.isfinite(mixed).all()
    if count >= 24:
        edge = count // 6
        np.testing.assert_allclose(mixed[:edge], left[:edge], atol=1e-4)
        np.testing.assert_allclose(mixed[count - edge :], right[count - edge :], atol=1e-4)


def test_a_sound_joined_to_itself_is_itself():
    np.testing.assert_allclose(joined(noise(12288, 3), noise(12288, 3)), noise(12288, 3), atol=1e-4)


@pytest.mark.parametrize("phase", [0.5, 1.5, 3.0])
def test_tones_out_of_phase_keep_their_level(phase: float):
    """A cross-fade of opposite phases falls silent half-way."""
    mixed = joined(tone(12288), tone(12288, phase=phase))
    levels = np.sqrt(np.mean(np.square(mixed[: 12 * 1000].reshape(12, 1000)), axis=1))
    assert levels.min() > 0.9 * levels.max()


def test_noises_keep_their_level():
    levels = np.mean([np.square(joined(noise(12288, a), noise(12288, a + 50))) for a in range(20)], axis=0)
    levels = np.sqrt(levels.reshape(12, 1024).mean(axis=1))
    assert levels.min() > 0.8 * levels.max()


def test_two_levels_pass_into_each_other():
    mixed = joined(tone(12288), 4 * tone(12288))
    levels = np.abs(mixed).reshape(12, 1024).max(axis=1)
    assert (np.diff(levels) > -0.02).all()


def test_the_passage_lies_in_the_middle():
    """From power 1 to .01: what is lacking just before half-way is there just after it, within a tenth."""
    left = (np.sqrt(2) * np.sin(2 * np.pi * 16.3 / 512 * np.arange(6144))).astype(np.float32)
    power = np.square(joined(left, left / 10)).reshape(12, 512).mean(axis=1)
    assert 0.8 < power[5] + power[6] < 1.1
    assert power[4] > 0.95 and power[7] < 0.02


def test_silence_passes_into_a_tone_and_back():
    silence, sound = np.zeros(12288, np.float32), tone(12288)
    with np.errstate(all="raise", under="ignore"):
        risen, fallen = joined(silence, sound), joined(sound, silence)
    for mixed, quiet, loud in ((risen, slice(0, 2048), slice(-1024, None)), (fallen, slice(-2048, None), slice(1024))):
        assert np.isfinite(mixed).all()
        assert np.abs(mixed[quiet]).max() < 1e-3
        np.testing.assert_allclose(mixed[loud], sound[loud], atol=1e-6)
    np.testing.assert_array_equal(joined(silence, silence), silence)
