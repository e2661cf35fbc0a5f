"""Noise by the number of its frame: its own whatever is asked for, on the sphere between two seeds."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.generation.noise import (
    BOUNDARY,
    CHUNK_FRAMES,
    SEEDS,
    between,
    piece_noise,
    repeating,
    seed_noise,
    shifted,
    window_noise,
)

frames = st.integers(0, 4 * CHUNK_FRAMES)


@given(start=frames, count=frames, cut=frames)
def test_a_frame_has_its_noise_however_it_is_asked_for(start: int, count: int, cut: int):
    noise = seed_noise(3, 7)
    whole = noise(start, start + count)
    cut = start + min(cut, count)
    np.testing.assert_array_equal(whole, np.concatenate([noise(start, cut), noise(cut, start + count)], axis=1))
    assert whole.shape == (3, count) and whole.dtype == np.float32


def test_seeds_chunks_and_streams_are_strangers_to_each_other():
    drawn = [seed_noise(8, seed, stream)(at, at + 64) for seed in (0, 1) for stream in (0, BOUNDARY) for at in (0, 64)]
    for one, other in itertools.combinations(drawn, 2):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.2


def test_a_period_comes_again():
    noise = repeating(seed_noise(3, 1), 50)
    np.testing.assert_array_equal(noise(0, 50), seed_noise(3, 1)(0, 50))
    np.testing.assert_array_equal(noise(120, 175), np.tile(noise(0, 50), 4)[:, 120:175])


@pytest.mark.parametrize("along", [0.0, 0.3, 0.5, 1.0])
def test_between_two_seeds_noise_stays_unit_noise(along: float):
    one, other = seed_noise(16, 1), seed_noise(16, 2)
    mixed = between(one, other, lambda frame: np.full_like(frame, along))(0, 4000)
    assert mixed.std() == pytest.approx(1, abs=0.02)
    assert np.mean(mixed * one(0, 4000)) == pytest.approx(np.cos(np.pi / 2 * along), abs=0.02)
    if along in (0, 1):
        np.testing.assert_array_equal(mixed, (one, other)[int(along)](0, 4000))
    assert mixed.dtype == np.float32


def test_a_window_judged_apart_has_its_own_stretch():
    np.testing.assert_array_equal(window_noise(3, 7, 2, 10), seed_noise(3, 7)(20, 30))
    np.testing.assert_array_equal(shifted(seed_noise(3, 7), 10)(0, 5), seed_noise(3, 7)(10, 15))


def test_a_piece_is_its_seeds_own_or_on_the_way_to_another():
    """Drifting, half-way there at half of its frames, and there from the last on; varied, as far along everywhere."""
    own, next_one = seed_noise(3, SEEDS - 1)(0, 300), seed_noise(3, 0)(0, 300)

    def mixed(along: np.ndarray) -> np.ndarray:
        return np.cos(np.pi / 2 * along) * own + np.sin(np.pi / 2 * along) * next_one

    def found(toward: int | None, variation: float | None, frames: float = 200) -> np.ndarray:
        return piece_noise(3, SEEDS - 1, toward, variation, frames)(0, 300)

    np.testing.assert_array_equal(found(None, None), own)
    np.testing.assert_allclose(found(None, 0.25), mixed(np.array(0.25)), atol=1e-6)
    np.testing.assert_allclose(found(0, 0.25), mixed(np.array(0.25)), atol=1e-6)
    np.testing.assert_allclose(found(0, None), mixed(np.minimum(np.arange(300) / 200, 1)), atol=1e-6)
    np.testing.assert_array_equal(found(0, None)[:, 200:], next_one[:, 200:])
    np.testing.assert_array_equal(found(0, None, 0.5)[:, 1:], next_one[:, 1:])
