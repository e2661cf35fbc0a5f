"""Long-term spectra: what a network exaggerates is taken back, slowly, and of new frames alone."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halfstep.bundle import Manifest, Stationary, open_folder
from halfstep.generation.canvas import Canvas, Restyled, filled, mel_stream
from halfstep.generation.noise import seed_noise
from halfstep.generation.stationary import band_smoothing, held_stationary, shares
from halfstep.generation.window import WindowSampler

EXAGGERATES = 1.2


def exaggerating(z_t, alpha_t, sigma_t, aligned):
    """v of the x that is 1.2 times the mean of what is known, everywhere; .5 where nothing is. With t = 1, x = -v."""
    known, mask = aligned[:, :24], aligned[:, 24:]
    share = mask.mean()
    level = EXAGGERATES * known.mean() / share if share else 0.5
    return np.full_like(z_t, -level)


@pytest.fixture
def manifest(tiny_model: Path) -> Manifest:
    return open_folder(tiny_model).manifest


def levels(manifest: Manifest, windows: int) -> list[float]:
    """The mean, in deviations of the bands, at the end of each window of a stream."""
    made = WindowSampler(exaggerating, manifest, 1)
    blocks = itertools.islice(mel_stream(made, Canvas(init_noise=seed_noise(8, 0))), windows)
    return [float(made.standardised(block)[:, -4:].mean()) for block in blocks]


def test_a_stream_of_a_network_that_exaggerates_its_context_runs_away(manifest: Manifest):
    rising = levels(manifest, 5)
    np.testing.assert_allclose(rising[1:3], [0.5 * 1.2, 0.5 * 1.2**2], rtol=0.06)
    assert rising == sorted(rising)


def test_what_is_taken_back_holds_it(manifest: Manifest):
    """At 1.2 - .4 of the context's level it falls by a part of itself, window after window, and never rises."""
    steady = replace(manifest, stationary=Stationary(pull=0.4, detail=0.4, bias=0.0, contrast=1.0))
    falling = levels(steady, 20)
    assert falling == sorted(falling, reverse=True)
    assert 0 < falling[-1] < 0.1 * falling[0]


def test_the_last_frame_is_off_by_pull_times_the_context_and_the_bias():
    window = np.full((16, 40), 2.0, np.float32)
    window[:, 10:] = 3.0
    out = held_stationary(window, *shares(40, 10), Stationary(pull=0.25, detail=0, bias=0.125, contrast=1.5), 16)
    np.testing.assert_allclose(out[:, :10], window[:, :10], atol=1e-6)
    np.testing.assert_allclose(out[:, -15:], 3 - 0.25 * 2 - 0.125, atol=1e-5)
    np.testing.assert_allclose(np.diff(out[0, 9:25]), [1 - 0.625 / 15] + [-0.625 / 15] * 14, atol=1e-5)


def test_detail_is_what_the_shape_leaves():
    """A ripple from band to band, which smoothing all but takes out, is taken back by `detail`, not by `pull`."""
    ripple = np.where(np.arange(48) % 2, 1.0, -1.0).astype(np.float32)[:, None]
    window = np.repeat(ripple, 40, axis=1)
    by_pull, by_detail = (
        held_stationary(window, *shares(40, 10), Stationary(pull=pull, detail=detail, bias=0, contrast=1), 48)
        for pull, detail in ((0.5, 0), (0, 0.5))
    )
    np.testing.assert_allclose(by_pull[8:-8], window[8:-8], atol=0.01)
    np.testing.assert_allclose(by_detail[8:-8, -1], 0.5 * ripple[8:-8, 0], atol=0.01)


def test_contrast_scales_what_differs_from_the_windows_own_spectrum():
    rng = np.random.default_rng(0)
    window = rng.standard_normal((16, 64)).astype(np.float32)
    past, fresh, ramp = shares(64, 16)
    out = held_stationary(window, past, fresh, ramp, Stationary(pull=0, detail=0, bias=0, contrast=1.25), 16)
    own = band_smoothing(16) @ window[:, 16:].mean(axis=1, keepdims=True)
    np.testing.assert_allclose(out[:, 40:] - own, 1.25 * (window[:, 40:] - own), atol=1e-5)


def test_an_image_below_the_bands_stays_as_it_is():
    rng, led = np.random.default_rng(0), Stationary(pull=0.3, detail=0.2, bias=0.1, contrast=1.25)
    window = rng.standard_normal((22, 64)).astype(np.float32)
    out = held_stationary(window, *shares(64, 16), led, 16)
    np.testing.assert_array_equal(out[:16], held_stationary(window[:16], *shares(64, 16), led, 16))
    np.testing.assert_array_equal(out[16:], window[16:])


def test_shares_are_means_and_a_ramp_that_is_full_half_way():
    past, fresh, ramp = shares(40, 10)
    np.testing.assert_allclose([past.sum(), fresh.sum(), past[10:].sum(), fresh[:10].sum()], [1, 1, 0, 0], atol=1e-6)
    assert (ramp[9], ramp[10], ramp[24]) == (0, pytest.approx(1 / 15), 1)


def test_smoothing_keeps_a_constant_and_spreads_a_peak_evenly():
    matrix = band_smoothing(48)
    np.testing.assert_allclose(matrix @ np.full(48, 2.5, np.float32), 2.5, rtol=1e-6)
    column = matrix[:, 24]
    np.testing.assert_allclose(column[18:31], column[18:31][::-1], atol=1e-7)
    np.testing.assert_allclose((column.sum(), column[24]), (1, 1 / 6), rtol=1e-5)


def test_the_window_that_closes_a_gap_is_as_the_network_gives_it(manifest: Manifest):
    """It meets what comes after: nothing leads it away from there."""
    recorded = np.zeros((8, 12), np.float32)
    steady = replace(manifest, stationary=Stationary(pull=0.4, detail=0.3, bias=0.5, contrast=1.5))
    parts = {"before": recorded, "after": recorded, "frames": 6, "boundary_noise": seed_noise(8, 1)}
    one, other = (
        filled(WindowSampler(exaggerating, which, 1), Canvas(init_noise=seed_noise(8, 0), **parts))
        for which in (manifest, steady)
    )
    np.testing.assert_array_equal(one, other)


def test_a_free_piece_is_held_stationary_where_nothing_of_a_recording_is_left_too(tiny_model: Path):
    """At strength 1 it is the free piece; below, the recording holds what is made where it is."""
    folder = open_folder(tiny_model)
    steady = replace(folder.manifest, stationary=Stationary(pull=0.4, detail=0.4, bias=0.0, contrast=1.0))
    old = np.full((8, 64), -4.0, np.float32)

    def frames(strength: float | None, manifest: Manifest) -> np.ndarray:
        restyled = None if strength is None else Restyled(lambda start, stop: old[:, : stop - start], strength)
        made = WindowSampler(folder.denoiser(4), manifest, 4)
        blocks = mel_stream(made, Canvas(init_noise=seed_noise(8, 0), restyled=restyled))
        return np.concatenate(list(itertools.islice(blocks, 3)), axis=1)

    np.testing.assert_array_equal(frames(1.0, steady), frames(None, steady))
    assert (frames(None, steady) != frames(None, folder.manifest)).any()
    np.testing.assert_array_equal(frames(0.5, steady), frames(0.5, folder.manifest))
