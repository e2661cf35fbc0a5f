"""Sound that repeats: exactly as long as its frames, its wrap a place like any other, and resampled exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.audio.circular import griffin_lim_loop, stretched
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.vocoders.griffin_lim import GriffinLimStream, mel_to_magnitude

SMALL = MelConfig(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=64)
UNEVEN = MelConfig(sample_rate=8000, n_fft=256, hop_length=100, n_mels=20)


def tones(config: MelConfig, frames: int) -> np.ndarray:
    """Two tones with whole numbers of turns a period, swelling once: periodic in `frames` hops."""
    t = np.arange(frames * config.hop_length) / (frames * config.hop_length)
    per_hertz = frames * config.hop_length / config.sample_rate
    waves = sum(np.sin(2 * np.pi * round(hertz * per_hertz) * t) for hertz in (440, 1250))
    return (0.2 * waves * (1.2 + np.cos(2 * np.pi * t))).astype(np.float32)


def mel_of_period(samples: np.ndarray, config: MelConfig, frames: int) -> np.ndarray:
    """The log-mel of the middle one of three periods."""
    return log_mel(np.tile(samples, 3), config)[:, frames : 2 * frames]


@pytest.mark.parametrize("config", [SMALL, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("frames", [1, 2, 3, 40, 41])
def test_a_loop_has_a_hop_a_frame(config: MelConfig, frames: int):
    magnitude = np.random.default_rng(0).uniform(0, 1, (frames, config.bins)).astype(np.float32)
    loop = griffin_lim_loop(magnitude, config, 4, 0.99, np.random.default_rng(0))
    assert loop.shape == (frames * config.hop_length,) and loop.dtype == np.float32
    assert np.isfinite(loop).all()


@pytest.mark.parametrize("config", [SMALL, UNEVEN], ids=["even", "uneven"])
def test_a_loop_repeats_the_mel_it_came_from_over_the_wrap_too(config: MelConfig):
    frames = 60
    mel = mel_of_period(tones(config, frames), config, frames)
    loop = GriffinLimStream(config, seed=1).loop(mel)
    error = np.abs(mel_of_period(loop, config, frames) - mel).mean(axis=0)
    assert error.mean() < 0.6
    assert error[[0, 1, -1, -2]].max() < 1.3 * error[2:-2].max()


def test_sound_lies_where_its_frame_is():
    """Frame f is the sound around sample f * hop + hop / 2."""
    magnitude = np.zeros((40, SMALL.bins), np.float32)
    magnitude[12] = 1
    power = np.square(griffin_lim_loop(magnitude, SMALL, 8, 0.99, np.random.default_rng(0)), dtype=np.float64)
    assert power @ np.arange(len(power)) / power.sum() == pytest.approx(12.5 * SMALL.hop_length, abs=64)


def test_nothing_steps_at_the_wrap():
    frames = 60
    mel = mel_of_period(tones(SMALL, frames), SMALL, frames)
    for seed in range(5):
        loop = GriffinLimStream(SMALL, seed=seed).loop(mel)
        bends = np.abs(np.diff(np.diff(np.tile(loop, 2))))
        at = len(loop)
        assert bends[at - 4 : at + 4].max() < np.quantile(bends, 0.999)


def test_a_loop_turned_is_the_loop_of_the_mel_turned():
    """The magnitudes' circle has no beginning: only the phases drawn for it differ."""
    frames = 50
    mel = mel_of_period(tones(SMALL, frames), SMALL, frames)
    magnitude = np.ascontiguousarray(mel_to_magnitude(mel, SMALL).T)
    errors = []
    for turn in (0, 17):
        loop = griffin_lim_loop(np.roll(magnitude, turn, axis=0), SMALL, 16, 0.99, np.random.default_rng(0))
        errors.append(np.abs(np.roll(mel_of_period(loop, SMALL, frames), -turn, axis=1) - mel).mean())
    assert errors[1] == pytest.approx(errors[0], rel=0.1)


def test_a_long_loop_is_made_as_a_stream_and_closes(monkeypatch: pytest.MonkeyPatch):
    frames = 400
    samples = tones(SMALL, frames)
    mel = mel_of_period(samples, SMALL, frames)
    monkeypatch.setattr("halfstep.vocoders.griffin_lim.LONGEST_CIRCLE_FRAMES", 100)
    loop = GriffinLimStream(SMALL, seed=1).loop(mel)
    assert loop.shape == samples.shape
    error = np.abs(mel_of_period(loop, SMALL, frames) - mel).mean(axis=0)
    assert max(error[:4].max(), error[-4:].max()) < 1.3 * error[150:-50].max()
    assert error[60:140].mean() < 1.5 * error[150:-50].mean()


@given(count=st.integers(8, 400), size=st.integers(8, 400), turns=st.integers(0, 3))
def test_a_wave_is_stretched_to_the_same_wave(count: int, size: int, turns: int):
    wave = lambda n: np.cos(2 * np.pi * turns * np.arange(n) / n + 0.3).astype(np.float32)  # noqa: E731
    np.testing.assert_allclose(stretched(wave(count), size), wave(size), atol=1e-5)


@pytest.mark.parametrize(
    ("count", "size", "turns", "kept"),
    [(12, 8, 3, 1), (8, 12, 3, 1), (12, 8, 4, 0), (8, 12, 4, 0), (9, 15, 4, 1), (15, 9, 4, 1), (15, 9, 5, 0)],
)
def test_what_is_below_half_the_lower_rate_is_kept_and_what_is_at_it_or_above_is_not(
    count: int, size: int, turns: int, kept: int
):
    wave = lambda n: np.cos(2 * np.pi * turns * np.arange(n) / n + 0.3).astype(np.float32)  # noqa: E731
    np.testing.assert_allclose(stretched(wave(count), size), kept * wave(size), atol=1e-6)


def test_stretched_by_nothing_is_the_same():
    period = np.random.default_rng(0).standard_normal((2, 33)).astype(np.float32)
    np.testing.assert_array_equal(stretched(period, 33), period)
