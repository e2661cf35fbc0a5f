"""The slower rate's frames: spectra of the same sound, and what bands say of them."""

import numpy as np
import pytest

from halfstep.audio.bass import as_complex, as_parts
from halfstep.audio.bass_grid import _band_weights, bass_bins, bass_grid, fitted_bins
from halfstep.audio.mel import MelConfig, band_edges_hz, log_mel

MEL = MelConfig()
LONG = MelConfig(n_fft=8192, window_length=4096, n_mels=192, fmin_hz=30, spacing="log")


def test_frames_of_the_slower_rate_are_those_of_a_low_tone():
    """A tone below its reach, windowed: the grid's analysis gives the lowest bins of the whole frame's spectrum."""
    grid, bins = bass_grid(MEL), bass_bins(MEL)
    t = np.arange(MEL.n_fft) / MEL.sample_rate
    tone = np.sin(2 * np.pi * 300 * t + 1).astype(np.float32)
    window = np.hanning(MEL.n_fft + 1)[:-1]
    whole = np.fft.rfft(tone * window)[:bins]
    result = as_complex((tone[:: MEL.n_fft // len(grid.squares)] @ grid.analysis)[None])[0]
    np.testing.assert_allclose(result[:58], whole[:58], atol=1e-2)  # of 512
    back = as_parts(result[None]) @ grid.synthesis
    np.testing.assert_allclose(back[0], tone[::16] * grid.squares, atol=1e-3)


def test_how_many_bins_there_are_follows_from_the_slower_rate():
    """At 8 kHz half of the rate is the slowest that carries 1.2 kHz; at 44.1 kHz a 16th."""
    half = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20)
    assert (bass_bins(half), fitted_bins(half)) == (64, 64)
    assert (bass_bins(LONG), fitted_bins(LONG)) == (64, 128)
    assert fitted_bins(MelConfig(sample_rate=2000, n_fft=256, hop_length=64, n_mels=16)) == 0


def test_a_band_narrower_than_a_bin_band_weights_its_two_nearest():
    band_weights = _band_weights(LONG)
    centres = band_edges_hz(LONG)[1:-1] * LONG.window / LONG.sample_rate
    for band in range(1, 12):  # their edges are less than a bin away
        (nearest,) = np.nonzero(band_weights[band])
        assert nearest.tolist() == [int(centres[band]), int(centres[band]) + 1]
        np.testing.assert_allclose(band_weights[band, nearest[1]], centres[band] % 1)
        assert band_weights[band].sum() == pytest.approx(1)
    below = band_weights[0, : int(centres[0]) + 1]
    assert below[0] == 0 and (below[1:] > 0).all()  # the lowest has all that is below it but DC


def test_bins_that_bands_share_whole_have_no_level_of_their_own():
    """Those above have: what bands have of the first of them grows less, up to none."""
    grid, bins = bass_grid(LONG), fitted_bins(LONG)
    shares = grid.spread[:, 1:bins].sum(axis=0)  # but DC
    first = int(np.argmax(shares > 1 + 1e-5))
    assert first > 100
    np.testing.assert_allclose(shares[:first], 1, atol=1e-5)
    assert shares[first] < 2
    assert (np.diff(shares[first:]) < 1e-5).all()
    assert shares[-1] == 1


def test_bands_of_a_long_window_say_what_the_slower_rates_spectra_have():
    """Of tones at and between the bins of the window, down to where bands are narrower than these: within 5 %."""
    grid, by = bass_grid(LONG), 16
    seconds = np.arange(20 * LONG.hop_length) / LONG.sample_rate
    for hertz in (41.2, 150.0, 377.0, 587.3, 812.0):
        tone = np.sin(2 * np.pi * hertz * seconds).astype(np.float32)
        begin = 10 * LONG.hop_length - LONG.lead
        spectrum = tone[begin : begin + LONG.window : by] @ grid.analysis
        magnitude = np.sqrt(np.square(spectrum) @ grid.pairs)
        said = np.exp(log_mel(tone, LONG)[:, 10]) @ grid.targets
        loud = said > 0.1 * said.max()
        np.testing.assert_allclose((magnitude @ grid.filters)[loud], said[loud], rtol=0.05)
