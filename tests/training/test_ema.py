"""The moving average: its formula, its warm-up, and statistics that are copied."""

import pytest
import torch
from torch import nn

from halfstep.training.ema import Ema


def one_weight(value: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


def test_follows_its_formula_from_the_first_step():
    """average <- d average + (1 - d) weights, d = min(decay, (1 + step) / (10 + step))."""
    model = one_weight(0.0)
    ema = Ema(model, 0.5)
    expected = 0.0
    for step in range(1, 30):
        nn.init.constant_(model.weight, float(step))
        ema.update(model, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * step
        assert ema.model.weight.item() == pytest.approx(expected, rel=1e-6)


def test_decay_0_is_the_weights_themselves_to_the_bit():
    model = nn.Linear(7, 5)
    ema = Ema(model, 0.0)
    for step in (1, 2):
        with torch.no_grad():
            model.weight.normal_()
        ema.update(model, step)
        assert torch.equal(ema.model.weight, model.weight)


def test_running_statistics_are_copied_and_the_average_is_in_eval():
    model = nn.BatchNorm1d(3)
    ema = Ema(model, 0.999)
    model(torch.randn(8, 3))
    ema.update(model, 1)
    assert not torch.equal(model.state_dict()["running_mean"], torch.zeros(3))
    for name, buffer in model.state_dict().items():
        assert name in ("weight", "bias") or torch.equal(ema.model.state_dict()[name], buffer)
    assert not ema.model.training
    assert model.training


def test_the_average_is_never_trained():
    ema = Ema(nn.Linear(2, 2), 0.9)
    assert not any(parameter.requires_grad for parameter in ema.model.parameters())
