"""DDPM's bound against data whose density is known, and the loss that learns the reverse variance."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halfstep.diffusion.schedule import SCHEDULES
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.training.bound import bits_per_dimension
from halfstep.training.denoising import DiffusionConfig, denoising_loss
from halfstep.training.example import Example
from halfstep.training.step_random import StepRandom

UNIT_GAUSSIAN = 0.5 * math.log2(2 * math.pi * math.e)
"""Bits per dimension of N(0, I): 2.047."""


class Unit(nn.Module):
    """The best v for data ~ N(0, I), 0; with a fraction of the reverse variance, the same for all, to learn."""

    def __init__(self, fraction: float | None = None) -> None:
        super().__init__()
        self.raw = nn.Parameter(torch.tensor(0.0 if fraction is None else 2 * fraction - 1))
        self.heads = 1 if fraction is None else 2
        self.off = nn.Parameter(torch.zeros(()))

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        v = 0 * z_t + self.off
        return v if self.heads == 1 else torch.cat([v, self.raw.expand_as(z_t)], dim=1)


@pytest.fixture(scope="module")
def example() -> Example:
    drawn = np.random.default_rng(0).standard_normal((64, 4, 256))
    return Example(x=torch.from_numpy(drawn / drawn.std()), condition=Condition())


@pytest.mark.parametrize("steps", [1, 8, 100])
@pytest.mark.parametrize("schedule", ["linear", "ddpm-cosine"])
def test_the_bound_of_a_perfect_model_of_unit_noise_is_its_entropy(example: Example, schedule: str, steps: int):
    """With beta, the true reverse variance, nothing is lost at any step: 2.047 bits, however many there are."""
    chain = SCHEDULES[schedule](train_steps=steps)
    bits, error = bits_per_dimension(Denoiser(Unit(), "v"), example, chain, fraction=1.0, draws=99)
    assert bits == pytest.approx(UNIT_GAUSSIAN, abs=0.01)
    assert 0 < error < 0.01


def test_a_learned_fraction_of_1_is_the_upper_variance(example: Example):
    chain = SCHEDULES["linear"](train_steps=16)
    learned = bits_per_dimension(Denoiser(Unit(1.0), "v", learned_variance=True), example, chain, fraction=0.0)
    assert learned == bits_per_dimension(Denoiser(Unit(), "v"), example, chain, fraction=1.0)


def test_the_posterior_variance_costs_bits(example: Example):
    chain = SCHEDULES["linear"](train_steps=16)
    bits, _ = bits_per_dimension(Denoiser(Unit(), "v"), example, chain, fraction=0.0)
    assert bits > UNIT_GAUSSIAN + 0.1


def test_the_hybrid_loss_learns_the_true_variance_and_leaves_the_mean_alone(example: Example):
    """Of unit noise it is beta, the fraction 1; the bound has no gradient in v."""
    config = DiffusionConfig(
        schedule="linear", train_steps=16, parameterization="v", weight="snr+1", variance="learned"
    )
    denoiser, loss_fn = Denoiser(Unit(0.5), "v", learned_variance=True).double(), denoising_loss(config)
    net = denoiser.net
    assert isinstance(net, Unit)
    optimizer = torch.optim.Adam([net.raw], lr=0.05)
    for step in range(120):
        optimizer.zero_grad()
        loss_fn(denoiser, example, StepRandom(0, step, torch.device("cpu"))).backward()
        optimizer.step()
    assert (net.raw.item() + 1) / 2 == pytest.approx(1, abs=0.03)

    def slope(variance: str) -> float:
        plain = DiffusionConfig(
            schedule="linear", train_steps=16, parameterization="v", weight="snr+1", variance=variance
        )
        fresh = Denoiser(Unit(0.5), "v", learned_variance=True).double()
        denoising_loss(plain)(fresh, example, StepRandom(0, 0, torch.device("cpu"))).backward()
        assert isinstance(fresh.net, Unit) and fresh.net.off.grad is not None
        return fresh.net.off.grad.item()

    assert slope("learned") == pytest.approx(slope("posterior"), rel=1e-9)
