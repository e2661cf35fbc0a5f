"""Pitch classes of log bands: of sines, whose class is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pitched_bands import PITCH

from halfstep.audio.chroma import CLASSES, chroma, holds_pitch, hz_of
from halfstep.audio.mel import MelConfig, band_edges_hz, log_mel


def sine(hz: float, seconds: float = 0.5) -> np.ndarray:
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(round(seconds * 8000)) / 8000)).astype(np.float32)


def shares(samples: np.ndarray) -> np.ndarray:
    """Of the middle frame, 1 together."""
    classes = chroma(log_mel(samples, PITCH), PITCH)
    middle = classes[:, classes.shape[1] // 2]
    return middle / middle.sum()


@settings(max_examples=25)
@given(note=st.integers(48, 90))
def test_a_sine_sounds_in_its_class_and_no_other(note: int):
    """From 131 to 1480 Hz."""
    assert shares(sine(hz_of(note)))[(note - 69) % CLASSES] > 0.85


def test_the_a_above_middle_c_is_the_first_class():
    assert hz_of(69) == 440
    assert shares(sine(440.0))[0] == pytest.approx(1, abs=0.03)


def test_a_pitch_between_two_classes_is_half_of_each():
    np.testing.assert_allclose(shares(sine(hz_of(69.5)))[:2], 0.5, atol=0.06)


def test_how_loud_it_is_makes_no_difference_and_silence_has_no_class():
    loud = shares(sine(330.0))
    np.testing.assert_allclose(shares(sine(330.0) / 50), loud, atol=0.02)
    assert not chroma(log_mel(np.zeros(4000, np.float32), PITCH), PITCH).any()


def test_pitch_is_held_by_bands_nearer_than_semitones():
    assert holds_pitch(PITCH)
    assert not holds_pitch(MelConfig())


def test_a_peak_at_any_band_in_between_is_one_class_in_all():
    sums = []
    for band in range(1, PITCH.n_mels - 1):
        levels = np.full((PITCH.n_mels, 1), -10.0)
        levels[band - 1 : band + 2, 0] = (-1, 0, -1)
        sums.append(chroma(levels, PITCH).sum())
    assert set(np.round(sums, 9)) == {0.0, 1.0}
    centres = band_edges_hz(PITCH)[2:-2]
    assert [one > 0.5 for one in sums] == [100 <= hz < 2000 for hz in centres]
