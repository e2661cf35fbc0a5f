"""What is measured of a window's bands: known tempi, keys, densities and levels."""

import numpy as np
import pytest

from halfstep.audio.chroma import hz_of, key_of
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.measured import MEASURES, density, key, loudness, tempo
from halfstep.data.synthetic import pluck

RATE = 22050
MEL = MelConfig(sample_rate=RATE)
PITCHED = MelConfig(sample_rate=RATE, n_fft=4096, window_length=4096, n_mels=192, spacing="log", fmin_hz=30.0)


def struck(seconds: float, every: float, pitches: tuple[int, ...] = (57,)) -> np.ndarray:
    """A string every so many seconds, the pitches in turn."""
    out = np.zeros(round(seconds * RATE) + 2 * RATE)
    for number in range(int(seconds / every)):
        note, start = pluck(hz_of(pitches[number % len(pitches)]), 0.7, RATE), round(number * every * RATE)
        out[start : start + len(note)] += note
    return (0.3 * out[: round(seconds * RATE)]).astype(np.float32)


@pytest.mark.parametrize("bpm", [70, 96, 140])
def test_a_beat_has_its_tempo_and_its_density(bpm: int):
    bands = log_mel(struck(8, 60 / bpm), MEL)
    assert tempo(bands, MEL) == pytest.approx(bpm, rel=0.03)
    assert density(bands, MEL) == pytest.approx((int(8 * bpm / 60) - 1) / 8, rel=0.1)  # the first one has no rise


def test_what_is_steady_has_neither():
    bands = np.full((128, 300), -3, np.float32)
    assert np.isnan(tempo(bands, MEL))
    assert density(bands, MEL) == 0


@pytest.mark.parametrize(
    ("pitches", "name"), [((57, 61, 64, 69), "A"), ((60, 63, 67, 72), "Cm"), ((55, 59, 62, 67), "G")]
)
def test_a_broken_chord_has_its_key(pitches: tuple[int, ...], name: str):
    assert key(log_mel(struck(4, 0.25, pitches), PITCHED), PITCHED) == name


def test_all_pitch_classes_alike_are_no_key():
    assert key_of(np.ones(12)) == ""


def test_loudness_rises_with_the_gain_and_is_near_the_standards():
    noise = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32) * 0.05
    quiet, loud = (loudness(log_mel(gain * noise, MEL), MEL) for gain in (1.0, 4.0))
    assert loud - quiet == pytest.approx(20 * np.log10(4), abs=0.1)
    assert quiet == pytest.approx(20 * np.log10(0.05), abs=4)


def test_every_measure_says_what_it_is_of():
    assert {name for name, one in MEASURES.items() if one.unit is None} == {"key"}
