"""Many channels to one: levels by the standard, and nothing lost to channels out of phase."""

import math

import numpy as np
import pytest

from halfstep.audio.downmix import in_phase, mix_weights, paired, with_channels

DB_3 = math.sqrt(0.5)


@pytest.mark.parametrize("channels", range(1, 33))
def test_what_all_channels_share_keeps_its_level(channels: int):
    assert mix_weights(channels).sum() == pytest.approx(1)


@pytest.mark.parametrize("channels", [5, 6, 8])
def test_surround_is_mixed_by_bs_775(channels: int):
    """Front 1, centre 1 and surround .7071 in either of two channels at -3 dB, so in their sum: 1, 1.4142, .7071."""
    weights = mix_weights(channels) / mix_weights(channels)[0]
    assert weights[:3] == pytest.approx([1, 1, 2 * DB_3])
    assert weights[-2:] == pytest.approx([DB_3, DB_3])
    if channels > 5:
        assert weights[3] == 0  # low-frequency effects are left out


def test_stereo_is_the_mean_of_both():
    np.testing.assert_array_equal(mix_weights(2), [0.5, 0.5])


@pytest.mark.parametrize("right", [-1.0, -0.99, -0.7])
def test_channels_out_of_phase_do_not_cancel(right: float):
    music = np.random.default_rng(0).standard_normal(1000)
    channels = np.stack([music, right * music])
    weights = in_phase(mix_weights(2), channels @ channels.T / 1000)
    assert np.std(weights @ channels) == pytest.approx((1 - right) / 2 * np.std(music))


@pytest.mark.parametrize("correlation", [1.0, 0.5, 0.0, -0.5])
def test_what_does_not_cancel_is_mixed_as_it_is(correlation: float):
    covariance = np.array([[1.0, correlation], [correlation, 1.0]])
    np.testing.assert_array_equal(in_phase(mix_weights(2), covariance), [0.5, 0.5])


def test_other_channels_have_the_mix_in_each_and_the_same_stay_as_they_are():
    stereo = np.array([[1, 0.5], [0, 0.5]], np.float32)
    assert with_channels(stereo, 2) is stereo
    np.testing.assert_array_equal(with_channels(stereo, 1), [[0.5, 0.5]])
    np.testing.assert_array_equal(with_channels(stereo[:1], 3), [[1, 0.5]] * 3)
    surround = np.zeros((6, 1), np.float32)
    surround[3] = 1  # the low-frequency channel is no part of a mix
    np.testing.assert_array_equal(with_channels(surround, 2), [[0], [0]])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8, 11])
def test_the_mean_of_a_pair_is_the_mix(channels):
    block = np.random.default_rng(0).standard_normal((channels, 50)).astype(np.float32)
    pair = paired(block)
    assert pair.shape == (2, 50)
    np.testing.assert_allclose(pair.mean(axis=0), mix_weights(channels) @ block, atol=1e-5)


def test_two_channels_are_a_pair_already_and_sides_go_to_their_side():
    block = np.random.default_rng(0).standard_normal((2, 50)).astype(np.float32)
    np.testing.assert_array_equal(paired(block), block)
    for channel, side in ((0, 0), (1, 1), (4, 0), (5, 1)):
        alone = np.zeros((6, 1), np.float32)
        alone[channel] = 1
        assert paired(alone)[1 - side] == 0 < paired(alone)[side]
    centre = np.zeros((6, 1), np.float32)
    centre[2] = 1
    left, right = paired(centre)
    assert left == right > 0
