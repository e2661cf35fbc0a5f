"""Loops: of exactly the frames asked for, and periodic where the noise is."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import Manifest, open_folder
from halfstep.generation import loops
from halfstep.generation.canvas import Canvas
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.loops import mel_loop
from halfstep.generation.noise import repeating, seed_noise
from halfstep.generation.window import Layout, WindowSampler


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


def test_the_wrap_is_where_the_stream_beyond_the_period_passes_into_its_beginning(
    sampler: WindowSampler, monkeypatch: pytest.MonkeyPatch
):
    stream = np.random.default_rng(0).standard_normal((8, 24 + 48 + 6)).astype(np.float32)
    monkeypatch.setattr(sampler, "layout", Layout(frames=24, grain=4, overlap=8, crossfade=6))
    monkeypatch.setattr(loops, "mel_stream", lambda *_: iter(np.split(stream, [10, 50], axis=1)))
    shares: list[float] = []
    loop = mel_loop(sampler, seed_noise(8, 0), 48, shares.append)
    period = np.concatenate([crossfaded(stream[:, 72:], stream[:, 24:30]), stream[:, 30:72]], axis=1)
    np.testing.assert_allclose(np.roll(loop, 3, axis=1), period, atol=1e-5)
    np.testing.assert_allclose(shares, [10 / 78, 50 / 78, 1])


@pytest.mark.parametrize(("frames", "gap"), [(8, 4), (12, 6), (30, 8)])
def test_a_loop_under_snake_is_closed_by_a_gap_between_its_end_and_its_beginning(
    tiny_manifest: Manifest, monkeypatch: pytest.MonkeyPatch, frames: int, gap: int
):
    """Half a loop at most, or a third of a window. Two frames are crossfaded on either side of it, and the middle of
    the later crossfade is where the loop begins.
    """
    made = WindowSampler(lambda z_t, *_: z_t, dataclasses.replace(tiny_manifest, packing="snake"), 1)
    made.layout = Layout(frames=24, grain=12, overlap=4, crossfade=2)
    stream, end = np.tile(np.arange(100, 140, dtype=np.float32), (8, 1)), frames - gap

    def fill(_: WindowSampler, canvas: Canvas) -> np.ndarray:
        assert canvas.frames == gap and canvas.before is not None and canvas.after is not None
        np.testing.assert_array_equal(canvas.before, stream[:, end - 4 : end])
        np.testing.assert_array_equal(canvas.after, stream[:, :4])
        noise = repeating(seed_noise(8, 0), frames)
        np.testing.assert_array_equal(canvas.init_noise(0, gap + 4), noise(end, frames + 4))
        return np.tile(np.arange(4 + gap + 4, dtype=np.float32), (8, 1))

    monkeypatch.setattr(loops, "mel_stream", lambda *_: iter([stream]))
    monkeypatch.setattr(loops, "filled", fill)
    loop = mel_loop(made, seed_noise(8, 0), frames)
    np.testing.assert_array_equal(loop[0], [gap + 5, *range(102, 100 + end - 2), *range(2, gap + 5)])


def test_the_wrap_changes_no_more_than_its_middle(sampler: WindowSampler):
    steps = []
    for seed in range(30):
        loop = mel_loop(sampler, seed_noise(8, seed), 60)
        steps.append(np.abs(loop - np.roll(loop, 1, axis=1)).mean(axis=0))
    mean = np.mean(steps, axis=0)
    assert mean[[0, 1, -1]].max() < mean[2:-1].max() * 1.1
