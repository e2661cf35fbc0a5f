import numpy as np
import pytest

from halfstep.audio.chroma import hz_of
from halfstep.audio.files.io import read
from halfstep.data.synthetic import piece, pluck, write_pieces


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_piece_is_as_long_and_loud_as_it_says_and_never_silent(rate):
    samples = piece(3.0, 5, rate)
    assert samples.shape == (1, 3 * rate)
    assert samples.dtype == np.float32
    assert np.abs(samples).max() == pytest.approx(0.7)
    halves = np.square(samples[0]).reshape(6, -1).mean(axis=1)
    assert halves.min() > 1e-4


def test_the_seed_is_the_piece():
    np.testing.assert_array_equal(piece(1.0, 1), piece(1.0, 1))
    assert np.abs(piece(1.0, 1) - piece(1.0, 2)).max() > 0.1


def test_a_string_sounds_at_its_pitch_and_dies_away():
    note = pluck(hz_of(69), 0.8, 44100)
    spectrum = np.abs(np.fft.rfft(note[:44100]))
    assert np.argmax(spectrum) == 440
    assert np.abs(note[-4410:]).max() < 0.1 * np.abs(note).max()


def test_pieces_are_written_for_prepare_to_find(tmp_path):
    paths = write_pieces(tmp_path / "new", 2, 0.5, seed=7, sample_rate=8000)
    assert [path.name for path in paths] == ["synthetic-0007.flac", "synthetic-0008.flac"]
    assert read(paths[1]).samples.shape == (1, 4000)
