import numpy as np
import pytest
import torch

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.learned_vocoder.torch_bands import log_bands

LONG = MelConfig(
    sample_rate=16000, n_fft=2048, window_length=1024, hop_length=128, n_mels=48, fmin_hz=30, spacing="log"
)  # fmt: skip


@pytest.mark.parametrize("mel", [LONG, MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)])
def test_in_torch_bands_are_those_of_numpy(mel):
    sound = 0.1 * np.random.default_rng(0).standard_normal((2, 30 * mel.hop_length)).astype(np.float32)
    sound[1, : 20 * mel.hop_length] = 0
    np.testing.assert_allclose(log_bands(torch.from_numpy(sound), mel).numpy(), log_mel(sound, mel), atol=1e-3)


def test_bands_have_a_gradient_in_silence_too():
    sound = torch.zeros(1, 20 * LONG.hop_length, requires_grad=True)
    log_bands(sound, LONG).sum().backward()
    assert sound.grad is not None and torch.isfinite(sound.grad).all()
