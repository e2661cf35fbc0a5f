"""BigVGAN, the universal vocoder: 122 M parameters at 44.1 kHz, for users with a GPU or patience.

Written from Lee et al. 2023 (arXiv:2206.04658) with the parameter names of the weights that NVIDIA publishes under MIT,
so that they load strictly. Put config.json and the generator's weights, as .safetensors, in one folder
(`recipes/models/bigvgan_to_safetensors.py` converts the published .pt). Nothing is fetched, and nothing in it executes.
The published weights were not at hand: names and shapes were compared at the published size with the network of the
package bigvgan 2.4.1, and sounds at a small one (equal within 2e-7).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from halfstep.arrays import Float

TAPS = 12
"""Of the low-pass filters around a non-linearity, at twice the sample rate."""


@dataclass(frozen=True, kw_only=True)
class BigVGANConfig:
    """The members of a published config.json that say what the network is. The defaults are those of v2's code."""

    num_mels: int
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    activation: str = "snakebeta"
    snake_logscale: bool = True
    use_bias_at_final: bool = True
    use_tanh_at_final: bool = True

    @property
    def hop_length(self) -> int:
        return math.prod(self.upsample_rates)

    @property
    def receptive_frames(self) -> int:
        """How many frames a sample hears either way, at most."""
        reach = 3.0 + 3 / self.hop_length  # conv_pre, conv_post
        rate = 1
        filters = 2 * (TAPS // 2)  # samples either way of a non-linearity and its two filters
        for up, kernel in zip(self.upsample_rates, self.upsample_kernel_sizes, strict=True):
            reach += kernel / up / rate
            rate *= up
            widest = max(
                sum((size - 1) // 2 * (dilation + 1) + 2 * filters for dilation in dilations)
                for size, dilations in zip(self.resblock_kernel_sizes, self.resblock_dilation_sizes, strict=True)
            )
            reach += widest / rate
        return math.ceil(reach + filters / rate)


class Snake(nn.Module):
    """x + sin^2(alpha x) / beta, a frequency and a height a channel; plain snake has one parameter for both."""

    def __init__(self, channels: int, two: bool, logscale: bool) -> None:
        super().__init__()
        self.logscale = logscale
        self.alpha = nn.Parameter(torch.zeros(channels) if logscale else torch.ones(channels))
        if two:
            self.beta = nn.Parameter(self.alpha.detach().clone())

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch channels samples"]:
        alpha = self.alpha[:, None]
        beta = self.beta[:, None] if hasattr(self, "beta") else alpha
        if self.logscale:
            alpha, beta = alpha.exp(), beta.exp()
        return x + torch.sin(alpha * x).square() / (beta + 1e-9)


class LowPass(nn.Module):
    """Holds a filter under the published name."""

    filter: Float[Tensor, "1 1 taps"]

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("filter", half_band())


class AntiAliased(nn.Module):
    """A non-linearity at twice the rate between two low-pass filters, so that its overtones do not fold back."""

    def __init__(self, act: nn.Module) -> None:
        super().__init__()
        self.act = act
        self.upsample = LowPass()
        self.downsample = nn.ModuleDict({"lowpass": LowPass()})

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch channels samples"]:
        """[B, C, n] -> [B, C, n]; ends repeat their last sample."""
        channels, side = x.shape[1], TAPS // 2 - 1
        up = self.upsample.filter.expand(channels, -1, -1)
        x = functional.pad(x, (side, side), mode="replicate")
        x = 2 * functional.conv_transpose1d(x, up, stride=2, groups=channels)
        cut = 2 * side + TAPS // 2 - 1
        x = self.act(x[..., cut:-cut])
        down = self.downsample["lowpass"].get_buffer("filter").expand(channels, -1, -1)
        return functional.conv1d(functional.pad(x, (side, side + 1), mode="replicate"), down, stride=2, groups=channels)


def half_band() -> Float[Tensor, "1 1 taps"]:
    """A sinc cut off at a quarter of the sample rate under a Kaiser window, [1, 1, TAPS], of sum 1.

    Kaiser's rule for the attenuation of a transition .6 of the pass band wide gives the window's beta.
    """
    attenuation = 2.285 * (TAPS // 2 - 1) * math.pi * 4 * 0.3 + 7.95
    beta = 0.1102 * (attenuation - 8.7)  # above 50 dB
    time = torch.arange(TAPS) - (TAPS - 1) / 2
    taps = torch.kaiser_window(TAPS, beta=beta, periodic=False) * torch.sinc(time / 2)
    return (taps / taps.sum()).view(1, 1, TAPS)


class ResidualBlock(nn.Module):
    """Residual pairs of a dilated and a plain convolution, a non-linearity before each."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...], act: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_conv(channels, channels, kernel, dilation) for dilation in dilations)
        self.convs2 = nn.ModuleList(_conv(channels, channels, kernel) for _ in dilations)
        self.activations = nn.ModuleList(act(channels) for _ in range(2 * len(dilations)))

    def forward(self, x: Float[Tensor, "batch channels samples"]) -> Float[Tensor, "batch channels samples"]:
        first, second = self.activations[::2], self.activations[1::2]
        for dilated, plain, one, two in zip(self.convs1, self.convs2, first, second, strict=True):
            x = x + plain(two(dilated(one(x))))
        return x


class BigVGAN(nn.Module):
    """Log-mel [B, num_mels, frames] -> samples [B, 1, frames * hop_length] within -1 to 1."""

    def __init__(self, config: BigVGANConfig) -> None:
        super().__init__()
        self.config = config
        width = [config.upsample_initial_channel >> level for level in range(len(config.upsample_rates) + 1)]
        two = config.activation == "snakebeta"

        def act(channels: int) -> nn.Module:
            return AntiAliased(Snake(channels, two, config.snake_logscale))

        self.conv_pre = _conv(config.num_mels, width[0], 7)
        self.ups = nn.ModuleList(
            nn.ModuleList([_weight_normed(nn.ConvTranspose1d(wide, narrow, kernel, up, (kernel - up) // 2))])
            for wide, narrow, up, kernel in zip(
                width, width[1:], config.upsample_rates, config.upsample_kernel_sizes, strict=False
            )
        )
        shapes = list(zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True))
        self.resblocks = nn.ModuleList(
            ResidualBlock(channels, *shape, act) for channels in width[1:] for shape in shapes
        )
        self.activation_post = act(width[-1])
        self.conv_post = _conv(width[-1], 1, 7, bias=config.use_bias_at_final)

    def forward(self, log_mel: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch 1 samples"]:
        x, count = self.conv_pre(log_mel), len(self.config.resblock_kernel_sizes)
        for level, up in enumerate(self.ups):
            x = up.get_submodule("0")(x)
            blocks = self.resblocks[level * count : (level + 1) * count]
            x = torch.stack([block(x) for block in blocks]).mean(dim=0)
        x = self.conv_post(self.activation_post(x))
        return torch.tanh(x) if self.config.use_tanh_at_final else x.clamp(-1, 1)


def _weight_normed(layer: nn.Conv1d | nn.ConvTranspose1d) -> nn.Module:
    """The layer with `weight_g` and `weight_v` for `weight`, as published; computed at each call."""
    weight = layer.weight.detach()
    del layer.weight
    layer.weight_g = nn.Parameter(weight.flatten(1).norm(dim=1)[:, None, None])
    layer.weight_v = nn.Parameter(weight.clone())
    layer.register_forward_pre_hook(_set_weight)
    return layer


def _set_weight(layer: nn.Module, _: Any) -> None:
    gain, direction = layer.get_parameter("weight_g"), layer.get_parameter("weight_v")
    layer.weight = gain * direction / direction.flatten(1).norm(dim=1)[:, None, None]


def _conv(wide: int, narrow: int, kernel: int, dilation: int = 1, bias: bool = True) -> nn.Module:
    same = dilation * (kernel - 1) // 2
    return _weight_normed(nn.Conv1d(wide, narrow, kernel, dilation=dilation, padding=same, bias=bias))
