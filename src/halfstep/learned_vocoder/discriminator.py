"""What tells recordings from a vocoder's sounds: small convolutional networks over spectra, one a resolution.

Where phases began says nothing of a sound, so that absolute phases are not shown: each bin comes with its size and
with how its phase lies to that of the bin below and of the frame before.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from halfstep.arrays import Float

RESOLUTIONS = (2048, 1024, 512)
"""Samples of a window; the hop is a quarter."""
COMPRESSION = 0.3
FAINT = 1e-2
"""Magnitude, of n_fft / 4 for a sine at full scale, below which phases fade out of sight."""


class SpectrumJudge(nn.Module):
    """Sounds [B, n] -> scores, one for each patch of the spectrum: above 0 for a recording."""

    def __init__(self, n_fft: int, width: int = 32) -> None:
        super().__init__()
        self.n_fft = n_fft

        def layer(channels: int, out: int, kernel: tuple[int, int], stride: int = 1, dilation: int = 1) -> nn.Module:
            padding = (kernel[0] // 2 * dilation, kernel[1] // 2)
            return weight_norm(nn.Conv2d(channels, out, kernel, (1, stride), padding, (dilation, 1)))

        self.layers = nn.ModuleList(
            [
                layer(5, width, (3, 9), stride=2),
                layer(width, width, (3, 9), stride=2),
                layer(width, width, (3, 9), stride=2, dilation=2),
                layer(width, width, (3, 9), stride=2, dilation=4),
                layer(width, width, (3, 3)),
            ]
        )
        self.score = layer(width, 1, (3, 3))

    def forward(self, sound: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 1 frames bins"]:
        h = self.seen(sound).contiguous(memory_format=torch.channels_last)
        with torch.autocast(sound.device.type, torch.bfloat16, enabled=sound.device.type == "cuda"):
            for layer in self.layers:
                h = F.leaky_relu(layer(h), 0.1)
            return self.score(h).float()

    def seen(self, sound: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch 5 frames bins"]:
        """[B, n] -> [B, 5, frames, bins]."""
        hop = self.n_fft // 4
        window = torch.hann_window(self.n_fft, device=sound.device)
        spectra = torch.stft(sound, self.n_fft, hop, window=window, return_complex=True).transpose(1, 2)
        real, imag = spectra.real[:, 1:], spectra.imag[:, 1:]
        size = (real.square() + imag.square() + FAINT**2) ** (COMPRESSION / 2)
        below = spectra[:, 1:], torch.cat([spectra[:, 1:, :1], spectra[:, 1:, :-1]], dim=2)
        turn = -2 * math.pi * hop / self.n_fft * torch.arange(spectra.shape[2], device=sound.device)
        before = spectra[:, 1:], spectra[:, :-1] * torch.polar(torch.ones_like(turn), -turn)
        channels = [size]
        for one, other in (below, before):
            product = one * other.conj()
            real, imag = product.real, product.imag
            scale = (real.square() + imag.square() + FAINT**4) ** ((COMPRESSION / 2 - 1) / 2)
            channels += [real * scale, imag * scale]
        return torch.stack(channels, dim=1)


class Judges(nn.Module):
    """One judge for each of RESOLUTIONS."""

    def __init__(self) -> None:
        super().__init__()
        self.judges = nn.ModuleList(SpectrumJudge(n_fft) for n_fft in RESOLUTIONS)

    def forward(self, sound: Float[Tensor, "batch samples"]) -> list[Float[Tensor, "batch 1 frames bins"]]:
        return [judge(sound) for judge in self.judges]


def judging_loss(
    of_real: list[Float[Tensor, "batch 1 frames bins"]], of_made: list[Float[Tensor, "batch 1 frames bins"]]
) -> Float[Tensor, ""]:
    """The judges' own loss, a hinge; a scalar."""
    parts = [F.relu(1 - a).mean() + F.relu(1 + b).mean() for a, b in zip(of_real, of_made, strict=True)]
    return torch.stack(parts).mean()


def deceiving_loss(of_made: list[Float[Tensor, "batch 1 frames bins"]]) -> Float[Tensor, ""]:
    """What those who made the sounds would lower; a scalar."""
    return torch.stack([-scores.mean() for scores in of_made]).mean()
