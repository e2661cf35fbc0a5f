"""The MDCT: orthonormal, exactly inverted, a tone in its own bin."""

import numpy as np
import pytest

from halfstep.tasks.diffusion_vocoder.mdct import basis, inverse_mdct, mdct


@pytest.mark.parametrize("hop", [2, 8, 64])
def test_inverted_exactly_but_for_the_ends(hop: int):
    samples = np.random.default_rng(0).standard_normal((2, 3, 7 * hop)).astype(np.float32)
    coefficients = mdct(samples, hop)
    assert coefficients.shape == (2, 3, hop, 6)
    inside = np.s_[..., hop:-hop]
    np.testing.assert_allclose(inverse_mdct(coefficients, hop)[inside], samples[inside], atol=1e-5)


def test_the_frames_are_orthonormal():
    """To themselves, and to their neighbours: white noise stays white noise of the same deviation."""
    hop = 32
    first, second = basis(hop)[:hop].astype(float), basis(hop)[hop:].astype(float)
    np.testing.assert_allclose(first.T @ first + second.T @ second, np.eye(hop), atol=1e-6)
    np.testing.assert_allclose(first.T @ second, np.zeros((hop, hop)), atol=1e-6)


def test_a_tone_is_in_its_own_bin():
    hop, bin_number = 128, 20
    tone = np.sin(np.pi * (bin_number + 0.5) / hop * np.arange(12 * hop)).astype(np.float32)
    power = np.square(mdct(tone, hop)).mean(axis=1)
    assert power.argmax() == bin_number
    assert power[bin_number - 2 : bin_number + 3].sum() > 0.99 * power.sum()
