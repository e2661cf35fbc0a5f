"""The paper's baseline: a 2-D U-Net over the folded mel as a picture of 3 x 128 x 128 (diffusers' UNet2DModel)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.errors import InputError, NamedError
from halfstep.nets.blocks import MOST_BLOCKS, Sizes, check_sizes, zeroed
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import LOG_SNR_LIMIT


@dataclass(frozen=True, kw_only=True)
class UNet2dConfig:
    """n_mels: height of the picture; x [B, planes n_mels, L] has `planes` colours. widths: channels of each level,
    each a multiple of `groups`; the last but one attends, as in DDPM.
    """

    n_mels: int = 128
    widths: tuple[int, ...] = (128, 128, 256, 256, 512, 512)
    blocks: int = 2
    groups: int = 32

    def __post_init__(self) -> None:
        check_sizes(self.widths, (), 1, 1)
        if self.groups < 1 or any(width % self.groups for width in self.widths):
            raise ValueError(f"widths is {self.widths}: multiples of groups = {self.groups} were expected")
        if self.n_mels % self.length_multiple:
            raise ValueError(f"n_mels is {self.n_mels}: a multiple of {self.length_multiple} was expected")
        if not 1 <= self.blocks <= MOST_BLOCKS:
            raise ValueError(f"blocks is {self.blocks}: 1 to {MOST_BLOCKS} was expected")

    @property
    def length_multiple(self) -> int:
        """Height and length must be multiples of this."""
        return 2 ** (len(self.widths) - 1)

    def build(self, sizes: Sizes) -> "UNet2d":
        """The untrained network. ValueError where x is not whole pictures; InputError for a pooled condition."""
        if sizes.pooled:
            raise NamedError("{settings} conditions.names: a UNet2d cannot be asked for anything; leave them out")
        if 0 < sizes.aligned < sizes.channels:
            raise NamedError("{settings} music.guide: a UNet2d follows one beside a context alone: music.context=true")
        if sizes.channels % self.n_mels:
            raise ValueError(f"x has {sizes.channels} channels: a multiple of n_mels = {self.n_mels} was expected")
        return UNet2d(self, sizes)


class UNet2d(nn.Module):
    """z_t [B, planes n_mels, L] -> [B, heads planes n_mels, L]; the aligned condition joins as further colours."""

    def __init__(self, config: UNet2dConfig, sizes: Sizes) -> None:
        super().__init__()
        from diffusers.models.unets.unet_2d import UNet2DModel  # the extra `baseline`; its import takes seconds

        if sizes.channels % config.n_mels:
            raise InputError(
                f"net.n_mels is {config.n_mels}: a divisor of the {sizes.channels} channels of x was expected, the "
                f"bands; with packing components, as many as there are components"
            )
        self.config = config
        self.sizes = sizes
        planes = sizes.channels // config.n_mels
        levels = len(config.widths)
        attends = [level == levels - 2 for level in range(levels)]
        self.net = UNet2DModel(
            in_channels=planes + self._context_planes(),
            out_channels=planes * sizes.heads,
            layers_per_block=config.blocks,
            block_out_channels=config.widths,
            norm_num_groups=config.groups,
            down_block_types=tuple("AttnDownBlock2D" if a else "DownBlock2D" for a in attends),
            up_block_types=tuple("AttnUpBlock2D" if a else "UpBlock2D" for a in reversed(attends)),
        )
        zeroed(self.net.conv_out)  # as DDPM's own; the library's is not

    def forward(
        self, z_t: Float[Tensor, "batch channels length"], log_snr: Float[Tensor, "batch"], condition: Condition
    ) -> Float[Tensor, "batch heads_channels length"]:
        colours = [self._picture(z_t)]
        if condition.aligned is not None:
            colours += self._context(condition.aligned)
        time = (log_snr + LOG_SNR_LIMIT) * (1000 / (2 * LOG_SNR_LIMIT))  # the range its time embedding is made for
        return self.net(torch.cat(colours, dim=1), time, return_dict=False)[0].flatten(1, 2)

    def _picture(
        self, h: Float[Tensor, "batch channels length"]
    ) -> Float[Tensor, "batch channels//{self.config.n_mels} {self.config.n_mels} length"]:
        return h.unflatten(1, (-1, self.config.n_mels))

    def _context_planes(self) -> int:
        """Known frames fill as many planes as x, and every channel of their mask one."""
        channels, aligned = self.sizes.channels, self.sizes.aligned
        return channels // self.config.n_mels + aligned - channels if aligned else 0

    def _context(self, aligned: Tensor) -> list[Tensor]:
        """[B, planes n_mels + M, L] -> known picture and mask picture, [B, planes or M, n_mels, L]."""
        known, mask = aligned[:, : self.sizes.channels], aligned[:, self.sizes.channels :]
        return [self._picture(known), mask[:, :, None].expand(-1, -1, self.config.n_mels, -1)]
