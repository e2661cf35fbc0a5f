import numpy as np
import pytest

from halfstep.audio.mel import MagnitudeStream, MelConfig
from halfstep.audio.steady import steady_tones, steady_units
from halfstep.vocoders.griffin_lim import griffin_lim

SMALL = MelConfig(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=64)


@pytest.mark.parametrize("hz", [437.0, 1000.0, 3210.5])
def test_phases_of_a_steady_tone_are_found_without_iterating(hz):
    """Analysis of one, resynthesis with steady phases: a tone of that frequency and that level again."""
    tone = 0.5 * np.sin(2 * np.pi * hz * np.arange(16000) / 16000).astype(np.float32)
    stream = MagnitudeStream(SMALL)
    magnitude = np.concatenate([stream.push(tone), stream.finish()], axis=1)
    back = griffin_lim(magnitude, SMALL, 0, rng=np.random.default_rng(0))[2000:14000]
    t = np.arange(2000, 14000) / 16000
    basis = np.stack([np.sin(2 * np.pi * hz * t), np.cos(2 * np.pi * hz * t)])
    weights, *_ = np.linalg.lstsq(basis.T, back, rcond=None)
    residue = back - weights @ basis
    assert np.hypot(*weights) == pytest.approx(0.5, rel=0.1)
    assert np.linalg.norm(residue) < 0.3 * np.linalg.norm(back)


def test_a_tone_continues_the_phases_before():
    magnitude = np.zeros((3, SMALL.bins), np.float32)
    magnitude[:, 40] = 1
    before = np.full(SMALL.bins, 0.5, np.float32)
    spectra = steady_tones(magnitude, before, SMALL)
    expected = np.mod(0.5 + 2 * np.pi * 40 * SMALL.hop_length / SMALL.n_fft * np.arange(1, 4), 2 * np.pi)
    np.testing.assert_allclose(spectra[:, 40], np.exp(1j * expected), atol=1e-4)
    np.testing.assert_allclose(np.abs(spectra), magnitude, atol=1e-6)


def test_magnitudes_that_only_fall_are_a_constant_level_and_stand_still():
    """Without a peak all bins belong to bin 0, which does not turn."""
    magnitude = np.tile(np.linspace(1, 0.1, SMALL.bins, dtype=np.float32), (3, 1))
    before = np.full(SMALL.bins, 0.7, np.float32)
    signs = np.where(np.arange(SMALL.bins) % 2, -1, 1)
    np.testing.assert_allclose(steady_units(magnitude, before, SMALL), np.tile(signs * np.exp(0.7j), (3, 1)), atol=1e-5)


def test_clips_beside_each_other_are_each_as_alone():
    """Clips of noise, one of silence, one of a single peak; 40 frames at once and one by one."""
    rng = np.random.default_rng(1)
    magnitude = rng.uniform(0, 1, (4, 40, SMALL.bins)).astype(np.float32)
    magnitude[1], magnitude[2] = 0, 0
    magnitude[2, :, 77] = 1
    before = rng.uniform(0, 2 * np.pi, (4, SMALL.bins)).astype(np.float32)
    together = steady_units(magnitude, before, SMALL)
    for clip, phases, units in zip(magnitude, before, together, strict=True):
        np.testing.assert_array_equal(steady_units(clip, phases, SMALL), units)
        for frame, expected in zip(clip, units, strict=True):
            result = steady_units(frame[None], phases, SMALL)[0]
            np.testing.assert_allclose(result, expected, atol=1e-3)
            phases = np.angle(result)


def test_silence_and_noise_have_phases_too():
    rng = np.random.default_rng(0)
    for magnitude in (np.zeros((4, SMALL.bins)), rng.uniform(0, 1, (50, SMALL.bins)), np.ones((3, SMALL.bins))):
        spectra = steady_tones(magnitude.astype(np.float32), np.zeros(SMALL.bins, np.float32), SMALL)
        np.testing.assert_allclose(np.abs(spectra), magnitude, atol=1e-6)
