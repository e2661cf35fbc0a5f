"""Tuning, held share, pitch classes, pulse and decay on sounds whose answers are known."""

import numpy as np
import pytest

from halfstep.metrics.music import music_figures
from halfstep.metrics.partials import find_peaks, next_of
from halfstep.metrics.pitch_classes import UNIFORM_BITS, pitch_class_entropy

RATE = 22050
SECONDS = 12


def tones(hz, seconds=SECONDS, rate=RATE, db_per_second=0.0, seed=0):
    """Partials [n] at `hz`, one or a function of time each, of random phase."""
    t = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(seed)
    parts = [np.sin(2 * np.pi * (np.cumsum(np.broadcast_to(f, t.shape)) / rate + rng.random())) for f in hz]
    return (0.1 * np.sum(parts, axis=0) * 10 ** (db_per_second * t / 20)).astype(np.float32)


def semitones(steps, cents=0.0):
    return [440 * 2 ** ((step + cents / 100) / 12) for step in steps]


def clicks(seconds_apart, count=48, rate=RATE, seed=0):
    """Bursts of noise, decaying, one after each of `seconds_apart`."""
    rng = np.random.default_rng(seed)
    starts = np.cumsum(np.broadcast_to(seconds_apart, count))
    samples = np.zeros(round((starts[-1] + 0.5) * rate), np.float32)
    size = round(0.05 * rate)
    for start in starts:
        at = round(start * rate)
        samples[at : at + size] += rng.standard_normal(size) * np.exp(-np.arange(size) / (0.01 * rate))
    return samples


def noise(seconds=SECONDS, rate=RATE):
    return np.random.default_rng(0).standard_normal(round(seconds * rate)).astype(np.float32)


@pytest.mark.parametrize("cents", [0, 20, -30])
@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
def test_tempered_chord_is_in_tune_at_its_own_reference(cents, rate):
    result = music_figures(tones(semitones([-12, -5, 4, 11], cents), rate=rate), rate)
    assert result["tuning"] > 0.99
    assert result["reference_cents"] == pytest.approx(cents, abs=1)


def test_quarter_tones_cancel():
    """As many peaks on the grid as half way between: a mean vector of 0."""
    result = music_figures(tones(semitones([-12, -5]) + semitones([4, 11], 50)), RATE)
    assert result["tuning"] == pytest.approx(0, abs=0.02)


def test_thirds_of_a_semitone_cancel_but_for_one():
    """Peaks at 0, 1/3 and 2/3 cancel; another at 0 leaves a quarter."""
    hz = semitones([-12, -5]) + semitones([3], 100 / 3) + semitones([10], 200 / 3)
    assert music_figures(tones(hz), RATE)["tuning"] == pytest.approx(0.25, abs=0.02)


def test_noise_has_neither_tuning_nor_held_notes_nor_key_nor_pulse():
    result = music_figures(noise(60), RATE)
    assert result["tuning"] < 0.05
    assert result["held_share"] < 0.1
    assert result["pitch_class_entropy"] == pytest.approx(UNIFORM_BITS, abs=0.06)
    assert result["pulse"] < 0.2


@pytest.mark.parametrize(("classes", "bits"), [([0], 0), ([0, 4], 1), ([0, 3, 6, 9], 2), (range(12), UNIFORM_BITS)])
def test_equal_classes_have_the_logarithm_of_their_number(classes, bits):
    result = music_figures(tones(semitones(np.array(list(classes)) - 2)), RATE)
    assert result["pitch_class_entropy"] == pytest.approx(bits, abs=0.02)


def test_entropy_is_the_mean_of_sections_not_that_of_all():
    """A minute that goes from one class to another has one class at a time."""
    samples = np.concatenate([tones(semitones([step]), seconds=10) for step in (0, 3, 6)])
    assert music_figures(samples, RATE)["pitch_class_entropy"] < 0.1
    assert pitch_class_entropy(find_peaks(samples[: 10 * RATE], RATE)) < 0.01


def test_still_partials_are_held_and_gliding_ones_are_not():
    t = np.arange(SECONDS * RATE) / RATE
    glide = [f * 2 ** (t * 2 / 12) for f in (150, 220, 330)]  # 50 cents in a quarter of a second
    assert music_figures(tones(semitones([-12, 0, 7])), RATE)["held_share"] > 0.99
    assert music_figures(tones(glide), RATE)["held_share"] == 0


@pytest.mark.parametrize(("cents", "held"), [(5, 1), (60, 0)])
def test_wide_vibrato_is_not_held_and_narrow_is(cents, held):
    t = np.arange(SECONDS * RATE) / RATE
    waver = [f * 2 ** (cents * np.sin(2 * np.pi * 3 * t) / 1200) for f in (440, 660)]
    assert music_figures(tones(waver), RATE)["held_share"] == pytest.approx(held, abs=0.02)


@pytest.mark.parametrize(("db_per_second", "abs_db"), [(0, 0.05), (-3, 0.1), (-12, 0.1), (6, 0.1)])
def test_partials_decay_at_their_rate(db_per_second, abs_db):
    """Four seconds: the ear would call 48 dB silence, and so does the 60 dB of a peak's range."""
    result = music_figures(tones(semitones([-12, 0, 7]), seconds=4, db_per_second=db_per_second), RATE)
    assert result["decay_db_per_second"] == pytest.approx(db_per_second, abs=abs_db)


def test_decay_is_the_loud_partials():
    """Median by energy: one loud partial that decays outweighs many soft ones that do not."""
    loud = tones(semitones([0]), seconds=2, db_per_second=-10)
    soft = 0.1 * tones(semitones([-12, 7, 16]), seconds=2)
    assert music_figures(loud + soft, RATE)["decay_db_per_second"] == pytest.approx(-10, abs=0.5)


@pytest.mark.parametrize("apart", [0.3, 0.5, 1.0])
def test_even_clicks_have_a_pulse(apart):
    assert music_figures(clicks(apart, round(30 / apart)), RATE)["pulse"] > 0.9


def test_uneven_clicks_have_none():
    uneven = clicks(np.random.default_rng(1).uniform(0.2, 1.5, 48))
    assert music_figures(uneven, RATE)["pulse"] < 0.35


def test_clicks_slower_than_two_seconds_are_no_pulse():
    assert music_figures(clicks(3.1, 10), RATE)["pulse"] < 0.1


def test_steady_tone_has_no_onsets():
    assert music_figures(tones([440]), RATE)["pulse"] == 0


def test_level_does_not_matter():
    chord = tones(semitones([-12, 0, 7]), db_per_second=-3) + 0.3 * clicks(0.5, 23)[: SECONDS * RATE]
    loud, soft = (music_figures(gain * chord, RATE) for gain in (np.float32(1), np.float32(0.01)))
    for name, value in loud.items():
        assert soft[name] == pytest.approx(value, abs=0.02), name


@pytest.mark.parametrize("size", [0, 100, RATE])
def test_silence_has_no_music(size):
    result = music_figures(np.zeros(size, np.float32), RATE)
    assert all(np.isnan(value) for value in result.values())


def test_stereo_is_refused():
    with pytest.raises(ValueError, match="mono"):
        music_figures(np.zeros((2, 100), np.float32), RATE)


def test_peaks_are_where_the_partials_are():
    hz = np.array([123.4, 250.0, 617.0, 1803.0])
    peaks = find_peaks(tones(hz, seconds=2), RATE)
    assert len(peaks) == 4 * (peaks.frame.max() + 1)
    result = 440 * 2 ** (peaks.cents / 1200)
    np.testing.assert_allclose(1200 * np.log2(result.reshape(-1, 4) / hz), 0, atol=3)
    np.testing.assert_allclose(peaks.magnitude, 0.1, rtol=0.05)


def test_peaks_30_db_down_and_outside_110_to_2000_hz_are_left_out():
    samples = tones([440]) + 10 ** (-25 / 20) * tones([600]) + 10 ** (-35 / 20) * tones([800]) + tones([60, 3000])
    peaks = find_peaks(samples, RATE)
    result = 440 * 2 ** (peaks.cents / 1200)
    assert set(np.round(result / 10) * 10) == {440, 600}


def test_next_is_the_same_partial():
    peaks = find_peaks(tones(semitones([0, 5]), seconds=1), RATE)
    after = next_of(peaks, 20)
    going_on = after >= 0
    assert going_on.sum() == len(peaks) - 2
    np.testing.assert_array_equal(peaks.frame[after[going_on]], peaks.frame[going_on] + 1)
    np.testing.assert_allclose(peaks.cents[after[going_on]], peaks.cents[going_on], atol=5)
