"""The 1-D U-Nets: shapes, a start at zero, one clip does not hear another, every weight learns."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halfstep.nets.blocks import Sizes, TimeEmbedding
from halfstep.nets.condition import Condition
from halfstep.nets.paper_unet1d import PaperUNet1d, PaperUNet1dConfig
from halfstep.nets.unet1d import UNet1d, UNet1dConfig

Network = TypeVar("Network", bound=nn.Module)
CURRENT = UNet1dConfig(widths=(16, 24), blocks=(1, 2), attention=(False, True), attention_heads=4, embedding=12)
PAPER = PaperUNet1dConfig(widths=(16, 24), kernels=(3, 5), attention_heads=4, embedding=12)
EVERYTHING = Sizes(channels=6, aligned=4, pooled=5, tokens=7, heads=2)
NETS: dict[str, Callable[[], UNet1d | PaperUNet1d]] = {
    "current": lambda: UNet1d(CURRENT, EVERYTHING),
    "current, nothing given": lambda: UNet1d(CURRENT, Sizes(channels=6)),
    "current, no direct path": lambda: UNet1d(dataclasses.replace(CURRENT, direct=False), Sizes(channels=6, aligned=4)),
    "current, three levels": lambda: UNet1d(
        UNet1dConfig(
            widths=(8, 16, 8), blocks=(2, 1, 1), attention=(True, False, False), attention_heads=2, embedding=8
        ),
        Sizes(channels=6, aligned=4),
    ),
    "current, one level": lambda: UNet1d(
        UNet1dConfig(widths=(16,), blocks=(2,), attention=(True,), attention_heads=4, embedding=12),
        Sizes(channels=6),
    ),
    "current, preconditioned": lambda: UNet1d(dataclasses.replace(CURRENT, preconditioned=True), EVERYTHING),
    "paper": lambda: PaperUNet1d(PAPER, Sizes(channels=6, aligned=4)),
    "paper, nothing given, two heads": lambda: PaperUNet1d(PAPER, Sizes(channels=6, heads=2)),
}


def inputs(sizes: Sizes, batch: int, length: int = 8) -> tuple[Tensor, Tensor, Condition]:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    condition = Condition(
        aligned=draw(sizes.aligned, length) if sizes.aligned else None,
        pooled=draw(sizes.pooled) if sizes.pooled else None,
        tokens=draw(3, sizes.tokens) if sizes.tokens else None,
    )
    return draw(sizes.channels, length), 6 * draw(), condition


def stirred(net: Network) -> Network:
    """Weights as after some training: none of them zero."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return net


@pytest.mark.parametrize("name", [name for name in NETS if "preconditioned" not in name])
def test_starts_at_exactly_zero(name: str):
    """A residual network with zeroed ends says nothing before it has learned."""
    net = NETS[name]()
    z_t, log_snr, condition = inputs(net.sizes, 3)
    out = net(z_t, log_snr, condition)
    assert out.shape == (3, net.sizes.heads * 6, 8)
    assert out.abs().max() == 0


@pytest.mark.parametrize("name", NETS)
def test_a_batch_is_its_clips_one_by_one(name: str):
    net = stirred(NETS[name]()).eval()
    z_t, log_snr, condition = inputs(net.sizes, 8)
    with torch.no_grad():
        together = net(z_t, log_snr, condition)
        alone = [
            net(z_t[i : i + 1], log_snr[i : i + 1], Condition(**{k: None if v is None else v[i : i + 1]
                for k, v in vars(condition).items()}))
            for i in range(8)
        ]  # fmt: skip
    assert together.abs().min() > 0
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NETS)
def test_gradients_reach_every_weight(name: str):
    net = stirred(NETS[name]()).train()
    out = net(*inputs(net.sizes, 4))
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    still = [n for n, p in net.named_parameters() if p.grad is None or not (p.grad.abs().max() > 0)]
    assert still == []


@pytest.mark.parametrize("part", ["aligned", "pooled", "tokens"])
def test_every_part_of_the_condition_is_heard(part: str):
    net = stirred(NETS["current"]()).eval()
    z_t, log_snr, condition = inputs(EVERYTHING, 2)
    other = dataclasses.replace(condition, **{part: getattr(condition, part) + 1})
    assert (net(z_t, log_snr, condition) - net(z_t, log_snr, other)).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["current", "paper"])
def test_time_is_heard_and_ends_are_finite(name: str):
    net = stirred(NETS[name]()).eval()
    z_t, _, condition = inputs(net.sizes, 2)
    outs = [net(z_t, torch.full((2,), log_snr), condition) for log_snr in (-20.0, 0.0, 0.1, 20.0)]
    for before, after in itertools.pairwise(outs):
        assert (before - after).abs().max() > 1e-3
    assert all(bool(torch.isfinite(out).all()) for out in outs)


@pytest.mark.parametrize("name", ["current, three levels", "current, one level", "paper"])
def test_any_multiple_of_the_length_goes_through(name: str):
    net = stirred(NETS[name]()).eval()
    multiple = net.config.length_multiple
    assert multiple == 2 ** (len(net.config.widths) - 1)
    for length in (multiple, 3 * multiple):
        z_t, log_snr, condition = inputs(net.sizes, 1, length)
        assert net(z_t, log_snr, condition).shape[2] == length


def test_the_direct_path_is_a_gain_of_time_on_each_channel():
    """With nothing else in the network, out = gain(time) z_t: noise passes however narrow the network is."""
    net = UNet1d(dataclasses.replace(CURRENT, direct=True), Sizes(channels=6))
    assert net.direct is not None
    with torch.no_grad():
        net.direct.bias.copy_(torch.arange(6.0))
    z_t, log_snr, condition = inputs(Sizes(channels=6), 2)
    torch.testing.assert_close(net(z_t, log_snr, condition), torch.arange(6.0)[:, None] * z_t)


def test_far_frames_are_heard_through_attention():
    """The first frame changes with the last: no window is too long to be one piece."""
    net = stirred(NETS["current, nothing given"]()).eval()
    z_t, log_snr, condition = inputs(Sizes(channels=6), 1, 64)
    other = z_t.clone()
    other[:, :, -1] += 1
    assert (net(z_t, log_snr, condition) - net(other, log_snr, condition))[:, :, 0].abs().max() > 1e-7


def test_batch_norm_runs_on_its_own_statistics_in_eval():
    """The paper's network: a noisy neighbour changes a clip in training, never a sampler's or a teacher's."""
    net = stirred(NETS["paper"]())
    z_t, log_snr, condition = inputs(net.sizes, 4)
    loud = z_t.clone()
    loud[1:] *= 10

    def first(noisy: Tensor) -> Tensor:
        with torch.no_grad():
            return net(noisy, log_snr, condition)[0]

    net.train()
    assert (first(z_t) - first(loud)).abs().max() > 1e-2
    net.eval()
    torch.testing.assert_close(first(z_t), first(loud), atol=1e-5, rtol=1e-5)
    kept = {name: buffer.clone() for name, buffer in net.named_buffers()}
    first(loud)
    assert all(torch.equal(buffer, kept[name]) for name, buffer in net.named_buffers())


def test_the_papers_network_has_the_papers_parts():
    kinds = {type(module) for module in PaperUNet1d(PAPER, Sizes(channels=6)).modules()}
    assert {nn.BatchNorm1d, nn.ConvTranspose1d} <= kinds
    assert nn.GroupNorm in kinds  # in its attention alone
    assert {m.kernel_size[0] for m in PaperUNet1d(PAPER, Sizes(channels=6)).encoder.modules()
            if isinstance(m, nn.Conv1d)} == {1, 3, 5}  # fmt: skip


def test_time_embedding_tells_close_levels_apart():
    """Over +-20 no two levels look alike, and neighbours a hundredth apart differ."""
    embedding = TimeEmbedding(8)
    levels = torch.linspace(-20, 20, 400)
    waves = torch.cat([f(levels[:, None] * embedding.frequency) for f in (torch.sin, torch.cos)], dim=1)
    distance = torch.cdist(waves, waves) + 1e9 * torch.eye(400)
    assert distance.min() > 1
    assert embedding(levels).shape == (400, 8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"widths": (16, 24, 32)},
        {"widths": (16, 26)},
        {"widths": (), "blocks": (), "attention": ()},
        {"blocks": (1, 0)},
        {"attention_heads": 0},
        {"embedding": 0},
    ],
)
def test_sizes_that_cannot_be_built_are_named(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(CURRENT, **wrong)


@pytest.mark.parametrize("wrong", [{"widths": (16, 26)}, {"kernels": (4,)}, {"kernels": ()}])
def test_the_papers_sizes_are_checked_too(wrong: dict):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        dataclasses.replace(PAPER, **wrong)


def test_exactly_the_same_on_the_same_input():
    """Nothing random inside: dropout would break both seeds and resuming."""
    net = stirred(NETS["current"]()).train()
    given = inputs(EVERYTHING, 2)
    np.testing.assert_array_equal(net(*given).detach().numpy(), net(*given).detach().numpy())


def preconditioned(channels: int = 6, aligned: int = 0) -> UNet1d:
    torch.manual_seed(0)
    return UNet1d(
        dataclasses.replace(CURRENT, preconditioned=True, direct=False), Sizes(channels=channels, aligned=aligned)
    )


def test_an_untrained_preconditioned_network_is_the_best_linear_guess():
    """Of Gaussian x with deviations s: its error is s^2 sigma^2 / (alpha^2 s^2 + sigma^2), and no gain has less."""
    net, s = preconditioned(2), torch.tensor([3.0, 0.2])
    generator = torch.Generator().manual_seed(0)
    x, eps = (torch.randn(64, 2, 512, generator=generator) for _ in range(2))
    x = x * s[:, None]
    net.calibrate(x, None)
    assert net.precondition is not None
    torch.testing.assert_close(net.precondition.deviation, s, rtol=0.02, atol=0)
    for alpha in (0.999, 0.8, 0.3, 0.01):
        sigma = (1 - alpha**2) ** 0.5
        log_snr = torch.full((64,), 2 * math.log(alpha / sigma))
        with torch.no_grad():
            x_hat = net(alpha * x + sigma * eps, log_snr, Condition())
        error = (x_hat - x).square().mean(dim=(0, 2))
        torch.testing.assert_close(error, s**2 * sigma**2 / (alpha**2 * s**2 + sigma**2), rtol=0.03, atol=0)


def test_a_preconditioned_network_sees_unit_variance_and_its_output_has_the_deviation_that_is_left():
    net = preconditioned(2, aligned=3)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 2, 512, generator=generator) * torch.tensor([[3.0], [0.2]])
    aligned = torch.randn(64, 3, 512, generator=generator) * torch.tensor([[5.0], [0.1], [0.0]])
    net.calibrate(x, aligned)
    assert net.precondition is not None
    log_snr = torch.full((64,), 1.0)
    alpha_2 = 1 / (1 + math.exp(-1.0))
    z_t = math.sqrt(alpha_2) * x + math.sqrt(1 - alpha_2) * torch.randn(64, 2, 512, generator=generator)
    scaled, seen = net.precondition.inputs(z_t, log_snr, aligned)
    torch.testing.assert_close(scaled.square().mean(dim=(0, 2)), torch.ones(2), rtol=0.03, atol=0)
    assert seen is not None
    torch.testing.assert_close(seen.square().mean(dim=(0, 2)), torch.tensor([1.0, 1.0, 0.0]))
    left = net.precondition.x(torch.ones_like(z_t), z_t, log_snr) - net.precondition.x(
        torch.zeros_like(z_t), z_t, log_snr
    )
    s = torch.tensor([3.0, 0.2])
    wanted = (s**2 * (1 - alpha_2) / (alpha_2 * s**2 + 1 - alpha_2)).sqrt()
    torch.testing.assert_close(left.mean(dim=(0, 2)), wanted, rtol=0.02, atol=0)
