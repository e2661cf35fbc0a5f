"""What both networks of the vocoder are built of: blocks over time that run as a stream, their last inputs a state."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfstep.arrays import Float


@dataclass(frozen=True, kw_only=True)
class VocoderNetConfig:
    """width: channels of both networks. ahead: of each block, how many frames it sees ahead. expand: of a block's
    hidden layer. local_width, local_kernel: of the convolutions over bins. turned_share: of the bins, from the lowest
    up, those whose phases are refined; those above are only weighed. mel_steps: the powers of the
    Richardson-Lucy steps, each above 0 up to 2; 2 does what two plain ones would, and the last should be 1.
    """

    width: int = 256
    prior_ahead: tuple[int, ...] = (1, 1, 0, 0, 0)
    refiner_ahead: tuple[int, ...] = (1, 0, 0, 0)
    kernel: int = 7
    expand: int = 2
    local_width: int = 16
    local_kernel: int = 5
    turned_share: float = 0.5
    mel_steps: tuple[int, ...] = (2, 2, 1)

    def __post_init__(self) -> None:
        for name in ("width", "expand", "local_width", "local_kernel"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: at least 1 was expected")
        if not 0 < self.turned_share <= 1:
            raise ValueError(f"turned_share is {self.turned_share}: above 0 up to 1 was expected")
        if self.local_kernel % 2 == 0:
            raise ValueError(f"local_kernel is {self.local_kernel}: an odd number was expected")
        if not all(power in (1, 2) for power in self.mel_steps):
            raise ValueError(f"mel_steps is {self.mel_steps}: powers of 1 or 2 were expected")
        if not sum(self.refiner_ahead):
            raise ValueError(f"refiner_ahead is {self.refiner_ahead}: one frame in all was expected, for what follows")
        if not all(0 <= ahead < self.kernel for ahead in (*self.prior_ahead, *self.refiner_ahead)):
            raise ValueError(f"ahead is {self.prior_ahead}, {self.refiner_ahead}: 0 up to kernel - 1 was expected")


class StreamedBlock(nn.Module):
    """Depthwise convolution over time, then a pointwise network (ConvNeXt), its output `ahead` frames behind."""

    def __init__(self, width: int, expand: int, kernel: int, ahead: int) -> None:
        super().__init__()
        self.ahead = ahead
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width)
        self.enter = nn.Linear(width, expand * width)
        self.leave = nn.Linear(expand * width, width)
        self.gain = nn.Parameter(torch.full((width,), 0.1))

    def forward(
        self, h: Float[Tensor, "batch width frames"], before: Float[Tensor, "batch width before"]
    ) -> tuple[Float[Tensor, "batch width frames"], Float[Tensor, "batch width before"]]:
        """h [B, width, L], before [B, width, kernel - 1] -> the same, both moved on by L frames."""
        joined = torch.cat([before, h], dim=2)
        kept = before.shape[2]
        r = self.norm(self.depthwise(joined).transpose(1, 2))
        r = self.leave(F.gelu(self.enter(r))) * self.gain
        skip = joined[:, :, kept - self.ahead : joined.shape[2] - self.ahead]
        return skip + r.transpose(1, 2), joined[:, :, -kept:]


class Trunk(nn.Module):
    """Blocks in a row; their state is one tensor [B, blocks * width, kernel - 1]."""

    def __init__(self, config: VocoderNetConfig, ahead: tuple[int, ...]) -> None:
        super().__init__()
        c = config
        self.blocks = nn.ModuleList(StreamedBlock(c.width, c.expand, c.kernel, frames) for frames in ahead)
        self.norm = nn.LayerNorm(c.width)
        self.state_shape = (len(ahead) * c.width, c.kernel - 1)
        self.delay = sum(ahead)

    def forward(
        self, h: Float[Tensor, "batch width frames"], state: Float[Tensor, "batch states before"]
    ) -> tuple[Float[Tensor, "batch frames width"], Float[Tensor, "batch states before"]]:
        """h [B, width, L] -> [B, L, width], normalised and `delay` frames behind, and the state after it."""
        states: list[Tensor] = []
        for block, before in zip(self.blocks, state.chunk(len(self.blocks), dim=1), strict=True):
            h, after = block(h, before)
            states.append(after)
        return self.norm(h.transpose(1, 2)), torch.cat(states, dim=1)
