"""The mel without end: the same whatever is asked for first, continued from itself, K calls a window."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import Manifest, open_folder
from halfstep.generation.endless import context_frames, make_window, mel_stream, window_noise


def take(blocks, count: int) -> np.ndarray:
    return np.concatenate(list(itertools.islice(blocks, count)), axis=1)


@pytest.fixture
def manifest(tiny_model: Path) -> Manifest:
    return open_folder(tiny_model).manifest


def test_noise_of_a_window_is_its_own(manifest: Manifest):
    drawn = [window_noise(manifest, seed, index) for seed in (0, 1) for index in (0, 1)]
    for first, second in itertools.combinations(drawn, 2):
        assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.3
    np.testing.assert_array_equal(window_noise(manifest, 1, 1), drawn[3])
    assert drawn[0].dtype == np.float32


def test_gaussian_windows_have_the_gain_of_four_steps(manifest: Manifest, tiny_model: Path):
    """s2 = 1/4: each step multiplies z by (alpha_s alpha_t s2 + sigma_s sigma_t) / V_t."""
    noise = window_noise(manifest, 7, 0)
    window = make_window(open_folder(tiny_model).denoiser(4), manifest, 4, noise, np.zeros((8, 0), np.float32))
    gain, angles = 1.0, np.pi / 2 * np.arange(4, -1, -1) / 4
    for t, s in itertools.pairwise(angles):
        spread = np.cos(t) ** 2 / 4 + np.sin(t) ** 2
        gain *= (np.cos(s) * np.cos(t) / 4 + np.sin(s) * np.sin(t)) / spread
    unpacked = manifest.packed.unpack(noise.reshape(3, 8, 8))
    np.testing.assert_allclose(window, gain * unpacked, rtol=1e-4, atol=1e-6)
    assert window.dtype == np.float32


@pytest.mark.parametrize("steps", [1, 4])
def test_steps_are_network_calls(manifest: Manifest, steps: int):
    calls: list[float] = []

    def network(z_t, alpha_t, sigma_t, aligned):
        calls.append(alpha_t**2 + sigma_t**2)
        return z_t

    take(mel_stream(network, manifest, steps, seed=0), 3)
    np.testing.assert_allclose(calls, [1.0] * 3 * steps)


def test_each_window_is_shown_the_end_of_the_one_before(manifest: Manifest):
    shown: list[np.ndarray] = []
    network_of = lambda z_t, alpha_t, sigma_t, aligned: (shown.append(aligned), z_t * 0)[1]  # noqa: E731
    blocks = list(itertools.islice(mel_stream(network_of, manifest, steps=1, seed=3), 3))
    context = context_frames(manifest)
    assert [block.shape[1] for block in blocks] == [24, 24 - context, 24 - context]
    assert not shown[0].any()
    mean, std = np.array(manifest.band_mean)[:, None], np.array(manifest.band_std)[:, None]
    for index in (1, 2):
        known = manifest.packed.unpack(shown[index][0, :24].reshape(3, 8, 8))
        mask = manifest.packed.unpack(np.repeat(shown[index][0, 24:, None], 8, axis=1))
        np.testing.assert_array_equal(mask, np.broadcast_to(np.arange(24) < context, (8, 24)))
        past = (blocks[index - 1][:, -context:] - mean) / std
        np.testing.assert_allclose(known[:, :context], past, atol=1e-5)
        assert not known[:, context:].any()


@pytest.mark.parametrize("steps", [1, 4])
def test_known_frames_come_out_as_they_went_in(manifest: Manifest, tiny_model: Path, steps: int):
    past = np.random.default_rng(1).standard_normal((8, 10)).astype(np.float32)
    network = open_folder(tiny_model).denoiser(steps)
    window = make_window(network, manifest, steps, window_noise(manifest, 0, 0), past)
    np.testing.assert_allclose(window[:, :10], past, atol=1e-5)


def test_a_model_without_context_goes_on_by_holding_what_is_known(tmp_path: Path, write_model: Callable[..., Path]):
    folder = open_folder(write_model(tmp_path / "m", context=False, packing="snake"))
    assert take(mel_stream(folder.denoiser(4), folder.manifest, 4, seed=0), 4).shape == (8, 24 + 3 * 16)


def test_a_context_is_continued_not_repeated(manifest: Manifest, tiny_model: Path):
    network = open_folder(tiny_model).denoiser(4)
    short = np.full((8, 5), -4.0, np.float32)
    assert next(mel_stream(network, manifest, 4, 0, short)).shape == (8, 24 - 5)
    long = np.full((8, 100), -4.0, np.float32)
    assert next(mel_stream(network, manifest, 4, 0, long)).shape == (8, 24 - context_frames(manifest))


def test_nothing_is_quieter_than_the_floor(manifest: Manifest):
    blocks = take(mel_stream(lambda z_t, *_: z_t * 100, manifest, 4, 0), 2)
    assert blocks.min() == np.float32(np.log(manifest.mel.floor))
    assert blocks.dtype == np.float32
