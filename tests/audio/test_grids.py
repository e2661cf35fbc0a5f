import numpy as np
import pytest

from halfstep.audio.grids import filters_on_grid, synthesis_grid
from halfstep.audio.mel import MelConfig, band_edges_hz, filterbank

LONG = MelConfig(n_fft=8192, window_length=4096, n_mels=192, fmin_hz=30, spacing="log")


def test_a_mel_is_its_own_grid_and_bands_of_a_long_window_are_sounded_in_frames_of_four_hops():
    assert synthesis_grid(MelConfig()) == MelConfig()
    np.testing.assert_array_equal(filters_on_grid(MelConfig()), filterbank(MelConfig()))
    grid = synthesis_grid(LONG)
    assert (grid.n_fft, grid.hop_length, grid.sample_rate) == (2048, 512, 44100)
    # Frames of both begin so that their middles meet.
    assert grid.lead - grid.window / 2 == LONG.lead - LONG.window / 2


def test_what_is_its_own_grid_is_so_at_any_size_and_a_frame_of_256_samples_has_64_bands():
    own = MelConfig(hop_length=256)
    assert synthesis_grid(own) is own
    for other in (MelConfig(hop_length=256, window_length=1024), MelConfig(hop_length=256, spacing="log")):
        grid = synthesis_grid(other)
        assert (grid.n_fft, grid.n_mels, grid.spacing) == (1024, 64, "slaney")
    assert synthesis_grid(MelConfig(hop_length=1024, spacing="log")).n_mels == 128


def test_every_band_hears_bins_around_its_centre_and_every_bin_is_heard():
    filters, hertz = filters_on_grid(LONG), np.arange(1025) * 44100 / 2048
    assert filters.shape == (192, 1025)
    np.testing.assert_allclose(filters.sum(axis=1), 1, rtol=1e-5)
    edges = band_edges_hz(LONG)
    np.testing.assert_allclose(filters @ hertz, (edges[:-2] + edges[1:-1] + edges[2:]) / 3, rtol=1e-3, atol=0.1)
    assert filters[:, 1:-1].any(axis=0).all()


@pytest.mark.parametrize("band", [0, 100, 190])
def test_a_level_spectrum_has_that_level_in_every_band(band):
    assert filters_on_grid(LONG)[band] @ np.full(1025, 3.0) == pytest.approx(3.0, rel=1e-5)
