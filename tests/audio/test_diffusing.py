"""The same sound with other phases."""

import numpy as np
import pytest

from halfstep.audio.diffusing import Diffuser


def test_every_frequency_keeps_its_level():
    """An all-pass: the spectrum of its impulse response is 1 everywhere."""
    impulse = np.zeros(1 << 16, np.float32)
    impulse[0] = 1
    spectrum = np.fft.rfft(Diffuser(44100, 1).push(impulse))
    np.testing.assert_allclose(np.abs(spectrum), 1, atol=1e-4)


@pytest.mark.parametrize("size", [1, 100, 137, 5000])
def test_however_it_is_cut_it_is_the_same(size: int):
    samples = np.random.default_rng(0).standard_normal(6000).astype(np.float32)
    whole, cut = Diffuser(44100, 0), Diffuser(44100, 0)
    parts = [cut.push(samples[start : start + size]) for start in range(0, 6000, size)]
    np.testing.assert_allclose(np.concatenate(parts), whole.push(samples), atol=1e-6)


def test_voices_are_not_in_step_with_the_sound_nor_with_each_other():
    samples = np.random.default_rng(0).standard_normal(44100).astype(np.float32)
    voices = [samples, *(Diffuser(44100, voice).push(samples) for voice in range(4))]
    correlation = np.corrcoef(voices) - np.eye(5)
    assert np.abs(correlation).max() < 0.12
