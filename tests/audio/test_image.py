from dataclasses import replace

import numpy as np
import pytest

from halfstep.audio.image import (
    LEAST_SPREAD,
    MOST_LEVEL,
    MOST_SPREAD,
    RowsStream,
    between_bands,
    image_config,
    mid_of,
    rows_of,
    side_gains,
)
from halfstep.audio.mel import MelConfig, log_mel

MEL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=40, image_bands=8)


def noise(seed: int, count: int = 16000) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(count)).astype(np.float32)


def test_rows_are_the_bands_of_the_mid_and_two_for_each_band_of_the_image():
    pair = np.stack([noise(0), noise(1)])
    rows = rows_of(pair, MEL)
    assert rows.shape == (MEL.rows, 125)
    assert MEL.rows == 56
    np.testing.assert_array_equal(rows[:40], log_mel(mid_of(pair), MEL.mid))


def test_one_channel_has_the_rows_of_its_bands_alone():
    np.testing.assert_array_equal(rows_of(noise(0)[None], MEL.mid), log_mel(noise(0), MEL.mid))


@pytest.mark.parametrize("decibels", [-40, -12, 0, 6])
def test_a_panned_sound_has_its_level_and_no_spread(decibels):
    """In nepers, and at most MOST_LEVEL."""
    pair = np.stack([noise(0), noise(0) / np.float32(10 ** (decibels / 20))])
    level, spread = np.split(rows_of(pair, MEL)[MEL.n_mels :], 2)
    np.testing.assert_allclose(level, np.clip(decibels / 20 * np.log(10), -MOST_LEVEL, MOST_LEVEL), atol=1e-3)
    np.testing.assert_allclose(spread, LEAST_SPREAD, atol=1e-3)


def test_silence_and_one_sound_in_both_channels_have_the_same_image():
    silent, same = (rows_of(np.stack([sound, sound]), MEL)[MEL.n_mels :] for sound in (0 * noise(0), noise(0)))
    np.testing.assert_allclose(silent, same, atol=1e-3)


def test_swapped_channels_turn_the_level_and_leave_the_rest():
    pair = np.stack([noise(0), 2 * noise(1) + noise(0)])
    rows, turned = rows_of(pair, MEL), rows_of(pair[::-1], MEL)
    np.testing.assert_allclose(np.split(turned, [40, 48])[1], -np.split(rows, [40, 48])[1], atol=1e-4)
    np.testing.assert_allclose(np.split(turned, [40, 48])[2], np.split(rows, [40, 48])[2], atol=1e-4)


def test_rows_of_blocks_are_those_of_the_whole():
    pair = np.stack([noise(0), noise(1)])
    stream = RowsStream(MEL)
    parts = [stream.push(pair[:, at : at + 777]) for at in range(0, 16000, 777)]
    np.testing.assert_allclose(np.concatenate([*parts, stream.finish()], axis=1), rows_of(pair, MEL), atol=1e-4)


def test_gains_give_level_and_coherence_back():
    """mid + side and mid - side, of a mid and something else of power 1, have the image that was asked for."""
    level, spread = np.meshgrid(np.linspace(-MOST_LEVEL, MOST_LEVEL, 9), np.linspace(LEAST_SPREAD, MOST_SPREAD, 9))
    predicted, apart = side_gains(np.stack([level.ravel(), spread.ravel()]).astype(np.float32))
    left, right = (1 + predicted) ** 2 + apart**2, (1 - predicted) ** 2 + apart**2
    coherence = (1 - predicted**2 - apart**2) / np.sqrt(left * right)
    np.testing.assert_allclose(0.5 * np.log(left / right)[0], level.ravel(), atol=1e-4)
    np.testing.assert_allclose(coherence[0], -np.tanh(spread.ravel()), atol=1e-4)


def test_gains_between_bands_sum_to_one():
    weights = between_bands(image_config(MEL))
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)
    assert weights[0, 0] == weights[-1, -1] == 1


@pytest.mark.parametrize("bands", [-1, 41, 65])
def test_an_image_has_at_most_as_many_bands_as_the_mid(bands):
    with pytest.raises(ValueError, match=f"image_bands is {bands}"):
        replace(MEL, image_bands=bands)
