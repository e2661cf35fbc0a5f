"""The vocoder's x: about unit variance given the mel alone, exactly inverted, silent where there is silence."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.synthetic import piece
from halfstep.tasks.diffusion_vocoder.task import MARGIN, DiffusionVocoder, DiffusionVocoderConfig

MEL = MelConfig()
HOP = MEL.hop_length
BAND = np.full(MEL.n_mels, -5.0), np.full(MEL.n_mels, 2.0)
CLEAN = DiffusionVocoderConfig(frames=32, blurred_share=0, mel_noise=0, quieter_db=0)


def vocoder(**changes: float) -> DiffusionVocoder:
    return DiffusionVocoder(replace(CLEAN, **changes), MEL, BAND)


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    """Eight clips of music, at levels 50 dB apart."""
    size = CLEAN.clip_frames * HOP
    samples = piece(8 * size / MEL.sample_rate + 0.1, 5)[0, : 8 * size].reshape(8, size)
    return samples * 10 ** (-np.arange(8) * 50 / 7 / 20).astype(np.float32)[:, None]


@pytest.mark.parametrize("whitening", [0.0, 0.6, 1.0])
def test_white_noise_has_unit_variance_at_every_bin_and_level(whitening: float):
    """A mean magnitude is sqrt(pi / 4) of the root mean square of Gaussian noise."""
    noise = np.random.default_rng(0).standard_normal((16, CLEAN.clip_frames * HOP)).astype(np.float32)
    for level in (0.3, 0.003):
        x = vocoder(whitening=whitening).free(level * noise).x
        assert x.shape == (16, HOP, 32)
        assert x.square().mean().item() == pytest.approx(4 / np.pi / 1.25**2, rel=0.08)
        by_band = x.square().mean((0, 2))[2:-2].unflatten(0, (4, -1)).mean(1)
        assert by_band.max() < 1.2 * by_band.min()


def test_music_has_about_unit_variance_at_every_level(clips: np.ndarray):
    power = vocoder().free(clips).x.square().mean((1, 2)).numpy()
    assert (power > 0.4).all()
    assert (power < 2.5).all()


@pytest.mark.parametrize("whitening", [0.0, 0.6, 1.0])
def test_the_waveform_comes_back_from_x_and_mel(clips: np.ndarray, whitening: float):
    task = vocoder(whitening=whitening)
    result = task.waveform(task.free(clips).x.numpy(), task.true_mel(clips))
    assert result.shape == task.sound(clips).shape == (8, 32 * HOP)
    inside = np.s_[:, HOP // 2 : -HOP // 2]
    np.testing.assert_allclose(result[inside], task.sound(clips)[inside], atol=3e-6)


def test_silence_in_silence_out():
    """The level of the mel's floor is -100 dBFS, whatever is sampled of x."""
    task = vocoder()
    silence = np.zeros((2, CLEAN.clip_frames * HOP), np.float32)
    assert (task.free(silence).x == 0).all()
    noise = np.random.default_rng(0).standard_normal((2, HOP, 32)).astype(np.float32)
    sound = task.waveform(noise, task.true_mel(silence))
    assert 20 * np.log10(sound.std()) == pytest.approx(-100, abs=1)


def test_the_mel_is_that_of_the_whole_recording(clips: np.ndarray):
    """The margin holds all that the first and last frame hear."""
    whole = piece(2, 5)[0]
    size = CLEAN.clip_frames * HOP
    start = 20 * HOP
    result = vocoder().true_mel(whole[None, start : start + size])[0]
    np.testing.assert_allclose(result, log_mel(whole, MEL)[:, 20 + MARGIN : 20 + MARGIN + 32], atol=1e-3)


def test_the_network_is_told_the_mel_standardised(clips: np.ndarray):
    task = vocoder()
    given = task.free(clips).condition.aligned
    assert given is not None
    assert given.shape == (8, task.aligned, 32)
    np.testing.assert_allclose(given.numpy() * 2 - 5, task.true_mel(clips), atol=1e-5)
    assert task.free(clips).known is None


def test_training_meets_mels_that_are_not_true(clips: np.ndarray):
    """What is told changes; times the level that it gives, x is still the waveform."""
    rng = np.random.default_rng(0)
    task = vocoder(blurred_share=1.0, mel_noise=0.5)
    example, true = task.example(clips, rng), task.free(clips)
    assert example.condition.aligned is not None
    assert true.condition.aligned is not None
    given = example.condition.aligned.numpy() * 2 - 5
    assert 0.05 < np.abs(given - task.true_mel(clips)).mean() < 2
    inside = np.s_[:, HOP // 2 : -HOP // 2]
    result = task.waveform(example.x.numpy(), given)
    np.testing.assert_allclose(result[inside], task.sound(clips)[inside], atol=3e-6)


def test_clips_are_turned_down_and_the_mel_with_them(clips: np.ndarray):
    loud = clips[:4]  # the others sink to the floor of the mel
    example = vocoder(quieter_db=30).example(loud, np.random.default_rng(0))
    plain = vocoder().free(loud)
    assert example.condition.aligned is not None
    assert plain.condition.aligned is not None
    quieter = (plain.condition.aligned - example.condition.aligned).mean((1, 2)) * 2 * 20 / np.log(10)
    assert (quieter > -0.01).all()
    assert quieter.max() > 3
    np.testing.assert_allclose(example.x.square().mean((1, 2)), plain.x.square().mean((1, 2)), rtol=0.3)


def test_the_same_generator_the_same_example(clips: np.ndarray):
    task = DiffusionVocoder(DiffusionVocoderConfig(frames=32), MEL, BAND)
    one, two = (task.example(clips, np.random.default_rng(3)) for _ in range(2))
    assert torch.equal(one.x, two.x)


@pytest.mark.parametrize(
    ("setting", "value", "says"),
    [
        ("frames", 0, "frames is 0"),
        ("blurred_share", 1.5, "blurred_share is 1.5: 0 to 1"),
        ("whitening", -0.1, "whitening is -0.1: 0 to 1"),
        ("mel_noise", -1, "mel_noise is -1"),
        ("quieter_db", float("inf"), "quieter_db is inf"),
    ],
)
def test_settings_that_make_no_sense_are_named(setting: str, value: Any, says: str):
    with pytest.raises(ValueError, match=says):
        DiffusionVocoderConfig(**{setting: value})


def test_a_window_longer_than_the_margin_is_refused():
    with pytest.raises(ValueError, match="n_fft is 4096: at most 5 times the hop_length"):
        DiffusionVocoder(CLEAN, MelConfig(n_fft=4096), BAND)
