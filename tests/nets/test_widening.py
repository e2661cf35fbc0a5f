"""A network that makes more, or is given more, begins as the one whose weights it has."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halfstep.nets.blocks import Sizes
from halfstep.nets.condition import Condition
from halfstep.nets.unet1d import UNet1d, UNet1dConfig
from halfstep.nets.widening import Asks, widened

CONFIG = UNet1dConfig(widths=(16, 24), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=12)
LENGTH, OLD, NEW, MASK = 8, 6, 9, 1


class Named(nn.Module):
    """A network under the name that a `Denoiser` gives it."""

    def __init__(self, net: UNet1d) -> None:
        super().__init__()
        self.net = net


def network(seed: int, channels: int, aligned: int, heads: int, pooled: int, preconditioned: bool) -> Named:
    """Whose weights are all drawn, those too that begin at zero."""
    torch.manual_seed(seed)
    config = dataclasses.replace(CONFIG, direct=True, preconditioned=preconditioned)
    net = Named(UNet1d(config, Sizes(channels=channels, aligned=aligned, pooled=pooled, heads=heads)))
    for values in net.state_dict().values():
        values.copy_(torch.randn(values.shape).abs() + 0.1)
    return net.eval()


def random(*shape: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32))


@pytest.mark.parametrize("preconditioned", [False, True])
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize(("context", "guide"), [(True, 0), (True, 3), (False, 3)])
def test_what_was_known_comes_out_as_it_did(context: bool, guide: int, heads: int, preconditioned: bool):
    """Whatever stands where something is new: more channels in x and in the context, and a second guide."""
    old_asks: Asks = (("style", "a"), ("style", "b"))
    new_asks: Asks = (("style", "b"), ("style", "c"), ("style", "a"))
    given = OLD + MASK if context else 0
    old = network(0, OLD, given + guide, heads, 2, preconditioned)
    new = network(1, NEW, (NEW + MASK if context else 0) + guide + 2, heads, 3, preconditioned)
    weights = widened(old.state_dict(), new.state_dict(), NEW, context, (old_asks, new_asks))
    new.load_state_dict(weights)

    z, x, rest = random(2, NEW, LENGTH), random(3, NEW, LENGTH)[:2], random(2, MASK + guide + 2, LENGTH)
    rest = rest if context else rest[:, MASK:]
    seen = torch.cat([x, rest], dim=1) if context else rest
    known = torch.cat([x[:, :OLD], rest[:, :-2]], dim=1) if context else rest[:, :-2]
    snr = torch.tensor([0.5, -1.0])
    with torch.no_grad():
        now = new.net(z, snr, Condition(aligned=seen, pooled=torch.tensor([[0.2, 0.5, 0.3]] * 2)))
        before = old.net(z[:, :OLD], snr, Condition(aligned=known, pooled=torch.tensor([[0.3, 0.2]] * 2)))
    for head in range(heads):
        ours, theirs = now[:, head * NEW : head * NEW + OLD], before[:, head * OLD : (head + 1) * OLD]
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_what_fits_nowhere_is_left_as_it_is():
    """For whoever loads it to say: a guide where a context is wanted, fewer channels, another width."""
    guided = network(0, OLD, 3, 1, 0, True).state_dict()
    for channels, aligned in ((NEW, NEW + MASK), (OLD - 1, OLD - 1 + MASK)):
        wide = network(1, channels, aligned, 1, 0, True)
        weights = widened(guided, wide.state_dict(), channels, True, ((), ()))
        with pytest.raises(RuntimeError, match="size mismatch"):
            wide.load_state_dict(weights)
