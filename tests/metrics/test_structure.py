"""What is left of a recording's structure: 1 of itself, nothing of another, whatever else was done to it."""

import numpy as np
import pytest

from halfstep.metrics.structure import chroma, contour_correlation, onset_correlation

RATE = 22050


def tune(onsets: np.ndarray, notes: np.ndarray, decay: float = 4.0) -> np.ndarray:
    """Sines that set in at `onsets` seconds, notes in semitones above 220 Hz; 6 s."""
    t = np.arange(6 * RATE) / RATE
    out = np.zeros(6 * RATE)
    for onset, note in zip(onsets, notes, strict=True):
        held = np.maximum(t - onset, 0)
        out += (t >= onset) * np.exp(-decay * held) * np.sin(2 * np.pi * 220 * 2 ** (note / 12) * held)
    return (0.2 * out).astype(np.float32)


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(0.2, 5.8, 20)), rng.integers(0, 24, 20)


def test_a_recording_keeps_all_of_itself_and_nothing_of_another():
    one, other = tune(*drawn(0)), tune(*drawn(1))
    for measure in (onset_correlation, contour_correlation):
        assert measure(one, one, RATE) == pytest.approx(1)
        assert measure(one, 0.1 * one, RATE) > 0.95  # no level
        assert abs(measure(one, other, RATE)) < 0.25


def test_other_notes_at_the_same_times_keep_the_onsets_alone_and_octaves_keep_the_contour():
    times, notes = drawn(0)
    one = tune(times, notes)
    moved = tune(times, np.random.default_rng(2).permutation(notes))
    assert onset_correlation(one, moved, RATE) > 0.8
    assert contour_correlation(one, moved, RATE) < 0.4
    assert contour_correlation(one, tune(times, notes + 12), RATE) > 0.8


def test_pitch_classes_are_counted_from_a_and_silence_has_none():
    sounding = chroma(tune(np.array([0.5]), np.array([4])), RATE).sum(axis=0)
    assert np.argmax(sounding) == 4
    silence = np.zeros(6 * RATE, np.float32)
    assert np.isnan(contour_correlation(silence, silence, RATE))
    assert np.isnan(onset_correlation(silence, silence, RATE))
