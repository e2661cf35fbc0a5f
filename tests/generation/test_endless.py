"""The mel without end: the same whatever is asked for first, continued from itself, K calls a window."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import Manifest, open_folder
from halfstep.generation.endless import mel_stream, opening
from halfstep.generation.noise import BESIDE, seed_noise
from halfstep.generation.window import Layout, Network, Painter


def take(blocks, count: int) -> np.ndarray:
    return np.concatenate(list(itertools.islice(blocks, count)), axis=1)


@pytest.fixture
def manifest(tiny_model: Path) -> Manifest:
    return open_folder(tiny_model).manifest


def painter(manifest: Manifest, network: Network, steps: int = 4) -> Painter:
    return Painter(network, manifest, steps)


@pytest.mark.parametrize("steps", [1, 4])
def test_steps_are_network_calls(manifest: Manifest, steps: int):
    calls: list[float] = []

    def network(z_t, alpha_t, sigma_t, aligned):
        calls.append(alpha_t**2 + sigma_t**2)
        return z_t

    take(mel_stream(painter(manifest, network, steps), seed_noise(8, 0)), 3)
    np.testing.assert_allclose(calls, [1.0] * 3 * steps)


def test_each_window_is_shown_what_came_before_but_its_last_frames(manifest: Manifest):
    """Windows of 24 overlap by 12, of which one is the transition: it is not shown, and so rendered anew."""
    shown: list[np.ndarray] = []
    network: Network = lambda z_t, alpha_t, sigma_t, aligned: (shown.append(aligned), z_t * 0)[1]  # noqa: E731
    size = (made := painter(manifest, network, steps=1)).layout
    assert (size.overlap, size.transition, size.hop) == (12, 1, 12)
    blocks = list(itertools.islice(mel_stream(made, seed_noise(8, 3)), 3))
    assert [block.shape[1] for block in blocks] == [23, 12, 12]
    assert not shown[0].any()
    piece = made.standardised(np.concatenate(blocks, axis=1))
    for index in (1, 2):
        known = manifest.packed.unpack(shown[index][0, :24].reshape(3, 8, 8))
        mask = manifest.packed.unpack(np.repeat(shown[index][0, 24:, None], 8, axis=1))
        np.testing.assert_array_equal(mask, np.broadcast_to(np.arange(24) < 11, (8, 24)))
        np.testing.assert_allclose(known[:, :11], piece[:, 12 * index : 12 * index + 11], atol=1e-5)
        assert not known[:, 11:].any()


def test_windows_share_their_noise_and_a_network_that_minds_nothing_else_leaves_no_trace(manifest: Manifest):
    """x_hat = z at t = 1: every frame is its own noise, whichever window it was made in."""
    made = painter(manifest, lambda z_t, *_: -z_t, steps=1)
    piece = take(mel_stream(made, seed_noise(8, 5)), 6)
    np.testing.assert_allclose(made.standardised(piece), seed_noise(8, 5)(0, piece.shape[1]), atol=1e-4)


def test_a_model_without_context_goes_on_by_holding_what_is_known(tmp_path: Path, write_model: Callable[..., Path]):
    folder = open_folder(write_model(tmp_path / "m", context=False, packing="snake"))
    made = painter(folder.manifest, folder.denoiser(4))
    assert take(mel_stream(made, seed_noise(8, 0)), 4).shape == (8, 23 + 3 * 12)


@pytest.mark.parametrize(("given", "first"), [(5, 23 - 4), (2, 23 - 1), (1, 23 - 1), (100, 23 - 11)])
def test_a_context_is_continued_and_only_its_end_rendered_anew(
    manifest: Manifest, tiny_model: Path, given: int, first: int
):
    made = painter(manifest, open_folder(tiny_model).denoiser(4))
    context = np.full((8, given), -4.0, np.float32)
    blocks = mel_stream(made, seed_noise(8, 0), context, seed_noise(8, 0, BESIDE))
    assert next(blocks).shape == (8, first)
    assert next(blocks).shape == (8, 12)


def test_nothing_is_quieter_than_the_floor(manifest: Manifest):
    blocks = take(mel_stream(painter(manifest, lambda z_t, *_: z_t * 100), seed_noise(8, 0)), 2)
    assert blocks.min() == np.float32(np.log(manifest.mel.floor))
    assert blocks.dtype == np.float32


def test_noise_fits_a_recording_ever_less_towards_its_end(manifest: Manifest, monkeypatch: pytest.MonkeyPatch):
    """Of 12 known frames 6 are rendered anew: nearly all of the first is wanted, next to nothing of the last."""
    made, asked = painter(manifest, lambda z_t, *_: z_t * 0, steps=1), []
    made.layout = Layout(frames=24, grain=12, overlap=12, transition=6)
    monkeypatch.setattr(made, "fitted", lambda noise, known, mask, wanted: (asked.append((mask, wanted)), noise)[1])
    opening(made, seed_noise(8, 0)(0, 24), np.ones((8, 12), np.float32))
    ((mask, wanted),) = asked
    np.testing.assert_array_equal(mask, np.arange(24) < 6)
    np.testing.assert_allclose(wanted[6:12], np.arange(6, 0, -1) / 7, rtol=1e-6)
    assert not wanted[:6].any()
    assert not wanted[12:].any()
