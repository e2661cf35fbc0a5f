"""Weights against their golden numbers; what is given does not count."""

import numpy as np
import pytest
import torch

from halfstep.diffusion.forms import velocity, x_from_v
from halfstep.diffusion.rates import cosine_rates
from halfstep.nets.denoiser import rates_like
from halfstep.training.loss import WEIGHTS, squared_v_error, weighted_loss

TIMES = np.array([0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
ONE = torch.ones(6, 1, 1, dtype=torch.float64)


@pytest.mark.parametrize(
    ("weight", "golden"),
    [
        ("snr", (39.8635, 5.82843, 1, 0.171573, 0.0250856, 0)),
        ("truncated-snr", (39.8635, 5.82843, 1, 1, 1, 1)),
        ("snr+1", (40.8635, 6.82843, 2, 1.171573, 1.0250856, 1)),
        ("clipped-snr", (20, 5.82843, 1, 1, 1, 1)),
        ("x", (1, 1, 1, 1, 1, 1)),
        ("min-snr", (5, 5, 1, 0.171573, 0.0250856, 0)),
        ("p2", (0.9755283, 0.8535534, 0.5, 0.1464466, 0.0244717, 0)),
    ],
)
def test_weights_on_the_x_error(weight, golden):
    """An x error of 1 everywhere costs w(log_snr): the loss is built from v, so this runs the change of form too."""
    at_t = rates_like(cosine_rates(TIMES), ONE)
    v = velocity(ONE, 0 * ONE, at_t)
    v_hat = v - ONE / at_t.sigma  # x_hat = x + 1
    torch.testing.assert_close(x_from_v(v_hat - v, 0 * ONE, at_t), ONE)
    for i, expected in enumerate(golden):
        one = type(at_t)(at_t.alpha[i : i + 1], at_t.sigma[i : i + 1])
        assert weighted_loss(v_hat[i : i + 1], v[i : i + 1], one, weight).item() == pytest.approx(
            expected, rel=1e-5, abs=1e-12
        )


def test_truncated_snr_is_the_larger_of_the_x_and_eps_errors():
    at_t = rates_like(cosine_rates(TIMES), ONE)
    larger = torch.maximum(at_t.sigma**2, at_t.alpha**2)  # x error sigma^2 dv^2, eps error alpha^2 dv^2
    torch.testing.assert_close(WEIGHTS["truncated-snr"](at_t), larger)


def test_what_is_known_does_not_count():
    v = torch.zeros(2, 3, 4)
    v_hat = torch.ones(2, 3, 4)
    v_hat[:, :, 2:] = 100
    counted = torch.tensor([1.0, 1, 0, 0]).expand(2, 1, 4)
    torch.testing.assert_close(squared_v_error(v_hat, v, counted), torch.ones(2))
    assert squared_v_error(v_hat, v, torch.zeros(2, 1, 4)).tolist() == [0, 0]


def test_clips_count_alike_and_so_do_the_places_of_each():
    """Errors of 1 in one clip and 3 in the other, at t = 1/2, where the weight is .5: the mean of .5 and 4.5."""
    v = torch.zeros(2, 3, 4)
    v_hat = torch.stack([torch.ones(3, 4), torch.full((3, 4), -3.0)])
    np.testing.assert_allclose(squared_v_error(v_hat, v, None), [1, 9])
    at_t = rates_like(cosine_rates(np.array([0.5, 0.5])), v)
    assert weighted_loss(v_hat, v, at_t, "x").item() == pytest.approx(2.5)
    assert weighted_loss(v_hat, v, at_t, "x", torch.ones(2, 1, 4)).item() == pytest.approx(2.5)
    one_place = torch.zeros(2, 1, 4)
    one_place[:, :, 1] = 1
    assert weighted_loss(v_hat, v, at_t, "x", one_place).item() == pytest.approx(2.5)
    assert squared_v_error(v_hat[:, :1], v[:, :1], one_place).tolist() == [1, 9]
