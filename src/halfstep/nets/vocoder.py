"""From log-mel to a spectrum with phases, in two small networks around a phase vocoder.

A network that is the same at every frame gives a steady mel the same spectrum at every frame, which is a tone only
where the hop is a whole number of periods. So the phases are not asked of it. `Prior` gives the magnitudes; every
peak of them goes on as a steady tone (`audio.steady`), a state that runs through the whole stream; the spectra are
made those of one real signal (overlapped and analysed again: one pass of Griffin-Lim); and `Refiner` turns and
weighs every bin of that by what its magnitude and phase lost on the way, which does not depend on where the phases
began. The prior starts at the mel spread over the bins (FreeV, arXiv:2406.08196) and is brought back to the mel.

Both run as a stream: convolutions carry their last inputs as state, and what comes out is `delay` frames behind.
Training and playing share that form. Shapes are [B, channels, L]; a spectrum in two real parts is [B, 2, bins, L].
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from halfstep.audio.mel import MelConfig, filterbank
from halfstep.nets.blocks import zeroed

TINY = 1e-6
MEL_CENTRE, MEL_SPREAD = -4.0, 3.0  # nepers: roughly standardises the log-mel of music
LOUDEST_GAIN = 4.0  # nepers
LOCAL_FEATURES = 12
QUIET = 1e-3
"""Magnitude of a bin, of 512 for a sine at full scale, below which a change is no change: -114 dB."""


@dataclass(frozen=True, kw_only=True)
class VocoderNetConfig:
    """width: channels of both networks. ahead: of each block, how many frames it sees ahead. expand: of a block's
    hidden layer. phase_bins: the lowest bins, whose phases the refiner turns. local_width,
    local_kernel: of the convolutions over bins that do. mel_steps: Richardson-Lucy steps.
    """

    width: int = 256
    prior_ahead: tuple[int, ...] = (1, 1, 0, 0, 0)
    refiner_ahead: tuple[int, ...] = (1, 0, 0, 0)
    kernel: int = 7
    expand: int = 2
    phase_bins: int = 512
    local_width: int = 16
    local_kernel: int = 5
    mel_steps: int = 6

    def __post_init__(self) -> None:
        for name in ("width", "expand", "phase_bins", "local_width", "local_kernel"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: at least 1 was expected")
        if self.local_kernel % 2 == 0:
            raise ValueError(f"local_kernel is {self.local_kernel}: an odd number was expected")
        if not sum(self.refiner_ahead):
            raise ValueError(f"refiner_ahead is {self.refiner_ahead}: one frame in all was expected, for what follows")
        if not all(0 <= ahead < self.kernel for ahead in (*self.prior_ahead, *self.refiner_ahead)):
            raise ValueError(f"ahead is {self.prior_ahead}, {self.refiner_ahead}: 0 up to kernel - 1 was expected")


class Block(nn.Module):
    """Depthwise convolution over time, then a pointwise network (ConvNeXt), its output `ahead` frames behind."""

    def __init__(self, width: int, expand: int, kernel: int, ahead: int) -> None:
        super().__init__()
        self.ahead = ahead
        self.depthwise = nn.Conv1d(width, width, kernel, groups=width)
        self.norm = nn.LayerNorm(width)
        self.enter = nn.Linear(width, expand * width)
        self.leave = nn.Linear(expand * width, width)
        self.gain = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, h: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
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
        self.blocks = nn.ModuleList(Block(c.width, c.expand, c.kernel, frames) for frames in ahead)
        self.norm = nn.LayerNorm(c.width)
        self.state_shape = (len(ahead) * c.width, c.kernel - 1)
        self.delay = sum(ahead)

    def forward(self, h: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """h [B, width, L] -> [B, L, width], normalised and `delay` frames behind, and the state after it."""
        states = []
        for block, before in zip(self.blocks, state.chunk(len(self.blocks), dim=1), strict=True):
            h, after = block(h, before)
            states.append(after)
        return self.norm(h.transpose(1, 2)), torch.cat(states, dim=1)


class Prior(nn.Module):
    """Log-mel -> magnitudes that have this mel, and what the refiner is told of them."""

    filters: Tensor
    area: Tensor
    reach: Tensor

    def __init__(self, mel: MelConfig, config: VocoderNetConfig) -> None:
        super().__init__()
        filters = torch.from_numpy(filterbank(mel).copy())
        self.register_buffer("filters", filters)
        self.register_buffer("area", filters.sum(1, keepdim=True).clamp(min=TINY))
        self.register_buffer("reach", filters.sum(0)[:, None].clamp(min=TINY))
        self.mel_steps = config.mel_steps
        self.trunk = Trunk(config, config.prior_ahead)
        self.enter = nn.Conv1d(mel.n_mels, config.width, 1)
        self.leave = zeroed(nn.Linear(config.width, mel.bins))

    @property
    def delay(self) -> int:
        return self.trunk.delay

    def forward(self, log_mel: Tensor, mels: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """log_mel [B, n_mels, L], mels [B, n_mels, delay] before it, state of the trunk.

        Comes back: magnitude [B, bins, L] and hidden [B, width, L], both `delay` frames behind; mels, state.
        """
        h, state = self.trunk(self.enter((log_mel - MEL_CENTRE) / MEL_SPREAD), state)
        joined = torch.cat([mels, log_mel], dim=2)
        length = log_mel.shape[2]
        mel = joined[:, :, :length].exp()
        spread = self._over_bins(mel / self.area)
        magnitude = spread * self.leave(h).transpose(1, 2).exp()
        for _ in range(self.mel_steps):
            magnitude = magnitude * self._over_bins(mel / (self.filters @ magnitude).clamp(min=TINY**2))
        return magnitude, h.transpose(1, 2), joined[:, :, length:], state

    def _over_bins(self, levels: Tensor) -> Tensor:
        """[B, n_mels, L] -> their mean over the filters that hear each bin, [B, bins, L]; no bin is quite 0."""
        return (self.filters.T @ levels) / self.reach + TINY


class Refiner(nn.Module):
    """What is known of a phase vocoder's spectra -> the spectra to sound, `delay` frames behind.

    The trunk sees whole frames and says what each bin should become; `local` sees how each bin's phase lies to its
    neighbours', of which whole frames have too many to pass through the trunk, and brings that about.
    """

    def __init__(self, mel: MelConfig, config: VocoderNetConfig) -> None:
        super().__init__()
        self.low, self.high = min(config.phase_bins, mel.bins), max(mel.bins - config.phase_bins, 0)
        self.trunk = Trunk(config, config.refiner_ahead)
        self.enter = nn.Linear(config.width + mel.bins + 2 * self.low, config.width)
        self.leave = zeroed(nn.Linear(config.width, mel.bins + 2 * self.low))
        between, reach = config.local_width, config.local_kernel // 2
        self.local = nn.Sequential(
            nn.Conv2d(LOCAL_FEATURES, between, (config.local_kernel, 1), padding=(reach, 0)),
            nn.GELU(),
            nn.Conv2d(between, between, (config.local_kernel, 1), padding=(reach, 0)),
            nn.GELU(),
            zeroed(nn.Conv2d(between, 3, (config.local_kernel, 1), padding=(reach, 0))),
        )

    @property
    def delay(self) -> int:
        return self.trunk.delay

    @property
    def waits(self) -> int:
        """Values kept of a frame that is not yet answered."""
        return 3 * (self.low + self.high) + 3 * self.low

    def forward(
        self, hidden: Tensor, magnitude: Tensor, planned: Tensor, heard: Tensor, waiting: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """hidden [B, width, L] and magnitude [B, bins, L] of the prior; planned [B, 2, bins, L], unit phases of the
        tones; heard [B, 2, bins, L], the spectra of the signal they make; waiting [B, waits, delay], what is kept
        of the frames not yet answered; state of the trunk. Comes back: spectra [B, 2, bins, L], `delay` frames
        behind; waiting, state.
        """
        length, bins = magnitude.shape[2], self.low + self.high
        loud = ((heard * heard).sum(1) + TINY**2).sqrt()
        lost = ((loud + QUIET) / (magnitude + QUIET)).log()
        unit = heard / loud[:, None]
        turned = turn(planned[:, :, : self.low], unit[:, :, : self.low]).flatten(1, 2)
        told = torch.cat([hidden, lost, turned], dim=1).transpose(1, 2)
        h, state = self.trunk(self.enter(told).transpose(1, 2), state)
        wanted, gain = self.leave(h).transpose(1, 2).split([3 * self.low, self.high], dim=1)
        wanted = wanted.unflatten(1, (3, self.low))

        now = torch.cat([magnitude, unit.flatten(1, 2), lost[:, : self.low], turned], dim=1)
        joined = torch.cat([waiting, now], dim=2)
        level, units, seen = joined.split([bins, 2 * bins, 3 * self.low], dim=1)
        level, units = level[:, :, :length], units.unflatten(1, (2, bins))
        seen = seen[:, :, :length].unflatten(1, (3, self.low))
        wanted = wanted + self.local(self._neighbours(level, units[:, :, : self.low], seen, wanted))

        rotation = torch.stack([1 + wanted[:, 1], wanted[:, 2]], dim=1)
        rotation = rotation * ((rotation * rotation).sum(1, keepdim=True) + TINY).rsqrt()
        low = rotate(units[:, :, : self.low, :length], rotation)
        level = level * torch.cat([wanted[:, 0], gain], dim=1).clamp(max=LOUDEST_GAIN).exp()
        spectra = level[:, None] * torch.cat([low, units[:, :, self.low :, :length]], dim=2)
        return spectra, joined[:, :, length:], state

    def _neighbours(self, level: Tensor, units: Tensor, seen: Tensor, wanted: Tensor) -> Tensor:
        """What `local` sees of each of the low bins, [B, LOCAL_FEATURES, low, L]: how its phase lies to that of the
        next bin and of the next frame, what it lost and how it was turned (`seen`), how it differs in level from the
        bins beside it, what the trunk wants. `units` has one frame more.
        """
        length = level.shape[2]
        now = units[:, :, :, :length]
        above = turn(now, F.pad(now[:, :, 1:], (0, 0, 0, 1)))
        after = turn(now, units[:, :, :, 1 : length + 1])
        loudness = (level[:, None, : self.low] + QUIET).log()
        slope = F.pad(loudness[:, :, 1:] - loudness[:, :, :-1], (0, 0, 1, 1))
        told = torch.cat([above, after, seen, slope[:, :, 1:], slope[:, :, :-1], wanted], dim=1)
        return told.contiguous(memory_format=torch.channels_last)  # twice as fast to train on a processor


def turn(first: Tensor, second: Tensor) -> Tensor:
    """second / first of unit numbers [B, 2, ...]: by how much the phase turns from one to the other."""
    real = first[:, 0] * second[:, 0] + first[:, 1] * second[:, 1]
    return torch.stack([real, first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]], dim=1)


def rotate(value: Tensor, by: Tensor) -> Tensor:
    """Product of complex numbers [B, 2, ...]."""
    real = value[:, 0] * by[:, 0] - value[:, 1] * by[:, 1]
    return torch.stack([real, value[:, 0] * by[:, 1] + value[:, 1] * by[:, 0]], dim=1)


class VocoderNet(nn.Module):
    """Both networks, for one mel."""

    def __init__(self, mel: MelConfig, config: VocoderNetConfig) -> None:
        super().__init__()
        self.mel, self.config = mel, config
        self.prior = Prior(mel, config)
        self.refiner = Refiner(mel, config)
