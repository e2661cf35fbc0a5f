"""The layouts of a convolution are one convolution."""

import copy

import pytest
import torch
from torch import nn

from halfstep.nets.blocks import Sizes
from halfstep.nets.condition import Condition
from halfstep.nets.layout import LAYOUTS, lay_out
from halfstep.nets.unet1d import UNet1d, UNet1dConfig


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(1, 1, 0), (3, 1, 1), (2, 2, 0), (5, 1, 2), (3, 2, 1)])
def test_a_convolution_is_the_same_in_every_layout(layout: str, kernel: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    plain = nn.Conv1d(6, 10, kernel, stride=stride, padding=padding)
    other, x = copy.deepcopy(plain), torch.randn(3, 6, 16)
    lay_out(other, layout)
    assert type(other) is LAYOUTS[layout]
    torch.testing.assert_close(other(x), plain(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_network_has_the_same_gradients_and_names_in_every_layout(layout: str) -> None:
    torch.manual_seed(0)
    config = UNet1dConfig(widths=(16, 24), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=8)
    plain = UNet1d(config, Sizes(channels=6))
    nn.init.normal_(plain.leave.weight)
    other = copy.deepcopy(plain)
    lay_out(other, layout)
    assert other.state_dict().keys() == plain.state_dict().keys()
    x, log_snr = torch.randn(2, 6, 16), torch.tensor([0.5, -3.0])
    for network in (plain, other):
        network(x, log_snr, Condition()).square().sum().backward()
    for one, two in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-4)
