"""From log-mel to a spectrum with phases, in two small networks around a phase vocoder.

A network that is the same at every frame gives a steady mel the same spectrum at every frame, which is a tone only
where the hop is a whole number of periods. So the phases are not asked of it. `Prior` gives the magnitudes; every
peak of them goes on as a steady tone (`audio.steady`), a state that runs through the whole stream; the spectra are
made those of one real signal (overlapped and analysed again: one pass of Griffin-Lim); and `Refiner` turns and
weighs every bin of that by what its magnitude and phase lost on the way, which does not depend on where the phases
began. The prior starts at the mel spread over the bins (FreeV, arXiv:2406.08196) and is brought back to the mel.
Where bands were measured under another window than that of the spectra (`audio.grids`), it is brought to levels that
the network has made of them.

Both run as a stream: convolutions carry their last inputs as state, and what comes out is `delay` frames behind.
Training and playing share that form. Shapes are time-major, [B, L, bins], as the transforms around them want it, but
[B, channels, L] within a trunk; a spectrum in two real parts is [B, 2, L, bins].
"""

import numpy as np
import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.audio.grids import filters_on_grid, synthesis_grid
from halfstep.audio.mel import MelConfig, band_edges_hz, tiles
from halfstep.learned_vocoder.torch_steady import steady_units
from halfstep.learned_vocoder.torch_stft import analysed, overlapped
from halfstep.learned_vocoder.trunk import Trunk, VocoderNetConfig
from halfstep.nets.blocks import zeroed

TINY = 1e-6
MEL_CENTRE, MEL_SPREAD = -4.0, 3.0  # nepers: roughly standardises the log-mel of music
LOUDEST_GAIN = 4.0  # nepers
LOCAL_FEATURES = 11
FILTER_TILES = 4
STARTING_SHARE = 0.7
"""Of a level under a window of twice the length: a steady tone has half of it there, noise .7, a wide band all."""
IMPOSED_BINS = 1.5
"""Half the width from which a band on another grid is imposed on the bins; narrower ones only begin them."""
QUIET = 1e-3
"""Magnitude of a bin, of 512 for a sine at full scale, below which a change is no change: -114 dB."""

Pair = tuple[Tensor, Tensor]
"""Complex numbers, their real and imaginary parts apart."""


class Prior(nn.Module):
    """Log-mel -> magnitudes that have this mel, and what the refiner is given of them."""

    filters: Float[Tensor, "bands bins"]
    area: Float[Tensor, "bands"]
    reach: Float[Tensor, "bins"]
    imposed: Float[Tensor, "bands"]

    def __init__(self, mel: MelConfig, config: VocoderNetConfig) -> None:
        super().__init__()
        grid, matrix = synthesis_grid(mel), filters_on_grid(mel)
        filters = torch.from_numpy(matrix.copy())
        self.register_buffer("filters", filters)
        self.register_buffer("area", filters.sum(1).clamp(min=TINY))
        self.register_buffer("reach", filters.sum(0).clamp(min=TINY))
        self._bins_of, self._bands_of = (tiles(part, -(-len(part) // FILTER_TILES)) for part in (matrix, matrix.T))
        half_width = np.diff(band_edges_hz(mel))[1:] * (grid.n_fft / grid.sample_rate)
        imposed = torch.from_numpy((half_width >= IMPOSED_BINS).astype(np.float32))
        self.register_buffer("imposed", imposed)
        self.mel_steps = config.mel_steps
        self.trunk = Trunk(config, config.prior_ahead)
        self.enter = nn.Linear(mel.n_mels, config.width)
        self.leave = zeroed(nn.Linear(config.width, grid.bins))
        self.sharpen = None if grid == mel else zeroed(nn.Linear(config.width, mel.n_mels))

    @property
    def delay(self) -> int:
        return self.trunk.delay

    def forward(
        self,
        log_mel: Float[Tensor, "batch frames bands"],
        mels: Float[Tensor, "batch delay bands"],
        state: Float[Tensor, "batch states before"],
    ) -> tuple[
        Float[Tensor, "batch frames bins"],
        Float[Tensor, "batch frames width"],
        Float[Tensor, "batch delay bands"],
        Float[Tensor, "batch states before"],
    ]:
        """log_mel [B, L, n_mels], mels [B, delay, n_mels] before it, state of the trunk.

        Comes back: magnitude [B, L, bins] and hidden [B, L, width], both `delay` frames behind; mels, state.
        """
        h, state = self.trunk(self.enter((log_mel - MEL_CENTRE) / MEL_SPREAD).transpose(1, 2), state)
        joined = torch.cat([mels, log_mel], dim=1)
        length = log_mel.shape[1]
        mel = joined[:, :length].exp() if self.sharpen is None else self._on_grid(joined[:, :length], h)
        # Of levels their mean over the filters that hear each bin; no bin is quite 0.
        to_bands = [self.filters[bands, bins].T for bands, bins in self._bins_of]
        to_bins = [self.filters[bands, bins] for bins, bands in self._bands_of]

        def to_mel(magnitude: Tensor) -> Tensor:
            """[..., bins] -> [..., n_mels], band by band the sum over its bins."""
            parts = [magnitude[..., bins] @ part for (_, bins), part in zip(self._bins_of, to_bands, strict=True)]
            return torch.cat(parts, dim=-1)

        def spread(levels: Tensor) -> Tensor:
            """[..., n_mels] -> [..., bins], bin by bin the mean over the bands that cover it."""
            parts = [levels[..., bands] @ part for (_, bands), part in zip(self._bands_of, to_bins, strict=True)]
            return torch.cat(parts, dim=-1) / self.reach

        magnitude = (spread(mel / self.area) + TINY) * self.leave(h).exp()
        for power in self.mel_steps:
            misses = mel / to_mel(magnitude).clamp(min=TINY**2)
            step = spread(misses if self.sharpen is None else 1 + self.imposed * (misses - 1)) + TINY
            for _ in range(power):
                magnitude = magnitude * step
        return magnitude, h, joined[:, length:], state

    def _on_grid(
        self, log_mel: Float[Tensor, "batch frames bands"], h: Float[Tensor, "batch frames width"]
    ) -> Float[Tensor, "batch frames bands"]:
        """Levels of bands [B, L, n_mels] under the window of the grid: sharper in time, as the trunk's h has it."""
        assert self.sharpen is not None
        return STARTING_SHARE * (log_mel + self.sharpen(h)).exp()


class Refiner(nn.Module):
    """What is known of a phase vocoder's spectra -> the spectra to sound, `delay` frames behind.

    The trunk sees whole frames and says what each bin should become; `local` sees how each bin's phase lies to its
    neighbours', of which whole frames have too many to pass through the trunk, and brings that about.
    """

    def __init__(self, grid: MelConfig, config: VocoderNetConfig) -> None:
        super().__init__()
        self.trunk = Trunk(config, config.refiner_ahead)
        self.bins, self.turned = grid.bins, round(config.turned_share * grid.bins)
        outputs = grid.bins + 2 * self.turned  # a gain for every bin, two parts of a turn
        self.enter = nn.Linear(config.width + outputs, config.width)
        self.leave = zeroed(nn.Linear(config.width, outputs))
        between, reach = config.local_width, config.local_kernel // 2
        self.local = nn.Sequential(
            nn.Conv2d(LOCAL_FEATURES, between, (1, config.local_kernel), padding=(0, reach)),
            nn.ReLU(),
            nn.Conv2d(between, between, (1, 3), padding=(0, 1)),
            nn.ReLU(),
            zeroed(nn.Conv2d(between, 3, 1)),
        )

    @property
    def delay(self) -> int:
        return self.trunk.delay

    def forward(
        self,
        hidden: Float[Tensor, "batch frames width"],
        magnitude: Float[Tensor, "batch frames bins"],
        planned: Float[Tensor, "batch 2 frames bins"],
        consistent: Float[Tensor, "batch 2 frames bins"],
        waiting: Float[Tensor, "batch 5 delay bins"],
        state: Float[Tensor, "batch states before"],
    ) -> tuple[
        Float[Tensor, "batch 2 frames bins"], Float[Tensor, "batch 5 delay bins"], Float[Tensor, "batch states before"]
    ]:
        """hidden [B, L, width] and magnitude [B, L, bins] of the prior; planned [B, 2, L, bins], unit phases of the
        tones; consistent [B, 2, L, bins], the spectra of the signal they make; waiting [B, 5, delay, bins], the last
        three of the frames not yet answered; state of the trunk. Comes back: spectra [B, 2, L, bins], `delay` frames
        behind; waiting, state.
        """
        length, turned = hidden.shape[1], self.turned
        joined = torch.cat([waiting, torch.cat([magnitude[:, None], planned, consistent], dim=1)], dim=2)
        magnitude, *parts = joined.split(1, dim=1)  # from here on [B, 1, delay + L, bins]
        tones, sound = (parts[0][..., :turned], parts[1][..., :turned]), (parts[2], parts[3])

        loud = (sound[0] * sound[0] + sound[1] * sound[1] + TINY**2).sqrt()
        level = (magnitude + QUIET).log()
        lost = (loud + QUIET).log() - level
        units = sound[0] / loud, sound[1] / loud
        low = units[0][..., :turned], units[1][..., :turned]
        turns = turn(tones, low)
        inputs = torch.cat([part[:, 0, self.delay :] for part in (lost, *turns)], dim=2)
        h, state = self.trunk(self.enter(torch.cat([hidden, inputs], dim=2)).transpose(1, 2), state)
        gain, *wanted = (p[:, None] for p in self.leave(h).split([self.bins, turned, turned], dim=2))

        now, after = ((low[0][:, :, at : at + length], low[1][:, :, at : at + length]) for at in (0, 1))
        above = turn(now, (_next(now[0]), _next(now[1])))
        slope = (_next(level) - level)[..., :turned]
        seen = torch.cat([lost[..., :turned], *turns, slope], dim=1)[:, :, :length]
        features = torch.cat([*above, *turn(now, after), seen, gain[..., :turned], *wanted], dim=1)
        # In this order twice as fast to train on a processor.
        more = self.local(features.contiguous(memory_format=torch.channels_last)).split(1, dim=1)
        gain = torch.cat([gain[..., :turned] + more[0], gain[..., turned:]], dim=3)
        real, imag = 1 + wanted[0] + more[1], wanted[1] + more[2]

        size = gain.clamp(max=LOUDEST_GAIN).exp() * magnitude[:, :, :length]
        unit = (real * real + imag * imag + TINY).rsqrt()
        rotated = torch.cat(rotate(now, (real * unit, imag * unit)), dim=1)
        unturned = torch.cat([part[:, :, :length, turned:] for part in units], dim=1)
        return torch.cat([rotated, unturned], dim=3) * size, joined[:, :, length:], state


def _next(bins: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """What stands one bin higher; the highest as it is."""
    return torch.cat([bins[..., 1:], bins[..., -1:]], dim=-1)


def turn(first: Pair, second: Pair) -> Pair:
    """second / first of unit numbers: by how much the phase turns from one to the other."""
    real = first[0] * second[0] + first[1] * second[1]
    return real, first[0] * second[1] - first[1] * second[0]


def rotate(value: Pair, by: Pair) -> Pair:
    """Product of complex numbers."""
    return value[0] * by[0] - value[1] * by[1], value[0] * by[1] + value[1] * by[0]


class VocoderNet(nn.Module):
    """Both networks, for one mel; `bins` are those of its `audio.grids.synthesis_grid` throughout."""

    def __init__(self, mel: MelConfig, config: VocoderNetConfig) -> None:
        super().__init__()
        self.mel, self.grid, self.config = mel, synthesis_grid(mel), config
        self.prior = Prior(mel, config)
        self.refiner = Refiner(self.grid, config)

    def forward(
        self, log_mel: Float[Tensor, "batch bands frames"], start: Float[Tensor, "batch bins"]
    ) -> tuple[Float[Tensor, "batch samples"], Float[Tensor, "batch settled bins"]]:
        """Log-mel [B, n_mels, L], phases to begin at [B, bins] -> the sound [B, k * hop] of its frames 0..k-1, where
        k is L less both delays, and the prior's magnitudes of them [B, k, bins].
        """
        grid, prior, refiner = self.grid, self.prior, self.refiner

        def zeros(*shape: int) -> Tensor:
            return log_mel.new_zeros(len(log_mel), *shape)

        mels = log_mel.transpose(1, 2)
        answer = prior(mels, mels[:, :1].expand(-1, prior.delay, -1), zeros(*prior.trunk.state_shape))
        magnitude, hidden = answer[0][:, prior.delay :], answer[1][:, prior.delay :]
        with torch.no_grad():
            planned = steady_units(magnitude.detach(), start, grid)
        consistent = analysed(overlapped(magnitude * planned, grid), grid)
        parts = (torch.view_as_real(s).movedim(-1, 1) for s in (planned, consistent))
        waiting = zeros(5, refiner.delay, grid.bins)
        spectra, _, _ = refiner(hidden, magnitude, *parts, waiting, zeros(*refiner.trunk.state_shape))
        spectra = spectra[:, :, refiner.delay :]
        signal = overlapped(torch.complex(spectra[:, 0], spectra[:, 1]), grid)
        return signal, magnitude[:, : spectra.shape[2]]
