"""A teacher guided by itself without attention: the arithmetic, and what its worse self sees."""

import copy

import pytest
import torch
from torch import nn

from halfstep.diffusion.rates import Rates
from halfstep.nets.blocks import Attention, Sizes
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.guidance import Guided
from halfstep.nets.unet1d import UNet1d, UNet1dConfig

TINY = UNet1dConfig(widths=(16, 16), blocks=(1, 1), attention=(True, True), attention_heads=4, embedding=8)


@pytest.fixture
def denoiser() -> Denoiser:
    torch.manual_seed(0)
    net = UNet1d(TINY, Sizes(channels=6))
    for module in net.modules():
        if isinstance(module, Attention):
            nn.init.normal_(module.out.weight)
    nn.init.normal_(net.leave.weight)
    return Denoiser(net, "x").eval()


def call(network: nn.Module) -> torch.Tensor:
    z_t = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(1))
    at_t = Rates(torch.full((2, 1, 1), 0.6), torch.full((2, 1, 1), 0.8))
    with torch.no_grad():
        return network(z_t, at_t, Condition())


def without_attention(denoiser: Denoiser) -> Denoiser:
    """Every position given its own value: what softmax gives where a position's own score is beyond all others."""
    worse = copy.deepcopy(denoiser)
    for module in worse.modules():
        if isinstance(module, Attention):
            module.own_position_only = True
    return worse


@pytest.mark.parametrize("weight", [0.0, 0.5, 2.0])
def test_guidance_goes_on_from_the_worse_through_the_better(denoiser: Denoiser, weight: float):
    better, worse = call(denoiser), call(without_attention(denoiser))
    assert (better - worse).abs().max() > 1e-3
    torch.testing.assert_close(call(Guided(denoiser, weight)), better + weight * (better - worse))


@pytest.mark.parametrize(("above_sigma", "guided"), [(0.79, True), (0.8, False)])
def test_guidance_keeps_to_where_there_is_more_noise(denoiser: Denoiser, above_sigma: float, guided: bool):
    """`call` is at sigma = .8, as float32 has it."""
    above_sigma = float(torch.tensor(above_sigma))
    result = call(Guided(denoiser, 2.0, above_sigma=above_sigma))
    torch.testing.assert_close(result, call(Guided(denoiser, 2.0)) if guided else call(denoiser))


def test_attention_to_its_own_position_is_attention_of_a_single_position():
    torch.manual_seed(0)
    attention = Attention(8, 2)
    nn.init.normal_(attention.out.weight)
    attention.register_module("norm", nn.Identity())  # statistics of one position would be others
    h = torch.randn(2, 8, 5)
    alone = torch.cat([attention(h[:, :, at : at + 1]) for at in range(5)], dim=2)
    attention.own_position_only = True
    torch.testing.assert_close(attention(h), alone)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_guidance_by_a_condition_goes_on_from_what_is_asked_nothing(weight: float):
    """v + w (v - v_free), beside the other guidance or alone; without a condition, as without guidance."""
    torch.manual_seed(0)
    net = UNet1d(TINY, Sizes(channels=6, pooled=3))
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.3)
    denoiser = Denoiser(net, "x").eval()
    z_t = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(1))
    at_t = Rates(torch.full((2, 1, 1), 0.6), torch.full((2, 1, 1), 0.8))
    asked = Condition(pooled=torch.eye(3)[:2])
    with torch.no_grad():
        better, free = denoiser(z_t, at_t, asked), denoiser(z_t, at_t, Condition())
        torch.testing.assert_close(denoiser(z_t, at_t, Condition(pooled=torch.zeros(2, 3))), free)
        assert (better - free).abs().max() > 1e-3
        other = Guided(denoiser, weight)
        expected = other(z_t, at_t, asked) + 2 * (better - free)
        torch.testing.assert_close(Guided(denoiser, weight, 2.0)(z_t, at_t, asked), expected)
        torch.testing.assert_close(Guided(denoiser, weight, 2.0)(z_t, at_t, Condition()), other(z_t, at_t, Condition()))
