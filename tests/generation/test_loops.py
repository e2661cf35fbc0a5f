"""Loops: of exactly the frames asked for, and periodic where the noise is."""

from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import open_folder
from halfstep.generation.loops import mel_loop
from halfstep.generation.noise import seed_noise
from halfstep.generation.window import WindowSampler


@pytest.fixture(scope="module")
def sampler(tiny_model: Path) -> WindowSampler:
    folder = open_folder(tiny_model)
    return WindowSampler(folder.denoiser(4), folder.manifest, 4)


@pytest.mark.parametrize("frames", [1, 7, 12, 23, 24, 25, 100, 150])
def test_a_loop_has_the_frames_asked_for(sampler: WindowSampler, frames: int):
    loop = mel_loop(sampler, seed_noise(8, 0), frames)
    assert loop.shape == (8, frames) and loop.dtype == np.float32
    assert np.isfinite(loop).all()


@pytest.mark.parametrize("frames", [24, 48, 120])
def test_a_loop_is_its_noise_going_round(sampler: WindowSampler, frames: int):
    """This network minds what it is told by a hundredth; the rest is noise, turned by how far the stream had come."""
    loop = sampler.standardised(mel_loop(sampler, seed_noise(8, 2), frames))
    noise = np.roll(seed_noise(8, 2)(0, frames), -24, axis=1)
    assert np.corrcoef(loop.ravel(), noise.ravel())[0, 1] > 0.99


def test_the_wrap_changes_no_more_than_its_middle(sampler: WindowSampler):
    steps = []
    for seed in range(30):
        loop = mel_loop(sampler, seed_noise(8, seed), 60)
        steps.append(np.abs(loop - np.roll(loop, 1, axis=1)).mean(axis=0))
    mean = np.mean(steps, axis=0)
    assert mean[[0, 1, -1]].max() < mean[2:-1].max() * 1.1
