"""The ceiling: nothing for the original, whatever its level; more for a worse copy."""

import numpy as np
import pytest

from halfstep.audio.mel import MelConfig
from halfstep.data.synthetic import piece
from halfstep.metrics.copy_synthesis import copy_synthesis

MEL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=40)
ORIGINALS = np.stack([piece(1.5, seed, 16000)[0] for seed in range(3)])


def test_the_original_is_its_own_copy_at_any_level():
    for figure in copy_synthesis(0.25 * ORIGINALS, ORIGINALS, MEL).values():
        assert figure.value == pytest.approx(0, abs=1e-4)


def test_noise_makes_every_distance_larger():
    noise = np.random.default_rng(0).standard_normal(ORIGINALS.shape).astype(np.float32)
    little, much = (copy_synthesis(ORIGINALS + gain * noise, ORIGINALS, MEL) for gain in (0.001, 0.01))
    for name in ("mr_stft", "log_spectral_db", "mel_l1"):
        least = much[name].low
        assert least is not None and 0 < little[name].value < least


def test_silence_is_left_out():
    originals = np.concatenate([ORIGINALS, np.zeros_like(ORIGINALS[:1])])
    assert copy_synthesis(originals, originals, MEL)["mel_l1"].windows == 3
    with pytest.raises(ValueError, match="every original is silent"):
        copy_synthesis(np.zeros((1, 900)), np.zeros((1, 900)), MEL)
