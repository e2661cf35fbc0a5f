"""Windows from everywhere: the recording under a mel is that mel's, and a number gives the same window always."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.mel import log_mel
from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.evaluation.control_report import repeated
from halfstep.evaluation.sounds import Sounds, noise_mels, recordings, source_paths, stored_mels

FRAMES = 96


def test_places_are_those_of_even_windows(data: Path):
    library = Library(data)
    windows = Windows(library, "train", FRAMES)
    stored = stored_mels(library, windows.places(7), FRAMES)(range(7))
    standard = (stored - library.band_mean[:, None]) / library.band_std[:, None]
    np.testing.assert_allclose(standard, windows.evenly(7), atol=1e-5)


def test_a_recorded_window_has_the_mel_that_is_stored(data: Path):
    """But for the frames at its edges, which see what is beyond."""
    library = Library(data)
    places = Windows(library, "train", FRAMES).places(5)
    samples = recordings(places, source_paths(library), library.mel, FRAMES)(range(5)).samples
    assert samples.shape == (5, FRAMES * library.mel.hop_length)
    stored = stored_mels(library, places, FRAMES)(range(5))
    difference = np.abs(log_mel(samples, library.mel) - stored)[:, :, 4:-4]
    assert np.median(difference) < 0.01


def test_of_a_mel_with_an_image_a_recorded_window_has_both_channels(data: Path):
    """Of recordings of one channel the same twice."""
    library = Library(data)
    places = Windows(library, "train", FRAMES).apart(2)
    paths, stereo = source_paths(library), replace(library.mel, image_bands=4)
    alone, pairs = (recordings(places, paths, mel, FRAMES)(range(2)) for mel in (library.mel, stereo))
    assert pairs.samples.shape == (2, 2, FRAMES * library.mel.hop_length)
    np.testing.assert_allclose(pairs.samples, np.repeat(alone.samples[:, None], 2, axis=1), atol=1e-6)
    np.testing.assert_allclose(pairs.mids, alone.mids, atol=1e-6)


def test_recordings_that_are_gone_are_not_named(data: Path, music: Path, tmp_path: Path):
    library = Library(data)
    assert set(source_paths(library)) == {track.id for track in library.tracks}
    gone = sorted(music.glob("*.flac"))[0]
    aside = gone.rename(tmp_path / gone.name)
    try:
        assert len(source_paths(library)) == len(library.tracks) - 1
    finally:
        aside.rename(gone)


@pytest.mark.parametrize("numbers", [range(4), range(2, 3)])
def test_a_window_of_noise_follows_from_its_number(data: Path, numbers: range):
    library = Library(data)
    whole = noise_mels(library, FRAMES, 3)(range(4))
    np.testing.assert_array_equal(noise_mels(library, FRAMES, 3)(numbers), whole[numbers.start : numbers.stop])
    standard = (whole - library.band_mean[:, None]) / library.band_std[:, None]
    assert abs(standard[:, 20:60].std() - 1) < 0.05


def test_what_is_repeated_is_one_second_within_a_window_and_over_all():
    windows = np.random.default_rng(0).standard_normal((9, 4500)).astype(np.float32)
    source = repeated(lambda numbers: Sounds(windows[numbers.start : numbers.stop]), 4, 1000)
    samples = source(range(2, 5)).samples
    assert samples.shape == (3, 4500)
    np.testing.assert_array_equal(samples[:, :1000], np.repeat(windows[4:5, 1750:2750], 3, axis=0))
    np.testing.assert_array_equal(samples[:, 3000:4000], samples[:, :1000])
