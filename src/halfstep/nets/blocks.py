"""The parts of the U-Nets: time embedding, residual blocks, attention, down and up."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfstep.arrays import Float
from halfstep.nets.condition import Condition

MOST_LEVELS, WIDEST, MOST_BLOCKS = 12, 16_384, 64
"""Of a network: beyond them nothing is built, let alone allocated."""

Layer = TypeVar("Layer", nn.Conv1d, nn.Conv2d, nn.Linear)


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What goes in and out of a network: channels of x, features of each part of the condition (0 for none), and how
    many predictions it makes of each channel.
    """

    channels: int
    aligned: int = 0
    pooled: int = 0
    tokens: int = 0
    heads: int = 1


class NetConfig(Protocol):
    """Settings of a network, beside its class: what an experiment must know of them."""

    @property
    def length_multiple(self) -> int:
        """The length of x must be a multiple of this."""
        ...

    def build(self, sizes: Sizes) -> nn.Module:
        """The untrained network: (z_t [B, C, L], log_snr [B], condition) -> [B, heads C, L]."""
        ...


def check_sizes(widths: Sequence[int], attending: Sequence[int], attention_heads: int, embedding: int) -> None:
    """ValueError naming a size a network cannot be built with; `attending` are the widths that the heads share."""
    if not 1 <= len(widths) <= MOST_LEVELS or not all(1 <= width <= WIDEST for width in widths):
        raise ValueError(f"widths is {tuple(widths)}: 1 to {MOST_LEVELS} numbers from 1 to {WIDEST} were expected")
    if not 1 <= embedding <= WIDEST:
        raise ValueError(f"embedding is {embedding}: 1 to {WIDEST} was expected")
    if attention_heads < 1 or any(width % attention_heads for width in attending):
        raise ValueError(
            f"attention_heads is {attention_heads}: a divisor of the attending widths {tuple(attending)} was expected"
        )


class TimeEmbedding(nn.Module):
    """log_snr [B] -> [B, features]: sines and cosines of geometrically spaced frequencies, then two linear layers."""

    frequency: Float[Tensor, "frequencies"]

    def __init__(self, features: int, frequencies: int = 64) -> None:
        super().__init__()
        # log_snr runs over +-20; the slowest wave spans it once, the fastest resolves steps of about 0.02.
        self.register_buffer("frequency", torch.logspace(math.log10(0.1), math.log10(100), frequencies))
        self.mlp = nn.Sequential(nn.Linear(2 * frequencies, features), nn.SiLU(), nn.Linear(features, features))

    def forward(self, log_snr: Float[Tensor, "batch"]) -> Float[Tensor, "batch features"]:
        angle = log_snr[:, None] * self.frequency
        return self.mlp(torch.cat([angle.sin(), angle.cos()], dim=1))


class Embedded(nn.Module):
    """Abstract: a network that is given the time, and what is asked for where that is a vector, as one embedding."""

    def __init__(self, sizes: Sizes, features: int) -> None:
        super().__init__()
        self.time = TimeEmbedding(features)
        self.pooled = nn.Linear(sizes.pooled, features, bias=False) if sizes.pooled else None

    def embedding(self, log_snr: Float[Tensor, "batch"], condition: Condition) -> Float[Tensor, "batch features"]:
        """[B, features]; of a condition that asks for nothing, the time's alone."""
        time = self.time(log_snr)
        return time if self.pooled is None or condition.pooled is None else time + self.pooled(condition.pooled)


def with_aligned(
    z_t: Float[Tensor, "batch channels length"], aligned: Float[Tensor, "batch aligned length"] | None
) -> Float[Tensor, "batch all length"]:
    """z_t [B, C, L], and below it what is given on the same grid."""
    return z_t if aligned is None else torch.cat([z_t, aligned], dim=1)


def group_norm(channels: int) -> nn.GroupNorm:
    """At most 32 groups of at least 8 channels."""
    return nn.GroupNorm(math.gcd(min(32, max(1, channels // 8)), channels), channels)


def zeroed(layer: Layer) -> Layer:
    """The layer with its weights at zero: a block that starts as the identity, a network that starts at 0."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class ResBlock(nn.Module):
    """Norm, SiLU, conv, twice, with time as scale and shift between: [B, C_in, L] -> [B, C_out, L]."""

    def __init__(self, channels_in: int, channels_out: int, embedding: int, kernel: int = 3) -> None:
        super().__init__()
        self.norm1 = group_norm(channels_in)
        self.conv1 = nn.Conv1d(channels_in, channels_out, kernel, padding=kernel // 2)
        self.modulate = nn.Linear(embedding, 2 * channels_out)
        self.norm2 = group_norm(channels_out)
        self.conv2 = zeroed(nn.Conv1d(channels_out, channels_out, kernel, padding=kernel // 2))
        self.skip = nn.Identity() if channels_in == channels_out else nn.Conv1d(channels_in, channels_out, 1)

    def forward(
        self, h: Float[Tensor, "batch channels_in length"], embedding: Float[Tensor, "batch features"]
    ) -> Float[Tensor, "batch channels_out length"]:
        scale, shift = self.modulate(F.silu(embedding))[:, :, None].chunk(2, dim=1)
        r = self.conv1(F.silu(self.norm1(h)))
        r = self.conv2(F.silu(self.norm2(r) * (1 + scale) + shift))
        return self.skip(h) + r


class Attention(nn.Module):
    """Self-attention over time, and over `tokens` [B, S, D] where the condition has them.

    own_position_only: every position attends to itself, as to guide away from (`nets.guidance`).
    """

    own_position_only = False

    def __init__(self, channels: int, heads: int, token_features: int = 0) -> None:
        super().__init__()
        self.heads = heads
        self.norm = group_norm(channels)
        self.query_key_value = nn.Conv1d(channels, 3 * channels, 1)
        self.token_key_value = nn.Linear(token_features, 2 * channels) if token_features else None
        self.out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(
        self, h: Float[Tensor, "batch channels length"], tokens: Float[Tensor, "batch tokens features"] | None = None
    ) -> Float[Tensor, "batch channels length"]:
        if self.own_position_only:
            return h + self.out(self.query_key_value(self.norm(h)).chunk(3, dim=1)[2])
        query, key, value = (self._split(p) for p in self.query_key_value(self.norm(h)).chunk(3, dim=1))
        if self.token_key_value is not None and tokens is not None:
            extra = self.token_key_value(tokens).transpose(1, 2).chunk(2, dim=1)
            key = torch.cat([key, self._split(extra[0])], dim=2)
            value = torch.cat([value, self._split(extra[1])], dim=2)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return h + self.out(mixed.transpose(2, 3).reshape(h.shape))

    def _split(
        self, h: Float[Tensor, "batch channels length"]
    ) -> Float[Tensor, "batch heads length channels//{self.heads}"]:
        """[B, C, L] -> [B, heads, L, C / heads]."""
        return h.view(h.shape[0], self.heads, -1, h.shape[2]).transpose(2, 3)
