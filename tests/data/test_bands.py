import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from halfstep.data.bands import SMALLEST_STD, BandMoments, merged, moments_of


@given(sizes=st.lists(st.integers(1, 50), min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_merged_parts_are_the_moments_of_all(sizes, seed):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(-6, 2, (size, 5)) for size in sizes]
    total = merged(moments_of(part) for part in parts)
    values = np.concatenate(parts)
    assert total.count == len(values)
    np.testing.assert_allclose(total.mean, values.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(total.std, np.maximum(values.std(axis=0), SMALLEST_STD), rtol=1e-9)


def test_a_long_constant_does_not_lose_its_digits():
    """Sums of squares in single precision would."""
    total = merged(moments_of(np.full((1000, 1), -11.5) + 1e-3 * (i % 2)) for i in range(1000))
    np.testing.assert_allclose(total.squared / total.count, (0.5e-3) ** 2, rtol=1e-6)


def test_a_band_that_never_changes_gets_the_smallest_deviation():
    assert moments_of(np.full((10, 2), -11.5)).std.tolist() == [SMALLEST_STD] * 2


def test_json_keeps_every_bit():
    moments = moments_of(np.random.default_rng(0).normal(size=(7, 3)))
    back = BandMoments.from_json(json.loads(json.dumps(moments.to_json())))
    assert back.count == 7
    np.testing.assert_array_equal(back.mean, moments.mean)
    np.testing.assert_array_equal(back.squared, moments.squared)
