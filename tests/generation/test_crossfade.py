"""One rendering passes into another: what agrees stays, what does not keeps its strength."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.generation.crossfade import _smoothed, crossfaded


def drawn(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((40, frames)).astype(np.float32)


@given(frames=st.integers(1, 40))
def test_two_that_agree_stay_as_they_are(frames: int):
    np.testing.assert_allclose(crossfaded(drawn(0, frames), drawn(0, frames)), drawn(0, frames), atol=1e-5)


def test_it_begins_as_the_old_and_ends_as_the_new():
    old, new = np.full((4, 99), -1, np.float32), np.full((4, 99), 1, np.float32)
    mixed = crossfaded(old, new)
    np.testing.assert_allclose(mixed[0], np.linspace(-0.98, 0.98, 99), atol=1e-5)
    assert mixed.dtype == np.float32


def test_what_moves_fast_is_as_strong_in_the_middle_as_at_the_ends():
    old, new = drawn(1, 200), drawn(2, 200)
    strength = np.abs(np.diff(crossfaded(old, new), axis=1)).mean(axis=0)
    assert strength[90:110].mean() == pytest.approx(strength[[*range(10), *range(-10, 0)]].mean(), rel=0.05)
    plain = (old + new) / 2
    assert np.abs(np.diff(plain, axis=1)).mean() < 0.8 * strength[90:110].mean()


def test_what_is_slow_is_the_mean_over_nine_frames_or_those_there_are():
    impulses = np.zeros((2, 21), np.float32)
    impulses[0, 10] = impulses[1, 0] = 90
    wanted = np.zeros((2, 21))
    wanted[0, 6:15] = 10
    wanted[1, :5] = 90 / np.arange(5, 10)
    np.testing.assert_allclose(_smoothed(impulses), wanted, atol=1e-5)


@pytest.mark.parametrize(("sign", "gain"), [(1, 1.0), (-1, 0.5 / np.sqrt(0.625))])
def test_what_moves_against_itself_is_raised_as_if_it_were_strange(sign: int, gain: float):
    """A quarter of the way: .75 - .25 of what moves, over the root of .75^2 + .25^2."""
    old = np.tile([1, -1], 200)[None, :399].astype(np.float32)
    mixed = crossfaded(old, sign * old)
    np.testing.assert_allclose(np.abs(mixed[0, 99]), gain, rtol=0.07)
