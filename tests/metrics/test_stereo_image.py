import numpy as np
import pytest

from halfstep.metrics.stereo_image import judge_stereo, level_and_coherence, measure_stereo, moved

RATE = 22050


def noise(seed: int, seconds: float = 2.0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def means(pair: np.ndarray) -> tuple[float, float]:
    level, coherence, weights = level_and_coherence(pair, RATE)
    return float((weights * level).sum()), float((weights * coherence).sum())


@pytest.mark.parametrize("decibels", [-25, -6, 0, 3, 12])
def test_a_panned_sound_has_its_level_and_is_coherent(decibels):
    sound = noise(0)
    pair = np.stack([sound * np.float32(10 ** (decibels / 20)), sound])
    np.testing.assert_allclose(means(pair), (decibels, 1), atol=1e-3)


def test_independent_noise_has_no_coherence_and_no_side():
    level, coherence = means(np.stack([noise(0, 8), noise(1, 8)]))
    assert abs(level) < 0.3
    assert abs(coherence) < 0.03


@pytest.mark.parametrize("shared", [0.3, 0.7])
def test_coherence_is_the_share_that_two_channels_have_in_common(shared):
    """x + y and x + z of powers s and 1 - s: the coherence is s, and estimates of few values come out a little less."""
    common = np.sqrt(shared) * noise(0, 8)
    pair = np.stack([common + np.sqrt(1 - shared) * noise(seed, 8) for seed in (1, 2)]).astype(np.float32)
    assert means(pair)[1] == pytest.approx(shared, abs=0.05)


def test_out_of_phase_is_minus_one_and_swapped_channels_turn_the_level():
    sound = noise(0)
    assert means(np.stack([sound, -sound])) == pytest.approx((0, -1), abs=1e-3)
    pair = np.stack([noise(1), 3 * noise(2) + sound])
    (level, coherence), (turned, same) = means(pair), means(pair[::-1])
    assert turned == pytest.approx(-level, abs=1e-6)
    assert same == pytest.approx(coherence, abs=1e-6)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 32000, 44100, 48000, 96000])
def test_every_rate_has_its_frames(rate):
    level, _, weights = level_and_coherence(np.stack([2 * noise(0, 0.5), noise(0, 0.5)]), rate)
    assert float((weights * level).sum()) == pytest.approx(6.02, abs=0.01)


def test_distributions_are_as_far_apart_as_they_are_moved():
    """A histogram five bins of .5 further is 2.5 away; itself is nowhere."""
    one = np.array([0, 1, 2, 1, 0, 0, 0, 0, 0, 0.0])
    assert moved(one, np.roll(one, 5), 0.5) == pytest.approx(2.5)
    assert moved(one, 7 * one, 0.5) == pytest.approx(0)
    assert np.isnan(moved(one, 0 * one, 0.5))


def test_narrower_music_is_judged_so_and_silence_has_no_image():
    wide = np.stack([[noise(2 * k), noise(2 * k + 1)] for k in range(4)])
    sounds = np.stack([wide[:, 0], wide[:, 0] * np.float32(10 ** (-12 / 20))], axis=1)  # panned 12 dB to the left
    figures = judge_stereo(measure_stereo(sounds, RATE), measure_stereo(wide, RATE))
    assert figures["level_difference_db"].value == pytest.approx(12, abs=0.01)
    assert figures["coherence"].value == pytest.approx(1, abs=1e-3)
    assert figures["coherence_distance"].value == pytest.approx(1, abs=0.05)
    assert figures["level_distance_db"].value == pytest.approx(12, abs=1)  # a bin
    itself = judge_stereo(measure_stereo(wide, RATE), measure_stereo(wide, RATE))
    assert itself["level_distance_db"].value == itself["coherence_distance"].value == 0
    silent = measure_stereo(np.zeros((2, 2, RATE), np.float32), RATE)
    assert np.isnan(judge_stereo(silent, None)["coherence"].value)
    assert np.isnan(judge_stereo(silent, measure_stereo(wide, RATE))["level_distance_db"].value)
