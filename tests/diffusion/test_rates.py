"""Rates: exact at both ends, and of unit variance between."""

import numpy as np

from halfstep.diffusion.rates import Rates, cosine_rates


def test_rates_are_exact_at_both_ends():
    assert cosine_rates(1.0) == Rates(0.0, 1.0)
    assert cosine_rates(0.0) == Rates(1.0, 0.0)


def test_rates_keep_the_variance():
    t = np.linspace(0, 1, 1001)
    alpha, sigma = cosine_rates(t)
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, atol=1e-15)
