"""The paper's own 1-D U-Net over time, every frequency a channel (2.3.1)."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfstep.arrays import Float
from halfstep.nets.blocks import Attention, Embedded, Sizes, check_sizes, with_aligned, zeroed
from halfstep.nets.condition import Condition


@dataclass(frozen=True, kw_only=True)
class PaperUNet1dConfig:
    """The paper's network where it says what it is; widths and kernels, which it leaves out, are ours."""

    widths: tuple[int, ...] = (384, 512, 640, 768)
    kernels: tuple[int, ...] = (3, 5, 7)
    attention_heads: int = 8
    embedding: int = 256

    def __post_init__(self) -> None:
        check_sizes(self.widths, self.widths[-1:], self.attention_heads, self.embedding)
        if not self.kernels or any(kernel % 2 == 0 or not 1 <= kernel < 1024 for kernel in self.kernels):
            raise ValueError(f"kernels is {self.kernels}: odd numbers were expected")

    @property
    def length_multiple(self) -> int:
        """The length of x must be a multiple of this."""
        return 2 ** (len(self.widths) - 1)

    def build(self, sizes: Sizes) -> "PaperUNet1d":
        """The untrained network."""
        return PaperUNet1d(self, sizes)


class PaperUNet1d(Embedded):
    """Batch norm, ReLU, max-pooling, transposed convolutions, several kernels a block, attention at the bottleneck.

    As a teacher or a sampler it must be in eval(): batch statistics mix noise levels.
    """

    def __init__(self, config: PaperUNet1dConfig, sizes: Sizes) -> None:
        super().__init__(sizes, config.embedding)
        self.config = config
        self.sizes = sizes
        c = config
        inputs = (sizes.channels + sizes.aligned, *c.widths[:-1])
        self.encoder = nn.ModuleList(
            PaperBlock(n, width, c.embedding, c.kernels) for n, width in zip(inputs, c.widths, strict=True)
        )
        self.attention = Attention(c.widths[-1], c.attention_heads)
        pairs = list(zip(c.widths[1:], c.widths[:-1], strict=True))
        self.grow = nn.ModuleList(nn.ConvTranspose1d(wide, narrow, 2, stride=2) for wide, narrow in pairs)
        self.decoder = nn.ModuleList(PaperBlock(2 * n, n, c.embedding, c.kernels) for _, n in pairs)
        self.leave = zeroed(nn.Conv1d(c.widths[0], sizes.heads * sizes.channels, 1))

    def forward(
        self, z_t: Float[Tensor, "batch channels length"], log_snr: Float[Tensor, "batch"], condition: Condition
    ) -> Float[Tensor, "batch heads_channels length"]:
        embedding = self.embedding(log_snr, condition)
        h = with_aligned(z_t, condition.aligned)
        skips: list[Tensor] = []
        for level, block in enumerate(self.encoder):
            h = block(h if level == 0 else F.max_pool1d(h, 2), embedding)
            skips.append(h)
        h = self.attention(h)
        for level in reversed(range(len(self.decoder))):
            h = F.relu(self.grow[level](h))
            h = self.decoder[level](torch.cat([h, skips[level]], dim=1), embedding)
        return self.leave(h)


class PaperBlock(nn.Module):
    """The paper's bulk block (2.3.1): convolutions of several kernel sizes side by side, each batch norm and ReLU.

    The outputs of the kernels are averaged; time is added as a bias; a residual path as in ResNet.
    """

    def __init__(self, channels_in: int, channels_out: int, embedding: int, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.first = nn.ModuleList(_conv_norm(channels_in, channels_out, k) for k in kernels)
        self.second = nn.ModuleList(_conv_norm(channels_out, channels_out, k) for k in kernels)
        self.time = nn.Linear(embedding, channels_out)
        self.skip = nn.Identity() if channels_in == channels_out else nn.Conv1d(channels_in, channels_out, 1)

    def forward(
        self, h: Float[Tensor, "batch channels_in length"], embedding: Float[Tensor, "batch features"]
    ) -> Float[Tensor, "batch channels_out length"]:
        r = _mean(branch(h).relu() for branch in self.first) + self.time(F.relu(embedding))[:, :, None]
        return self.skip(h) + _mean(branch(r).relu() for branch in self.second)


def _conv_norm(channels_in: int, channels_out: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv1d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm1d(channels_out))


def _mean(branches: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(branches)).mean(0)
