"""Windows cut into what a judge hears at once."""

import numpy as np
import pytest

from halfstep.metrics.judges.pieces import pieces


@pytest.mark.parametrize(("length", "count"), [(100, 1), (199, 1), (200, 2), (345, 3)])
def test_whole_pieces_spread_evenly_and_none_overlapping(length: int, count: int):
    samples = np.arange(length, dtype=np.float32)[None]
    cut = pieces(samples, 100)[0]
    assert cut.shape == (count, 100)
    assert (np.diff(cut) == 1).all()
    starts = cut[:, 0]
    assert (np.diff(starts) >= 100).all()
    # As much is left out before the first as after the last, but for what does not divide.
    assert abs(starts[0] - (length - 1 - cut[-1, -1])) <= count


def test_a_short_window_is_repeated():
    np.testing.assert_array_equal(pieces(np.array([[1, 2, 3]], np.float32), 7), [[[1, 2, 3, 1, 2, 3, 1]]])


def test_an_empty_window_is_refused():
    with pytest.raises(ValueError, match="0 samples"):
        pieces(np.zeros((2, 0), np.float32), 7)
