"""`vocoder_clips` for a processor that is not this one: recordings in its memory, clips drawn and spoilt there.

Bands are spoilt as those are that a model makes: smoothed, noisy, and passed through their principal components.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from halfstep.arrays import Float, Int, Int16
from halfstep.audio.mel import MelConfig
from halfstep.learned_vocoder.clips import HIGHEST_HZ, LOWEST_HZ, MOST_PARTIALS, SMOOTHING_REACH
from halfstep.learned_vocoder.torch_bands import log_bands
from halfstep.nets.condition import Condition
from halfstep.training.example import Example

GROUP = 3
"""Frames whose bands share their principal components."""


@dataclass(frozen=True, kw_only=True)
class DeviceClipsConfig:
    """gain_db: range of the change of level. tones: share of clips that are synthetic tones. smoothed, rounded: share
    of clips whose bands are blurred by up to `blur` frames and bands with noise of up to `noise` nepers, and that pass
    through a drawn number of principal components, `least` to `most`, of GROUP frames, shrunk by up to `shrunk`.
    """

    gain_db: tuple[float, float] = (-12.0, 6.0)
    tones: float = 0.07
    smoothed: float = 0.25
    blur: float = 1.2
    noise: float = 0.15
    rounded: float = 0.4
    least: int = 72
    most: int = 160
    shrunk: float = 0.3


class Clip(NamedTuple):
    """sound [B, frames * hop], and its bands [B, n_mels, frames]."""

    sound: Float[Tensor, "batch samples"]
    bands: Float[Tensor, "batch bands frames"]


class PatchStatistics(NamedTuple):
    """mean, std [n_mels, 1] of bands; basis [GROUP * n_mels, most]; spread [most], standard deviations in it."""

    mean: Float[Tensor, "bands 1"]
    std: Float[Tensor, "bands 1"]
    basis: Float[Tensor, "grouped_bands components"]
    spread: Float[Tensor, "components"]


class DeviceClips:
    """Clips of `frames` frames of recordings, all drawn by one generator of the device."""

    def __init__(
        self, tracks: list[Int16[np.ndarray, "samples"]], mel: MelConfig, frames: int, device: torch.device, seed: int,
        config: DeviceClipsConfig,
    ) -> None:  # fmt: skip
        """tracks: int16 [n] each. Bands of a clip see what lies before and after it."""
        self.mel, self.config, self.frames = mel, config, frames
        self.margin = -(-(mel.reach + 1) // 2)
        self.margin += -(frames + 2 * self.margin) % GROUP
        self._length = (frames + 2 * self.margin) * mel.hop_length
        tracks = [track for track in tracks if len(track) > self._length]
        if not tracks:
            raise ValueError(f"no track is longer than {self._length} samples")
        self._audio = torch.from_numpy(np.concatenate(tracks)).to(device)
        sizes = torch.tensor([len(track) for track in tracks])
        self._ends = (sizes - self._length).cumsum(0).to(device)  # of the places at which clips may begin
        # A clip may begin anywhere but within a clip's length of a track's end.
        self._skips = (torch.arange(len(tracks)) * self._length).to(device)
        self._seed, self._random = seed, torch.Generator(device).manual_seed(seed)
        self.components = self._fitted()

    @property
    def device(self) -> torch.device:
        return self._audio.device

    def uniform(self, low: float, high: float, *shape: int) -> Float[Tensor, "..."]:
        return low + (high - low) * torch.rand(*shape, generator=self._random, device=self.device)

    def draw(self, batch: int) -> Clip:
        """Some of them tones, some with spoilt bands; the sound to reach is always the true one."""
        c = self.config
        sounds = self._recorded(batch) * 10 ** (self.uniform(*c.gain_db, batch, 1) / 20)
        tones = round(c.tones * batch)
        if tones:
            sounds[:tones] = self.tones(tones)
        bands = self.spoilt(log_bands(sounds, self.mel))
        return self._inside(sounds, bands)

    def batches(self, size: int) -> Callable[[int], Example]:
        """Training batches by number, each a function of (seed, number): recordings, their bands as `aligned`."""

        def batch(number: int) -> Example:
            seeds = np.random.SeedSequence([self._seed, number]).generate_state(1, np.uint64)
            self._random.manual_seed(int(seeds[0] >> np.uint64(1)))
            sound, bands = self.draw(size)
            return Example(x=sound, condition=Condition(aligned=bands))

        return batch

    def at(self, places: list[int]) -> Clip:
        """Plain clips that begin at these samples of all recordings, one after another."""
        which = torch.tensor(places, device=self.device)
        sounds = self._cut(which)
        return self._inside(sounds, log_bands(sounds, self.mel))

    def evenly(self, count: int) -> Clip:
        last = len(self._audio) - self._length
        return self.at([round(last * place / max(1, count - 1)) for place in range(count)])

    def tones(self, count: int) -> Float[Tensor, "{count} samples"]:
        """Steady or dying harmonic tones [count, n], of any pitch, brightness and level."""
        seconds = torch.arange(self._length, device=self.device) / self.mel.sample_rate
        lowest, highest = np.log(LOWEST_HZ), np.log(min(HIGHEST_HZ, 0.4 * self.mel.sample_rate))
        pitch_hz = self.uniform(lowest, highest, count, 1).exp()
        order = torch.arange(1, MOST_PARTIALS + 1, device=self.device)
        partials = (self.uniform(1, MOST_PARTIALS + 1, count, 1)).floor()
        kept = (order <= partials) & (order * pitch_hz < 0.45 * self.mel.sample_rate)
        strengths = order ** -self.uniform(0.5, 3.0, count, 1) * kept
        strengths = strengths / strengths.sum(1, keepdim=True)
        cycles = (pitch_hz * order).double()[..., None] * seconds.double() + self.uniform(0, 1, count, MOST_PARTIALS, 1)
        waves = (strengths[..., None] * torch.sin(2 * np.pi * (cycles - cycles.floor()).float())).sum(1)
        decay = self.uniform(0.5, 6.0, count, 1) * (self.uniform(0, 1, count, 1) < 0.5)
        return 10 ** self.uniform(-1.5, -0.1, count, 1) * torch.exp(-decay * seconds) * waves

    def spoilt(self, bands: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch bands frames"]:
        """[B, n_mels, L], L a multiple of GROUP."""
        c, batch = self.config, len(bands)
        smoothed = self.uniform(0, 1, batch, 1, 1) < c.smoothed
        smooth = self._blurred(self._blurred(bands).transpose(1, 2)).transpose(1, 2)
        noise = torch.randn(bands.shape, generator=self._random, device=self.device)
        smooth = smooth + self.uniform(0, c.noise, batch, 1, 1) * noise
        bands = torch.where(smoothed, smooth, bands)
        rounded = self.uniform(0, 1, batch, 1, 1) < c.rounded
        bands = torch.where(rounded, self._rounded(bands), bands)
        return bands.clamp(min=float(np.log(self.mel.floor)))

    def _blurred(self, bands: Float[Tensor, "batch rows columns"]) -> Float[Tensor, "batch rows columns"]:
        """[B, n, m] convolved along m with a Gaussian of a drawn width, each clip its own."""
        shifts = torch.arange(-SMOOTHING_REACH, SMOOTHING_REACH + 1, device=self.device)
        width = self.uniform(0.1, self.config.blur, len(bands), 1)
        weights = torch.exp(-0.5 * (shifts / width) ** 2)
        weights = weights / weights.sum(1, keepdim=True)
        padded = F.pad(bands, (SMOOTHING_REACH, SMOOTHING_REACH), mode="replicate").unfold(2, len(shifts), 1)
        return torch.einsum("bnms,bs->bnm", padded, weights)

    def _rounded(self, bands: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch bands frames"]:
        """[B, n_mels, L] as their first components have them: a drawn number, the last of them the more shrunk."""
        c, (mean, std, basis, spread) = self.config, self.components
        batch, n_mels, length = bands.shape
        grouped = ((bands - mean) / std).transpose(1, 2).reshape(batch, length // GROUP, GROUP * n_mels)
        values = grouped @ basis
        most = basis.shape[1]
        count = self.uniform(min(c.least, most), most + 1, batch, 1, 1)
        place = torch.arange(most, device=self.device)
        shrunk = 1 - self.uniform(0, c.shrunk, batch, 1, 1) * (place / count).clamp(max=1)
        stirred = torch.randn(values.shape, generator=self._random, device=self.device)
        values = values * shrunk + self.uniform(0, 0.1, batch, 1, 1) * spread[-1] * stirred
        values = values * (place < count)
        back = (values @ basis.T).reshape(batch, length, n_mels).transpose(1, 2)
        return back * std + mean

    def _fitted(self) -> PatchStatistics:
        """Components of the bands of recordings, as `packing.components` has them."""
        bands = torch.cat([log_bands(self._recorded(16), self.mel) for _ in range(24)])
        mean, std = bands.mean((0, 2))[:, None], bands.std((0, 2))[:, None].clamp(min=1e-3)
        grouped = ((bands - mean) / std).transpose(1, 2).reshape(-1, GROUP * self.mel.n_mels)
        values, vectors = torch.linalg.eigh((grouped.T @ grouped / len(grouped)).double().cpu())
        most = min(self.config.most, len(values))
        basis, spread = vectors.flip(1)[:, :most], values.flip(0)[:most].clamp(min=0).sqrt()
        return PatchStatistics(mean, std, basis.float().to(self.device), spread.float().to(self.device))

    def _recorded(self, batch: int) -> Float[Tensor, "{batch} samples"]:
        """Drawn pieces [B, n] of recordings, as they are."""
        places = torch.rand(batch, generator=self._random, device=self.device, dtype=torch.float64) * self._ends[-1]
        places = places.long()
        return self._cut(places + self._skips[torch.searchsorted(self._ends, places, right=True)])

    def _cut(self, places: Int[Tensor, "batch"]) -> Float[Tensor, "batch samples"]:
        indices = places[:, None] + torch.arange(self._length, device=self.device)
        return self._audio[indices].float() / 32768

    def _inside(self, sounds: Float[Tensor, "batch samples"], bands: Float[Tensor, "batch bands frames"]) -> Clip:
        inside = slice(self.margin, self.margin + self.frames)
        hop = self.mel.hop_length
        return Clip(sounds[:, inside.start * hop : inside.stop * hop], bands[:, :, inside])
