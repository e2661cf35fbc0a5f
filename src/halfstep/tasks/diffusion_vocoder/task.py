"""A vocoder: the waveform, given its log-mel.

x is the waveform's MDCT, every bin of a frame a channel, each divided by a level that the mel alone gives it: of about
unit variance wherever there is sound. What is sampled is multiplied by that level again: silence stays silence.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig, filterbank, log_mel
from halfstep.audio.stft import hann
from halfstep.nets.condition import Condition
from halfstep.tasks.contract import Band
from halfstep.tasks.diffusion_vocoder.mdct import inverse_mdct, mdct
from halfstep.training.example import Example

MARGIN = 2
"""Frames of a clip on either side for the mel alone: that of the first frame reaches that far back."""
LEVEL_GAIN = 1.25
"""A band's magnitude is a mean over it, below the root of the mean square that makes x of unit variance."""
BLUR = np.array([0.25, 0.5, 0.25], np.float32)


@dataclass(frozen=True, kw_only=True)
class DiffusionVocoderConfig:
    """frames: L, those modelled of a clip. What a mel that a model made lacks, training meets too: blurred_share of the
    clips have theirs smoothed over neighbouring frames and bands; mel_noise is the largest deviation, in nepers, of the
    noise laid over a mel (drawn a clip). quieter_db: clips are turned down by up to so much.

    whitening: 0 divides a frame's bins by one level, so that the loud ones are all that counts; 1 each by its own, so
    that every bin counts alike, most of them noise that nothing can predict; between, powers of the two are mixed.
    """

    n_mels: int = 128
    frames: int = 48
    blurred_share: float = 0.25
    mel_noise: float = 0.2
    quieter_db: float = 12.0
    whitening: float = 0.6

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames is {self.frames}: at least 1 was expected")
        for name in ("blurred_share", "whitening"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 to 1 was expected")
        for name in ("mel_noise", "quieter_db"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 or more was expected")

    @property
    def clip_frames(self) -> int:
        """Frames of a clip, margins and all."""
        return self.frames + 2 * MARGIN

    @property
    def length(self) -> int:
        """L: a frame is a position."""
        return self.frames


class DiffusionVocoder:
    """The task. Clips are samples [B, clip_frames * hop_length] in [-1, 1], float32."""

    def __init__(
        self,
        config: DiffusionVocoderConfig,
        mel: MelConfig,
        band: Band,
    ) -> None:
        if mel.lead > MARGIN * mel.hop_length:
            raise ValueError(f"n_fft is {mel.n_fft}: at most {2 * MARGIN + 1} times the hop_length was expected")
        self.config = config
        self.mel = mel
        self._mean, self._std = (part.astype(np.float32)[:, None] for part in band)
        self._levels = level_matrix(mel)

    @property
    def channels(self) -> int:
        return self.mel.hop_length

    @property
    def length(self) -> int:
        return self.config.length

    @property
    def aligned(self) -> int:
        return self.mel.n_mels

    def example(self, clips: Float32[np.ndarray, "batch samples"], rng: np.random.Generator) -> Example:
        quieter = 10 ** (-rng.uniform(0, self.config.quieter_db, (len(clips), 1)) / 20)
        clips = clips * quieter.astype(np.float32)
        return self.given(clips, self._as_if_generated(self.true_mel(clips), rng))

    def free(self, clips: Float32[np.ndarray, "batch samples"]) -> Example:
        return self.given(clips, self.true_mel(clips))

    def given(
        self, clips: Float32[np.ndarray, "batch samples"], log_mel: Float32[np.ndarray, "batch bands frames"]
    ) -> Example:
        """x of the clips where the network, and the level, are given `log_mel` [B, n_mels, frames]."""
        hop, edge = self.mel.hop_length, MARGIN * self.mel.hop_length - self.mel.hop_length // 2
        x = mdct(clips[:, edge:-edge], hop) / self.level(log_mel)
        return Example(x=torch.from_numpy(x), condition=self.condition(log_mel))

    def condition(self, log_mel: Float32[np.ndarray, "..."]) -> Condition:
        """What the network is given of a log-mel [B, n_mels, L]: standardised."""
        return Condition(aligned=torch.from_numpy((log_mel - self._mean) / self._std))

    def level(
        self, log_mel: Float32[np.ndarray, "*batch bands frames"]
    ) -> Float32[np.ndarray, "*batch channels frames"]:
        """What x is divided by, [..., n_mels, L] -> [..., hop_length, L].

        As a mean over a frame's bins, x^2 is then expected to be 1.
        """
        expected = self._levels @ np.exp(log_mel)
        colour = expected ** (1 - self.config.whitening)
        return expected / colour * np.sqrt(np.square(colour).mean(axis=-2, keepdims=True))

    def waveform(
        self, x: Float32[np.ndarray, "batch channels frames"], log_mel: Float32[np.ndarray, "batch bands frames"]
    ) -> Float32[np.ndarray, "batch samples"]:
        """Samples [B, L * hop_length] of x [B, hop_length, L], given the mel; the first and last half hop fade."""
        half = self.mel.hop_length // 2
        return inverse_mdct(x * self.level(log_mel), self.mel.hop_length)[:, half:-half]

    def sound(self, clips: Float32[np.ndarray, "batch all"]) -> Float32[np.ndarray, "batch samples"]:
        """The part of each clip that x models, [B, frames * hop_length]."""
        edge = MARGIN * self.mel.hop_length
        return clips[:, edge:-edge]

    def true_mel(self, clips: Float32[np.ndarray, "batch samples"]) -> Float32[np.ndarray, "batch bands frames"]:
        """Log-mel of that part, [B, n_mels, frames]."""
        return log_mel(clips, self.mel)[:, :, MARGIN:-MARGIN]

    def _as_if_generated(self, log_mel: Float32[np.ndarray, "..."], rng: np.random.Generator) -> np.ndarray:
        blurred = (rng.random(len(log_mel)) < self.config.blurred_share)[:, None, None]
        log_mel = np.where(blurred, _blur(_blur(log_mel, 1), 2), log_mel)
        deviation = rng.uniform(0, self.config.mel_noise, (len(log_mel), 1, 1)).astype(np.float32)
        return log_mel + deviation * rng.standard_normal(log_mel.shape, dtype=np.float32)


def level_matrix(mel: MelConfig) -> Float32[np.ndarray, "..."]:
    """[hop_length, n_mels]: a mel's magnitudes to the deviation of each MDCT bin, interpolated between the bands.

    White noise of deviation s has spectra of deviation s sqrt(sum of the window squared), and MDCT bins of deviation s.
    """
    filters = filterbank(mel).astype(np.float64)
    reach = filters.sum(axis=0)
    shares = filters / np.where(reach > 0, reach, 1)
    shares[:, reach == 0] = shares[:, [np.flatnonzero(reach > 0)[-1]]]  # at half the sample rate no band hears
    shares /= np.maximum(filters.sum(axis=1), 1e-12)[:, None]
    places = (np.arange(mel.hop_length) + 0.5) * mel.n_fft / (2 * mel.hop_length)
    bins = np.arange(mel.bins)
    matrix = np.stack([np.interp(places, bins, band) for band in shares], axis=1)
    window_power = np.square(hann(mel.n_fft), dtype=np.float64).sum()
    return (LEVEL_GAIN * matrix / np.sqrt(window_power)).astype(np.float32)


def _blur(log_mel: Float32[np.ndarray, "..."], axis: int) -> np.ndarray:
    """Smoothed over three neighbours along one axis, the ends repeated."""
    padding = [(1, 1) if place == axis else (0, 0) for place in range(log_mel.ndim)]
    padded = np.pad(log_mel, padding, mode="edge")
    count = log_mel.shape[axis]
    return np.stack([weight * padded.take(range(i, i + count), axis) for i, weight in enumerate(BLUR)]).sum(axis=0)
