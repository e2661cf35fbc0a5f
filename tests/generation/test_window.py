"""One window: the gain of its steps, what is held, and the noise sought for what is given."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import Manifest, open_folder
from halfstep.generation.noise import seed_noise
from halfstep.generation.window import Layout, WindowSampler, layout_of


@pytest.fixture
def sampler(tiny_model: Path) -> WindowSampler:
    folder = open_folder(tiny_model)
    return WindowSampler(folder.denoiser(4), folder.manifest, 4)


def test_gaussian_windows_have_the_gain_of_four_steps(sampler: WindowSampler):
    """s2 = 1/4: each step multiplies z by (alpha_s alpha_t s2 + sigma_s sigma_t) / V_t."""
    noise = seed_noise(8, 7)(0, 24)
    gain, angles = 1.0, np.pi / 2 * np.arange(4, -1, -1) / 4
    for t, s in itertools.pairwise(angles):
        spread = np.cos(t) ** 2 / 4 + np.sin(t) ** 2
        gain *= (np.cos(s) * np.cos(t) / 4 + np.sin(s) * np.sin(t)) / spread
    window = sampler.unconditional(noise)
    np.testing.assert_allclose(window, gain * noise, rtol=1e-4, atol=1e-6)
    assert window.dtype == np.float32


@pytest.mark.parametrize("steps", [1, 4])
def test_known_frames_come_out_as_they_went_in(tiny_model: Path, steps: int):
    folder = open_folder(tiny_model)
    known = np.random.default_rng(1).standard_normal((8, 24)).astype(np.float32)
    mask = (np.arange(24) % 5 < 2).astype(np.float32)
    window = WindowSampler(folder.denoiser(steps), folder.manifest, steps).inpainted(
        seed_noise(8, 0)(0, 24), known, mask
    )
    np.testing.assert_allclose(window[:, mask == 1], known[:, mask == 1], atol=1e-5)
    assert np.abs(window - known)[:, mask == 0].min() > 1e-6


def test_optimised_noise_brings_the_window_near_and_changes_nothing_else(sampler: WindowSampler):
    known = 0.5 * np.random.default_rng(2).standard_normal((8, 24)).astype(np.float32)
    mask, target = np.zeros((2, 24), np.float32)
    target[4:10] = 1
    noise = seed_noise(8, 3)(0, 24)
    optimised = sampler.optimised(noise, known, mask, target)
    before, after = (np.abs(sampler.inpainted(n, known, mask) - known)[:, 4:10].mean() for n in (noise, optimised))
    assert after < 0.85 * before
    np.testing.assert_array_equal(optimised[:, target == 0], noise[:, target == 0])


def test_windows_of_the_usual_size_overlap_by_a_third_in_whole_grains(tiny_manifest: Manifest):
    assert layout_of(replace(tiny_manifest, frames=384)) == Layout(384, 12, 132, 24)
    assert layout_of(replace(tiny_manifest, frames=384, packing="none")) == Layout(384, 4, 128, 24)
    assert layout_of(tiny_manifest) == Layout(24, 12, 12, 1)
