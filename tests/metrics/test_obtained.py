"""Judges of what was asked for, on sounds of which it is known."""

import numpy as np
import pytest

from halfstep.metrics.obtained import LABELS, NUMBERS

RATE = 16000


def struck(beats_a_minute: float, pitches: tuple[int, ...], seconds: float = 8.0) -> np.ndarray:
    """Chords of decaying sines, pitches as MIDI numbers, one a beat."""
    times = np.arange(round(seconds * RATE)) / RATE
    since = times % (60 / beats_a_minute)
    tones = sum(np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * times) for pitch in pitches)
    return (0.1 * tones * np.exp(-8 * since)).astype(np.float32)


@pytest.mark.parametrize("bpm", [72.0, 100.0, 133.0])
def test_a_pulse_has_its_tempo_and_density(bpm: float):
    samples = struck(bpm, (57, 64))
    assert NUMBERS["tempo"](samples, RATE) == pytest.approx(bpm, rel=0.02)
    assert NUMBERS["density"](samples, RATE) == pytest.approx(bpm / 60, rel=0.15)


@pytest.mark.parametrize(("pitches", "key"), [((60, 64, 67), "C"), ((57, 60, 64), "Am"), ((63, 67, 70), "Eb")])
def test_a_chord_is_in_its_key(pitches: tuple[int, ...], key: str):
    assert LABELS["key"](struck(120, pitches), RATE) == key


def test_silence_has_nothing_and_a_sine_its_loudness():
    silence, times = np.zeros(2 * RATE, np.float32), np.arange(2 * RATE) / RATE
    assert LABELS["key"](silence, RATE) == ""
    assert not np.isfinite([NUMBERS[name](silence, RATE) for name in ("tempo", "loudness_like")]).any()
    sine = (0.1 * np.sin(2 * np.pi * 997 * times)).astype(np.float32)
    assert NUMBERS["loudness_like"](sine, RATE) == pytest.approx(-23.0, abs=0.1)
