import math

import numpy as np
import pytest
import torch

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.learned_vocoder.clips import ClipsConfig, tone, vocoder_example
from halfstep.learned_vocoder.losses import SpectralLossConfig, spectral_errors, vocoder_loss, with_bass_of
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.trunk import VocoderNetConfig

MEL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)


def sounds(batch: int, frames: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((batch, frames * MEL.hop_length)) * 0.1).float()


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_distance_of_a_change_of_level_is_known(gain):
    """|1 - g| of convergence and |ln g| of log-magnitude at every resolution; 0 for itself."""
    sound = sounds(2, 100)
    assert [error.item() for error in spectral_errors(sound, sound)] == [0, 0]
    expected = [abs(1 - gain), abs(math.log(gain))]
    assert [error.item() for error in spectral_errors(gain * sound, sound)] == pytest.approx(expected, rel=1e-3)


def test_the_bass_of_another_sound_replaces_only_the_bass():
    """Of tones at 500 and 4000 Hz the lower one is the other's: 2 kHz is half the slower rate at 16 kHz."""
    t = np.arange(100 * MEL.hop_length) / MEL.sample_rate
    low, high = (torch.from_numpy(np.sin(2 * np.pi * hertz * t).astype(np.float32))[None] for hertz in (500.0, 4000.0))
    mixed = with_bass_of(0.5 * low, 0.3 * low + high, MEL)
    torch.testing.assert_close(mixed, 0.5 * low + high, rtol=0, atol=1e-3)


@pytest.mark.slow
def test_one_sound_seen_again_and_again_is_learned():
    """Two tones that share a band and a little noise: the loss falls by a third."""
    torch.manual_seed(0)
    t = np.arange(24 * MEL.hop_length) / MEL.sample_rate
    tones = 0.3 * np.sin(2 * np.pi * 4000 * t) + 0.3 * np.sin(2 * np.pi * 4250 * t)
    sound = torch.from_numpy((tones + 3e-3 * np.random.default_rng(0).standard_normal(len(t))).astype(np.float32))[None]
    mel = torch.from_numpy(log_mel(sound.numpy(), MEL))
    start = torch.zeros(1, MEL.bins)
    net = VocoderNet(MEL, VocoderNetConfig(width=16, prior_ahead=(1,), refiner_ahead=(1,)))
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)

    def loss() -> torch.Tensor:
        return vocoder_loss(net, sound, mel, start, SpectralLossConfig())

    before = loss().item()
    for _ in range(100):
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
    after = loss().item()
    assert after < 0.7 * before


def test_examples_follow_from_their_generator_and_smoothed_mels_have_true_sounds():
    clips = sounds(6, 20).numpy()
    one, two = (vocoder_example(clips, MEL, ClipsConfig(), np.random.default_rng(4)) for _ in range(2))
    assert one.condition.aligned is not None and two.condition.aligned is not None
    torch.testing.assert_close(one.condition.aligned, two.condition.aligned, rtol=0, atol=0)
    plain = ClipsConfig(gain_db=(0, 0), tones=0, smoothed=0)
    untouched = vocoder_example(clips, MEL, plain, np.random.default_rng(0))
    np.testing.assert_array_equal(untouched.x.numpy(), clips)
    smoothed = vocoder_example(clips, MEL, ClipsConfig(gain_db=(0, 0), tones=0, smoothed=1), np.random.default_rng(0))
    np.testing.assert_array_equal(smoothed.x.numpy(), clips)
    assert smoothed.condition.aligned is not None and untouched.condition.aligned is not None
    roughness = [
        mel.diff(dim=2).abs().mean().item() for mel in (smoothed.condition.aligned, untouched.condition.aligned)
    ]
    assert roughness[0] < roughness[1]


def test_a_tone_is_within_full_scale():
    waves = [tone(4000, 16000, np.random.default_rng(seed)) for seed in range(30)]
    assert all(np.isfinite(wave).all() and 0.003 < np.abs(wave).max() <= 1 for wave in waves)
