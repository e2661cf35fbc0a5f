from dataclasses import replace

import numpy as np
import pytest

from halfstep.audio.grids import synthesis_grid
from halfstep.audio.image import LEAST_SPREAD, MOST_LEVEL, rows_of
from halfstep.audio.mel import MelConfig
from halfstep.metrics.stereo_image import level_and_coherence
from halfstep.vocoders.stereo import SideStream, StereoVocoder, late_turns

MEL = MelConfig(sample_rate=22050, n_fft=1024, hop_length=256, n_mels=48, image_bands=12)


class Known:
    """A vocoder that has the sound already, and gives of it what its frames last, one hop late."""

    def __init__(self, sound: np.ndarray) -> None:
        self._left, self._owed = sound, 0

    def push(self, log_mel: np.ndarray) -> np.ndarray:
        given = max(0, self._owed + log_mel.shape[1] - 1)
        self._owed += log_mel.shape[1] - given
        samples, self._left = np.split(self._left, [given * MEL.hop_length])
        return samples

    def finish(self) -> np.ndarray:
        return self._left

    def loop(self, log_mel: np.ndarray) -> np.ndarray:
        return self._left


def noise(seed: int, frames: int = 172) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(frames * MEL.hop_length)).astype(np.float32)


def image(level: float, spread: float, frames: int = 172) -> np.ndarray:
    return np.repeat(np.repeat([level, spread], MEL.image_bands)[:, None], frames, axis=1).astype(np.float32)


def played(mid: np.ndarray, its_image: np.ndarray, cuts: tuple[int, ...] = ()) -> np.ndarray:
    rows = np.concatenate([np.zeros((MEL.n_mels, its_image.shape[1]), np.float32), its_image])
    vocoder = StereoVocoder(Known(mid), MEL)
    parts = [vocoder.push(part) for part in np.split(rows, cuts, axis=1)]
    return np.concatenate([*parts, vocoder.finish()], axis=1)


def measured(pair: np.ndarray) -> tuple[float, float]:
    level, coherence, weights = level_and_coherence(pair, MEL.sample_rate)
    return float((weights * level).sum()), float((weights * coherence).sum())


@pytest.mark.parametrize(
    ("decibels", "coherence"), [(0, 0.0), (6, 0.5), (-12, 0.3), (20, 0.998), (0, 0.998), (0, -0.5)]
)
def test_sound_has_the_image_that_is_asked_for(decibels, coherence):
    pair = played(noise(0), image(decibels / 20 * np.log(10), -np.arctanh(coherence)))
    level, alike = measured(pair)
    assert level == pytest.approx(decibels, abs=0.7)
    assert alike == pytest.approx(coherence, abs=0.08)


def test_the_mean_of_both_channels_is_the_mid_whatever_the_image():
    rng = np.random.default_rng(3)
    wild = rng.uniform(-5, 5, (2 * MEL.image_bands, 172)).astype(np.float32)
    mid = noise(0)
    pair = played(mid, wild)
    assert pair.shape == (2, len(mid))
    np.testing.assert_allclose(pair.mean(axis=0), mid, atol=1e-5)
    assert np.isfinite(pair).all()


def test_an_image_of_one_channel_is_the_mid_in_both():
    mid = noise(0)
    pair = played(mid, image(0, LEAST_SPREAD))
    assert np.square(pair - mid).mean() < 2e-3 * np.square(mid).mean()  # 30 dB below it, and a little


def test_a_hard_pan_is_silent_on_the_other_side():
    pair = played(noise(0), image(MOST_LEVEL, LEAST_SPREAD))
    left, right = 10 * np.log10(np.square(pair, dtype=np.float64).mean(axis=1))
    assert left - right == pytest.approx(30, abs=1)


@pytest.mark.parametrize("cuts", [(1, 2, 3), (16, 32), (5, 100, 171), tuple(range(0, 172, 7))])
def test_samples_are_the_same_however_the_rows_are_cut(cuts):
    """To the bit."""
    drawn = np.random.default_rng(4).standard_normal((2 * MEL.image_bands, 172)).astype(np.float32)
    np.testing.assert_array_equal(played(noise(0), drawn, cuts), played(noise(0), drawn))


@pytest.mark.parametrize("frames", [1, 3, 50])
def test_a_loop_is_a_period_of_itself_played_again_and_again(frames):
    """So that its wrap is a place like any other."""
    mid, its = noise(0, frames), np.random.default_rng(5).standard_normal((2 * MEL.image_bands, frames))
    rows = np.concatenate([np.zeros((MEL.n_mels, frames)), its]).astype(np.float32)
    loop = StereoVocoder(Known(mid), MEL).loop(rows)
    assert loop.shape == (2, len(mid))
    times = 2 * -(-20 // frames) + 1  # as many periods before and after it as a sample can depend on
    again = played(np.tile(mid, times), np.tile(its.astype(np.float32), times))
    middle = slice(times // 2 * len(mid), (times // 2 + 1) * len(mid))
    np.testing.assert_allclose(loop, again[:, middle], atol=1e-6)


def test_no_sound_needs_no_image():
    vocoder = StereoVocoder(Known(np.zeros(0, np.float32)), MEL)
    assert vocoder.finish().shape == (2, 0)
    stream = SideStream(MEL)
    assert stream.push(np.zeros(0, np.float32), stream.nothing).shape == (0,)


def test_a_recording_keeps_its_image_by_way_of_its_rows():
    """Two sounds in two places, one high, one low: level and coherence band by band."""
    low, high = np.fft.rfft(noise(0)), np.fft.rfft(noise(1))
    low[len(low) // 8 :], high[: len(high) // 4] = 0, 0
    low, high = (np.fft.irfft(part).astype(np.float32) for part in (low, high))
    pair = np.stack([low + np.float32(0.25) * high, np.float32(0.5) * low + high])
    rows = rows_of(pair, MEL)
    again = played((pair.sum(axis=0) / 2).astype(np.float32), rows[MEL.n_mels :])
    (level, _, weights), (kept, _, _) = (level_and_coherence(one, MEL.sample_rate) for one in (pair, again))
    assert float((weights * np.abs(level - kept)).sum()) < 1.0
    assert float((weights * np.abs(level)).sum()) > 6


def test_delays_fit_into_a_short_frame_too():
    grid = replace(synthesis_grid(replace(MEL, n_fft=128, hop_length=32)), n_mels=12, image_bands=0)
    late, shared = late_turns(grid)
    assert np.isfinite(late).all()
    assert np.abs(late).max() < 1.6  # raised by what a quarter of a frame loses, at most
    assert np.abs(shared).max() <= 1
