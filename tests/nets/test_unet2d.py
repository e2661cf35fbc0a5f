"""The paper's baseline, a 2-D U-Net over the folded window."""

import itertools

import pytest
import torch
from torch import Tensor

from halfstep.nets.blocks import Sizes
from halfstep.nets.condition import Condition
from halfstep.nets.unet2d import UNet2d, UNet2dConfig

pytestmark = pytest.mark.slow  # importing the library takes seconds
TINY = UNet2dConfig(n_mels=8, widths=(8, 16), blocks=1, groups=4)
SIZES = {
    "paper": Sizes(channels=24),
    "with context": Sizes(channels=24, aligned=27),
    "two heads": Sizes(channels=24, heads=2),
}


@pytest.fixture(params=SIZES)
def net(request) -> UNet2d:
    pytest.importorskip("diffusers", reason="the 2-D baseline needs the extra `baseline`")
    return UNet2d(TINY, SIZES[request.param])


def inputs(sizes: Sizes, batch: int, length: int = 8) -> tuple[Tensor, Tensor, Condition]:
    generator = torch.Generator().manual_seed(0)
    z_t = torch.randn(batch, sizes.channels, length, generator=generator)
    aligned = torch.randn(batch, sizes.aligned, length, generator=generator) if sizes.aligned else None
    return z_t, 6 * torch.randn(batch, generator=generator), Condition(aligned=aligned)


def stir(net: UNet2d) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)


def test_starts_at_exactly_zero(net: UNet2d):
    """As in DDPM, whose last convolution starts at zero."""
    out = net(*inputs(net.sizes, 2, length=16))
    assert out.shape == (2, 24 * net.sizes.heads, 16)
    assert out.abs().max() == 0


def test_a_batch_is_its_clips_one_by_one(net: UNet2d):
    stir(net)
    net.eval()
    z_t, log_snr, condition = inputs(net.sizes, 8)
    with torch.no_grad():
        together = net(z_t, log_snr, condition)
        for i in range(8):
            aligned = None if condition.aligned is None else condition.aligned[i : i + 1]
            alone = net(z_t[i : i + 1], log_snr[i : i + 1], Condition(aligned=aligned))
            torch.testing.assert_close(alone, together[i : i + 1], atol=1e-5, rtol=1e-5)


def test_gradients_reach_every_weight(net: UNet2d):
    stir(net)
    out = net(*inputs(net.sizes, 4))
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    assert [n for n, p in net.named_parameters() if p.grad is None or not (p.grad.abs().max() > 0)] == []


def test_a_plane_is_a_picture_and_time_its_width():
    """Channel p n_mels + m at l is pixel (m, l) of colour p: a change stays local to it in a one-level network."""
    pytest.importorskip("diffusers", reason="the 2-D baseline needs the extra `baseline`")
    net = UNet2d(TINY, Sizes(channels=24))
    z_t = torch.arange(24 * 4.0).view(1, 24, 4)
    picture = net._picture(z_t)
    assert picture.shape == (1, 3, 8, 4)
    assert picture[0, 2, 5, 3] == z_t[0, 2 * 8 + 5, 3]
    torch.testing.assert_close(picture.flatten(1, 2), z_t)


def test_the_mask_is_spread_over_its_own_plane():
    pytest.importorskip("diffusers", reason="the 2-D baseline needs the extra `baseline`")
    net = UNet2d(TINY, Sizes(channels=24, aligned=27))
    aligned = torch.zeros(1, 27, 4)
    aligned[0, 24 + 1, 2] = 1  # plane 1, place 2
    known, mask = net._context(aligned)
    assert known.abs().max() == 0
    assert mask[0, 1, :, 2].tolist() == [1] * 8
    assert mask.sum() == 8


def test_time_is_heard_over_the_whole_range():
    pytest.importorskip("diffusers", reason="the 2-D baseline needs the extra `baseline`")
    net = UNet2d(TINY, Sizes(channels=24))
    stir(net)
    z_t, _, condition = inputs(Sizes(channels=24), 1)
    outs = [net.eval()(z_t, torch.tensor([log_snr]), condition) for log_snr in (-20.0, -10.0, 0.0, 20.0)]
    for before, after in itertools.pairwise(outs):
        assert (before - after).abs().max() > 1e-3


@pytest.mark.parametrize("wrong", [{"widths": (8, 15)}, {"n_mels": 7}, {"blocks": 0}, {"widths": ()}])
def test_sizes_that_cannot_be_built_are_named(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        UNet2dConfig(**({"n_mels": 8, "widths": (8, 16), "blocks": 1, "groups": 4} | wrong))
