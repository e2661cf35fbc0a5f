"""Quick looks at windows: what each says of windows that are known by hand."""

import numpy as np
import pytest

from halfstep.metrics.melstats import correlation, features, frame_step, rms_difference

RNG = np.random.default_rng(0)
WINDOWS = RNG.standard_normal((5, 32, 24)).astype(np.float32)


def test_frame_step_is_the_mean_step_in_time():
    ramp = np.arange(12.0) * 0.25
    assert frame_step(np.tile(ramp, (2, 8, 1))) == pytest.approx(0.25)
    assert frame_step(np.tile(np.arange(8.0)[:, None], (2, 1, 12))) == 0  # a tilt over bands is no step
    noise = RNG.standard_normal((4, 64, 500))
    assert frame_step(noise) == pytest.approx(2 / np.sqrt(np.pi), rel=0.01)  # E|a - b| of unit Gaussians


def test_correlation_knows_same_opposite_and_unrelated():
    assert correlation(WINDOWS, WINDOWS) == pytest.approx(1)
    assert correlation(WINDOWS, 3 * WINDOWS + 7) == pytest.approx(1, abs=1e-6)
    assert correlation(WINDOWS, -WINDOWS) == pytest.approx(-1)
    assert abs(correlation(WINDOWS, RNG.standard_normal(WINDOWS.shape))) < 0.05


def test_correlation_is_of_each_window_with_its_own():
    """Windows in another order are other music."""
    assert abs(correlation(WINDOWS, np.roll(WINDOWS, 1, axis=0))) < 0.05
    half = np.concatenate([WINDOWS[:2], -WINDOWS[2:4]])
    assert correlation(WINDOWS[:4], half) == pytest.approx(0, abs=1e-6)


def test_rms_difference():
    assert rms_difference(WINDOWS, WINDOWS + np.float32(0.5)) == pytest.approx(0.5, rel=1e-5)
    assert rms_difference(np.zeros(4), np.array([3.0, 4, 0, 0])) == 2.5


def test_features_are_level_deviation_and_step_by_group_of_bands():
    windows = np.zeros((3, 32, 10))
    windows[:, 4:6] = 2.0  # group 2 of 16, steady
    windows[:, 31] = np.arange(10)  # half of group 15, rising
    result = features(windows)
    assert result.shape == (3, 48)
    level, deviation, step = result[0].reshape(3, 16)
    assert level[2] == 2 and deviation[2] == 0 and step[2] == 0
    assert level[15] == pytest.approx(2.25)
    assert deviation[15] == pytest.approx(np.arange(10).std() / 2)
    assert step[15] == pytest.approx(0.5)
    assert np.count_nonzero(result[0]) == 4


def test_features_tell_noise_and_blur_from_the_real_thing():
    """Steps grow with noise and shrink with blur while the level stays."""
    smooth = np.cumsum(RNG.standard_normal((6, 32, 64)), axis=2) * 0.1
    noisy = smooth + RNG.standard_normal(smooth.shape)
    blurred = np.stack([np.roll(smooth, shift, axis=2) for shift in range(-2, 3)]).mean(0)
    level, _, step = features(smooth).reshape(6, 3, 16).transpose(1, 0, 2)
    assert (features(noisy)[:, 32:] > 2 * step).all()
    assert (features(blurred)[:, 32:] < step).all()
    np.testing.assert_allclose(features(blurred)[:, :16], level, atol=1e-9)
