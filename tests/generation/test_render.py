"""Waveform blocks: cut anywhere, they are the same samples, and none leaves [-1, 1]."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.audio.limiter import CEILING, limit
from halfstep.generation.render import equal_blocks, first_samples, unlimited, without_first

blocks_of_ramp = st.lists(st.integers(0, 7), max_size=8).map(
    lambda sizes: [
        np.arange(stop - size, stop, dtype=np.float32)[None]
        for size, stop in zip(sizes, itertools.accumulate(sizes), strict=True)
    ]
)


class Holding:
    """A vocoder that repeats the first band and always keeps three frames back."""

    def __init__(self) -> None:
        self.held = np.zeros(0, np.float32)

    def push(self, log_mel: np.ndarray) -> np.ndarray:
        joined = np.concatenate([self.held, log_mel[0]])
        self.held = joined[max(0, len(joined) - 3) :]
        return joined[: len(joined) - len(self.held)]

    def finish(self) -> np.ndarray:
        return self.held

    def loop(self, log_mel: np.ndarray) -> np.ndarray:
        return log_mel[0]


@given(cuts=st.lists(st.integers(0, 20), max_size=5))
def test_how_the_mel_is_cut_changes_nothing(cuts: list[int]):
    mel = np.linspace(-2, 2, 20, dtype=np.float32)[None]
    whole = np.concatenate(list(unlimited([mel], Holding())), axis=1)
    pieces = np.split(mel, sorted(cuts), axis=1)
    np.testing.assert_array_equal(np.concatenate(list(unlimited(pieces, Holding())), axis=1), whole)
    np.testing.assert_array_equal(whole, mel)


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=1, max_size=50))
def test_no_sample_leaves_the_ceiling_and_none_changes_sign_or_rank(values: list[float]):
    samples = np.array([sorted(values)], np.float32)
    out = limit(samples)
    assert out.dtype == np.float32
    assert np.abs(out).max() <= np.float32(CEILING)
    assert (np.diff(out) >= 0).all()
    assert (np.sign(out) * np.sign(samples) >= 0).all()


def test_below_the_knee_the_limiter_is_a_gain_of_minus_3_db():
    quiet = np.linspace(-1.2, 1.2, 101, dtype=np.float32)[None]
    np.testing.assert_allclose(limit(quiet), quiet * 10 ** (-3 / 20), rtol=1e-6)
    assert limit(np.full((1, 1), 1.4, np.float32))[0, 0] < 1.4 * 10 ** (-3 / 20)


def test_the_knee_is_smooth():
    over = np.linspace(1.2, 1.4, 201, dtype=np.float32)[None]
    slope = np.diff(limit(over)[0]) / np.diff(over[0])
    assert np.abs(np.diff(slope)).max() < 0.02


@given(blocks=blocks_of_ramp, size=st.integers(1, 9))
def test_equal_blocks_hold_the_same_samples(blocks: list[np.ndarray], size: int):
    equal = list(equal_blocks(blocks, size))
    total = sum(block.shape[1] for block in blocks)
    assert [block.shape for block in equal[:-1]] == [(1, size)] * (len(equal) - 1)
    joined = np.concatenate([np.zeros((1, 0)), *equal], axis=1)[0]
    np.testing.assert_array_equal(joined, np.arange(total))


@given(blocks=blocks_of_ramp, count=st.integers(1, 60))
def test_the_first_samples_are_the_first(blocks: list[np.ndarray], count: int):
    total = sum(block.shape[1] for block in blocks)
    joined = np.concatenate([np.zeros((1, 0)), *first_samples(blocks, count)], axis=1)[0]
    np.testing.assert_array_equal(joined, np.arange(min(count, total)))


@given(blocks=blocks_of_ramp, count=st.integers(0, 60))
def test_without_the_first_samples_the_rest_is_left(blocks: list[np.ndarray], count: int):
    kept = list(without_first(blocks, count))
    assert all(block.size for block in kept)
    joined = np.concatenate([np.zeros((1, 0)), *kept], axis=1)[0]
    np.testing.assert_array_equal(joined, np.arange(count, sum(block.shape[1] for block in blocks)))


def test_no_block_is_asked_for_beyond_the_last_sample():
    asked = itertools.count()
    endless = (np.full((1, 10), next(asked), np.float32) for _ in itertools.repeat(0))
    assert sum(block.shape[1] for block in first_samples(endless, 20)) == 20
    assert next(asked) == 2


@pytest.mark.parametrize("size", [1, 5])
def test_an_endless_source_is_cut_as_it_comes(size: int):
    endless = (np.zeros((1, 3), np.float32) for _ in itertools.repeat(0))
    assert next(equal_blocks(endless, size)).shape == (1, size)
