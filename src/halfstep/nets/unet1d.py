"""The 1-D U-Net over time, every frequency a channel; the paper's own is `nets/paper_unet1d.py`."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfstep.arrays import Float
from halfstep.nets.blocks import (
    MOST_BLOCKS,
    Attention,
    Embedded,
    ResBlock,
    Sizes,
    check_sizes,
    group_norm,
    with_aligned,
    zeroed,
)
from halfstep.nets.condition import Condition

LEAST_DEVIATION = 1e-4
"""Of a channel that carries something."""


@dataclass(frozen=True, kw_only=True)
class UNet1dConfig:
    """widths: channels of each level, the finest first; each level halves the length. blocks: residual blocks a level
    and side. attention: which levels attend. embedding: features of the time embedding. direct: whether z_t also
    goes straight to the output, each channel with a gain that depends on time. preconditioned: for a network that
    predicts x; it is shown z_t at unit variance and predicts what the best linear guess from z_t leaves of x, channel
    by channel; `calibrate` measures their deviations (Karras et al. 2022, arXiv:2206.00364, table 1: all channels one).

    A first width below the channels of x cannot carry the noise of v or eps (docs/experiments/ablations.md): predict x,
    or be wider.
    """

    widths: tuple[int, ...] = (384, 384, 512)
    blocks: tuple[int, ...] = (2, 2, 2)
    attention: tuple[bool, ...] = (False, True, True)
    attention_heads: int = 8
    embedding: int = 256
    direct: bool = False
    preconditioned: bool = False

    def __post_init__(self) -> None:
        if not len(self.widths) == len(self.blocks) == len(self.attention):
            raise ValueError(
                f"widths {self.widths}, blocks {self.blocks}, attention {self.attention}: one each a level"
            )
        attending = [width for width, attends in zip(self.widths, self.attention, strict=True) if attends]
        check_sizes(self.widths, attending, self.attention_heads, self.embedding)
        if not all(1 <= blocks <= MOST_BLOCKS for blocks in self.blocks):
            raise ValueError(f"blocks is {self.blocks}: 1 to {MOST_BLOCKS} a level were expected")

    @property
    def length_multiple(self) -> int:
        """The length of x must be a multiple of this."""
        return 2 ** (len(self.widths) - 1)

    def build(self, sizes: Sizes) -> "UNet1d":
        """The untrained network."""
        return UNet1d(self, sizes)


class UNet1d(Embedded):
    """Group norm, SiLU, scale-shift by time, attention, zero-initialised ends: z_t [B, C, L] -> [B, heads C, L]."""

    def __init__(self, config: UNet1dConfig, sizes: Sizes) -> None:
        super().__init__(sizes, config.embedding)
        self.config = config
        self.sizes = sizes
        c = config
        self.enter = nn.Conv1d(sizes.channels + sizes.aligned, c.widths[0], 1)
        self.down = nn.ModuleList()
        self.shrink = nn.ModuleList()
        self.up = nn.ModuleList()
        self.grow = nn.ModuleList()
        last = len(c.widths) - 1
        for level, width in enumerate(c.widths):
            narrower = c.widths[max(level - 1, 0)]
            self.shrink.append(nn.Identity() if level == 0 else nn.Conv1d(narrower, width, 2, stride=2))
            self.down.append(self._stage(level, [width] * c.blocks[level]))
            self.up.append(self._stage(level, [2 * width] + [width] * (c.blocks[level] - 1)))
            wider = c.widths[min(level + 1, last)]
            self.grow.append(nn.Identity() if level == last else nn.Conv1d(wider, width, 1))
        self.leave_norm = group_norm(c.widths[0])
        self.leave = zeroed(nn.Conv1d(c.widths[0], sizes.heads * sizes.channels, 1))
        self.direct = zeroed(nn.Linear(c.embedding, sizes.heads * sizes.channels)) if c.direct else None
        self.precondition = Precondition(sizes) if c.preconditioned else None

    def calibrate(
        self, x: Float[Tensor, "batch channels length"], aligned: Float[Tensor, "batch aligned length"] | None
    ) -> None:
        """Measure the deviations of x [B, C, L] and of what is aligned with it, before training; a network that is not
        preconditioned needs none.
        """
        if self.precondition is not None:
            self.precondition.measure(x, aligned)

    def _stage(self, level: int, channels_in: list[int]) -> nn.ModuleList:
        c = self.config
        stage = nn.ModuleList(ResBlock(n, c.widths[level], c.embedding) for n in channels_in)
        if c.attention[level]:
            stage.append(Attention(c.widths[level], c.attention_heads, self.sizes.tokens))
        return stage

    def forward(
        self, z_t: Float[Tensor, "batch channels length"], log_snr: Float[Tensor, "batch"], condition: Condition
    ) -> Float[Tensor, "batch heads_channels length"]:
        if self.precondition is None:
            return self._predict(z_t, log_snr, condition, condition.aligned)
        scaled, aligned = self.precondition.inputs(z_t, log_snr, condition.aligned)
        return self.precondition.x(self._predict(scaled, log_snr, condition, aligned), z_t, log_snr)

    def _predict(self, z_t: Tensor, log_snr: Tensor, condition: Condition, aligned: Tensor | None) -> Tensor:
        embedding = self.embedding(log_snr, condition)
        h = self.enter(with_aligned(z_t, aligned))
        skips: list[Tensor] = []
        for shrink, stage in zip(self.shrink, self.down, strict=True):
            h = _run(stage, shrink(h), embedding, condition.tokens)
            skips.append(h)
        for level in reversed(range(len(self.up))):
            if level < len(self.up) - 1:
                h = self.grow[level](F.interpolate(h, scale_factor=2.0, mode="nearest"))
            h = _run(self.up[level], torch.cat([h, skips[level]], dim=1), embedding, condition.tokens)
        out = self.leave(F.silu(self.leave_norm(h)))
        if self.direct is None:
            return out
        gain = self.direct(F.silu(embedding))[:, :, None]
        return out + gain * torch.cat([z_t] * self.sizes.heads, dim=1)


class Precondition(nn.Module):
    """x of channels with deviations s, from a prediction F of unit variance: the linear part of E[x | z_t] for a
    Gaussian x, a s^2 / (a^2 s^2 + b^2) z_t, plus F times the deviation that is left, s b / sqrt(a^2 s^2 + b^2), where
    z_t = a x + b eps. So an error of the network weighs little where z_t says all.
    """

    deviation: Float[Tensor, "channels"]
    aligned_deviation: Float[Tensor, "aligned"]

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.register_buffer("deviation", torch.ones(sizes.channels))
        self.register_buffer("aligned_deviation", torch.ones(sizes.aligned))

    @torch.no_grad()
    def measure(
        self, x: Float[Tensor, "batch channels length"], aligned: Float[Tensor, "batch aligned length"] | None
    ) -> None:
        """Root mean squares over a large batch; channels that are never used keep 1."""
        for kept, values in ((self.deviation, x), (self.aligned_deviation, aligned)):
            if values is not None:
                measured = values.float().square().mean(dim=(0, 2)).sqrt()
                kept.copy_(torch.where(measured > LEAST_DEVIATION, measured, torch.ones_like(measured)))

    def inputs(
        self,
        z_t: Float[Tensor, "batch channels length"],
        log_snr: Float[Tensor, "batch"],
        aligned: Float[Tensor, "batch aligned length"] | None,
    ) -> tuple[Float[Tensor, "batch channels length"], Float[Tensor, "batch aligned length"] | None]:
        """z_t and what is aligned with it, each channel at unit variance."""
        total = self._rates(log_snr)[2]
        return z_t * total.rsqrt(), None if aligned is None else aligned / self.aligned_deviation[:, None]

    def x(
        self,
        prediction: Float[Tensor, "batch heads_channels length"],
        z_t: Float[Tensor, "batch channels length"],
        log_snr: Float[Tensor, "batch"],
    ) -> Float[Tensor, "batch heads_channels length"]:
        """In the precision of z_t, whatever the network ran in; further heads pass as they are."""
        alpha_2, sigma_2, total = self._rates(log_snr)
        s, own, others = self.deviation[:, None], prediction[:, : z_t.shape[1]], prediction[:, z_t.shape[1] :]
        x = alpha_2.sqrt() * s**2 / total * z_t + s * (sigma_2 / total).sqrt() * own.to(z_t.dtype)
        return torch.cat([x, others.to(z_t.dtype)], dim=1) if others.shape[1] else x

    def _rates(self, log_snr: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """alpha^2 and sigma^2 [B, 1, 1], and the variance of z_t [B, C, 1]."""
        alpha_2, sigma_2 = torch.sigmoid(log_snr)[:, None, None], torch.sigmoid(-log_snr)[:, None, None]
        return alpha_2, sigma_2, alpha_2 * self.deviation[:, None] ** 2 + sigma_2


def _run(
    stage: nn.Module,
    h: Float[Tensor, "batch channels_in length"],
    embedding: Float[Tensor, "batch features"],
    tokens: Float[Tensor, "batch tokens token_features"] | None,
) -> Float[Tensor, "batch channels_out length"]:
    for block in stage.children():
        h = block(h, tokens) if isinstance(block, Attention) else block(h, embedding)
    return h
