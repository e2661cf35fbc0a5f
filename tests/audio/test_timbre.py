"""What a stretch of music sounds like: the same at any level, and other numbers for other music."""

import numpy as np
import pytest

from halfstep.audio.timbre import GROUPS, KINDS, timbre


@pytest.mark.parametrize(("bands", "groups"), [(192, GROUPS), (100, GROUPS), (8, 8)])
def test_there_are_as_many_numbers_whatever_the_level(bands: int, groups: int):
    music = np.random.default_rng(0).standard_normal((bands, 50)).astype(np.float32)
    numbers = timbre(music)
    assert numbers.shape == (KINDS * groups,)
    np.testing.assert_allclose(timbre(music + np.float32(2.5)), numbers, atol=1e-5)


def test_each_kind_of_number_says_its_own():
    """A tilt, a level that swells, steps from frame to frame, and bands that stand out: one kind of number each."""
    bands, frames = np.arange(24.0)[:, None], np.arange(64.0)[None]
    level, varies, moves, stands_out = (np.s_[24 * kind : 24 * (kind + 1)] for kind in range(4))
    tilted = timbre(bands - 11.5 + 0 * frames)
    np.testing.assert_allclose(tilted[level], np.arange(24) - 11.5)
    assert not tilted[varies].any()
    assert not tilted[moves].any()
    np.testing.assert_allclose(tilted[stands_out][1:-1], 0, atol=1e-12)
    swelling = timbre(0 * bands + np.where(frames < 32, -1.0, 1.0))
    np.testing.assert_allclose(swelling[varies], 1)
    np.testing.assert_allclose(swelling[moves], 2 / 63)
    combed = timbre((bands % 2) + 0 * frames)
    np.testing.assert_allclose(combed[stands_out][1:-1], 2)
