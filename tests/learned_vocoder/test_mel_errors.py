import math

import numpy as np
import pytest
import torch

from halfstep.audio.mel import MelConfig
from halfstep.learned_vocoder.mel_errors import log_mel_error, tagger_errors
from halfstep.metrics.judges.musicnn import log_compressed_mel

MEL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)


def noise(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(0.1 * np.random.default_rng(seed).standard_normal((2, 16000))).float()


@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_change_of_level_is_its_logarithm_in_every_log_mel(gain):
    assert log_mel_error(noise(), noise(), MEL).item() == 0
    assert log_mel_error(gain * noise(), noise(), MEL).item() == pytest.approx(abs(math.log(gain)), rel=1e-3)


def test_what_is_heard_is_what_musicnn_is_given():
    """Inside the signal, whose ends are mirrored here and left out there; musicnn rounds to float16."""
    one, two = noise(0), noise(1)
    a, b = (log_compressed_mel(part[0].numpy()) for part in (one, two))
    assert tagger_errors(one[:1], two[:1], 16000).error.item() == pytest.approx(np.abs(a - b).mean(), rel=0.02)


def test_a_sound_that_moves_less_is_told_from_one_that_is_only_off():
    """Steady noise against noise of which every 32 ms have another level, about the same on average."""
    steady, other = noise(0), noise(1)
    swing = torch.from_numpy(np.random.default_rng(2).choice([0.3, 1.7], 32)).float().repeat_interleave(500)
    off, swinging = tagger_errors(steady, other, 16000), tagger_errors(steady, other * swing, 16000)
    assert off.error > 0.01 and off.level < 0.2 * off.error
    assert swinging.moves > 2 * off.moves


def test_another_sample_rate_hears_the_same_level():
    """A tone below 8 kHz, sampled at 16 and at 48 kHz, against silence."""
    levels = []
    for rate in (16000, 48000):
        tone = 0.1 * torch.sin(2 * math.pi * 1000 / rate * torch.arange(rate))[None]
        levels.append(tagger_errors(tone, torch.zeros_like(tone), rate).error.item())
    assert levels[1] == pytest.approx(levels[0], rel=0.05)
