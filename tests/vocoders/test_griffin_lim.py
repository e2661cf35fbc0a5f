import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.mel import MagnitudeStream, MelConfig, filterbank, log_mel
from halfstep.vocoders.griffin_lim import GriffinLimStream, griffin_lim, mel_to_magnitude

SMALL = MelConfig(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=64)
UNEVEN = MelConfig(sample_rate=8000, n_fft=256, hop_length=100, n_mels=20)


def music(config: MelConfig, seconds: float = 2.0) -> np.ndarray:
    """Plucked notes a quarter of a second apart, at 220 Hz times whole-number ratios, in faint noise."""
    t = np.arange(round(seconds * config.sample_rate)) / config.sample_rate
    samples = 1e-3 * np.random.default_rng(0).standard_normal(len(t))
    for note, ratio in enumerate(itertools.islice(itertools.cycle((1, 5 / 4, 3 / 2, 2)), int(seconds * 4))):
        since = np.maximum(t - note / 4, 0)
        for harmonic in (1, 2, 3):
            samples += np.exp(-4 * since) * np.sin(2 * np.pi * 220 * ratio * harmonic * since) / harmonic
    return (samples / np.abs(samples).max() * 0.5).astype(np.float32)


def mel_error(samples: np.ndarray, wanted: np.ndarray, config: MelConfig) -> np.ndarray:
    """RMS difference of log-mels in each frame."""
    return np.sqrt(np.square(log_mel(samples, config) - wanted).mean(axis=0))


def streamed(mel: np.ndarray, cuts: list[int], config: MelConfig = SMALL, **settings: int) -> np.ndarray:
    stream = GriffinLimStream(config, **settings)
    edges = [0, *sorted(min(cut, mel.shape[1]) for cut in cuts), mel.shape[1]]
    return np.concatenate([*[stream.push(mel[:, a:b]) for a, b in itertools.pairwise(edges)], stream.finish()])


def test_the_magnitude_has_the_mel_it_came_from():
    mel = log_mel(music(SMALL), SMALL)
    magnitude = mel_to_magnitude(mel, SMALL)
    assert magnitude.dtype == np.float32
    assert (magnitude >= 0).all()
    back = np.log(np.maximum(filterbank(SMALL) @ magnitude, SMALL.floor))
    assert np.abs(back - mel).mean() < 0.04


def test_a_nonsensical_mel_gives_finite_sound():
    mel = np.full((64, 50), 1e4, np.float32)
    mel[:, ::2] = -1e4
    magnitude = mel_to_magnitude(mel, SMALL)
    assert np.isfinite(griffin_lim(magnitude, SMALL, 2, rng=np.random.default_rng(0))).all()


@pytest.mark.parametrize("config", [SMALL, UNEVEN], ids=["even", "uneven"])
def test_more_iterations_come_nearer_and_length_is_that_of_the_frames(config):
    mel = log_mel(music(config), config)
    magnitude = mel_to_magnitude(mel, config)
    errors = []
    for iterations in (0, 8, 64):
        samples = griffin_lim(magnitude, config, iterations, rng=np.random.default_rng(0))
        assert samples.dtype == np.float32
        assert len(samples) == mel.shape[1] * config.hop_length
        errors.append(mel_error(samples, mel, config).mean())
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.8 * errors[0]


def test_a_signals_own_spectrum_gives_back_its_level():
    """The whole chain is scaled right: level within .5 dB, no matter the phases."""
    samples = music(SMALL)
    stream = MagnitudeStream(SMALL)
    magnitude = np.concatenate([stream.push(samples), stream.finish()], axis=1)
    back = griffin_lim(magnitude, SMALL, 32, rng=np.random.default_rng(0))[: len(samples)]
    assert 20 * np.log10(np.linalg.norm(back) / np.linalg.norm(samples)) == pytest.approx(0, abs=0.5)


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 125), max_size=6), look_ahead=st.sampled_from([8, 24, 200]))
def test_a_stream_gives_the_same_samples_however_it_is_cut(cuts, look_ahead):
    mel = log_mel(music(SMALL), SMALL)
    whole = streamed(mel, [], iterations=4, look_ahead_frames=look_ahead)
    assert len(whole) == mel.shape[1] * SMALL.hop_length
    np.testing.assert_array_equal(streamed(mel, cuts, iterations=4, look_ahead_frames=look_ahead), whole)


@pytest.mark.parametrize("frames", [0, 1, 2, 31, 32, 33, 64, 65])
def test_a_stream_of_any_length_gives_a_hop_a_frame(frames):
    mel = log_mel(music(SMALL, 2.0), SMALL)[:, :frames]
    samples = streamed(mel, [], iterations=2)
    assert len(samples) == frames * SMALL.hop_length
    assert np.isfinite(samples).all()


def test_blocks_join_without_seams():
    """As near to the mel as when all is known at once, and no worse where blocks meet than elsewhere."""
    mel = log_mel(music(SMALL, 6.0), SMALL)
    whole = griffin_lim(mel_to_magnitude(mel, SMALL), SMALL, rng=np.random.default_rng(0))
    error = mel_error(streamed(mel, [], look_ahead_frames=16), mel, SMALL)
    assert error.mean() < 1.15 * mel_error(whole, mel, SMALL).mean()
    frames = np.arange(len(error))
    near = (frames % 16 <= 1) | (frames % 16 >= 14)
    assert error[near].mean() < 1.25 * error[~near].mean()


def test_samples_come_as_soon_as_the_look_ahead_allows():
    mel = log_mel(music(SMALL, 3.0), SMALL)
    stream = GriffinLimStream(SMALL, iterations=2, look_ahead_frames=16)
    assert len(stream.push(mel[:, :31])) == 0
    assert len(stream.push(mel[:, 31:32])) == 16 * SMALL.hop_length - SMALL.lead
    assert len(stream.push(mel[:, 32:64])) == 32 * SMALL.hop_length


def test_the_seed_changes_the_sound():
    mel = log_mel(music(SMALL), SMALL)
    one, two = (streamed(mel, [], iterations=2, seed=seed) for seed in (1, 2))
    assert np.abs(one - two).max() > 0.01
