"""Every form of a prediction says the same."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from halfstep.diffusion.forms import (
    PARAMETERIZATIONS,
    eps_from_v,
    eps_from_x,
    v_from_both,
    v_from_eps,
    v_from_x,
    velocity,
    x_from_eps,
    x_from_v,
)
from halfstep.diffusion.rates import Rates, cosine_rates
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import LOG_SNR_LIMIT, Denoiser, log_snr, rates_like

number = st.floats(-5, 5).map(np.float64)


@given(x=number, eps=number, t=st.floats(0.01, 0.99))
def test_six_ways_round(x, eps, t):
    """x -> v -> eps -> x and back: all six conversions agree with the x and eps that made z_t."""
    at_t = cosine_rates(t)
    z_t, v = at_t.alpha * x + at_t.sigma * eps, velocity(x, eps, at_t)
    close = functools.partial(pytest.approx, rel=1e-9, abs=1e-9)
    assert x_from_v(v, z_t, at_t) == close(x)
    assert eps_from_v(v, z_t, at_t) == close(eps)
    assert v_from_x(x, z_t, at_t) == close(v)
    assert v_from_eps(eps, z_t, at_t) == close(v)
    assert eps_from_x(x, z_t, at_t) == close(eps)
    assert x_from_eps(eps, z_t, at_t) == close(x)


@given(x=number, eps=number, z_t=number, t=st.floats(0.001, 1))
def test_both_heads_blend_as_the_paper_says(x, eps, z_t, t):
    """x_hat = sigma^2 x~ + alpha (z_t - sigma eps~), also where the heads disagree with z_t, and at t = 1."""
    at_t = cosine_rates(t)
    both = v_from_both(np.array([[[x], [x + 1], [eps], [eps - 1]]]), np.array([[[z_t], [z_t]]]), at_t)
    assert both.shape == (1, 2, 1)
    v = both[0, 0, 0]
    assert both[0, 1, 0] == pytest.approx(v - at_t.alpha - at_t.sigma, abs=1e-9)
    blended = at_t.sigma**2 * x + at_t.alpha * (z_t - at_t.sigma * eps)
    assert x_from_v(v, z_t, at_t) == pytest.approx(blended, rel=1e-9, abs=1e-9)


def test_only_two_predictions_at_once_take_two_heads():
    assert {name: form.heads for name, form in PARAMETERIZATIONS.items()} == {"x": 1, "eps": 1, "v": 1, "both": 2}


def test_only_eps_cannot_be_distilled():
    assert [name for name, p in PARAMETERIZATIONS.items() if not p.distillable] == ["eps"]


def test_log_snr_is_finite_at_both_ends_and_exact_between():
    t = np.array([0, 0.1, 0.25, 0.5, 0.75, 0.9, 1])
    result = log_snr(rates_like(cosine_rates(t), torch.zeros(7, 1, 1, dtype=torch.float64))).flatten().exp().numpy()
    np.testing.assert_allclose(result[1:-1], [39.8635, 5.82843, 1, 0.171573, 0.0250856], rtol=1e-5)
    assert np.log(result[0]) == pytest.approx(LOG_SNR_LIMIT)
    assert np.log(result[-1]) == pytest.approx(-LOG_SNR_LIMIT)


def test_denoiser_shows_the_network_log_snr_and_gives_v():
    seen = []

    class Net(torch.nn.Module):
        def forward(self, z_t, log_snr, condition):
            seen.append(log_snr)
            return torch.full_like(z_t, 0.5)

    z_t = torch.randn(2, 3, 4)
    at_t = rates_like(cosine_rates(np.array([0.5, 1.0])), z_t)
    v = Denoiser(Net(), "x")(z_t, at_t, Condition())
    torch.testing.assert_close(seen[0], torch.tensor([0.0, -20.0]), atol=1e-6, rtol=0)
    torch.testing.assert_close(x_from_v(v, z_t, at_t), torch.full_like(z_t, 0.5))


def test_rates_are_made_in_float64_and_exact_in_float32():
    at_t = rates_like(cosine_rates(np.array([1.0])), torch.zeros(1, 2, 2))
    assert at_t == Rates(torch.tensor([[[0.0]]]), torch.tensor([[[1.0]]]))
