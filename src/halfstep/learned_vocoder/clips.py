"""What the vocoder's networks learn from: recordings at any level, some tones, and mels that are not quite true."""

from dataclasses import dataclass

import numpy as np
import torch

from halfstep.arrays import Float, Float32
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.nets.condition import Condition
from halfstep.training.example import Example

SMOOTHING_REACH = 5
LOWEST_HZ, HIGHEST_HZ = 60.0, 4000.0
MOST_PARTIALS = 8


@dataclass(frozen=True, kw_only=True)
class ClipsConfig:
    """frames: of a clip. gain_db: range of the change of level. tones: share of clips that are a synthetic tone.
    smoothed: share of mels that are blurred over time and bands by up to `blur` frames and bands, with noise of up to
    `noise` nepers: what a model makes is smoother than what is analysed. The sound to reach is the recording all the
    same.
    """

    frames: int = 64
    gain_db: tuple[float, float] = (-12.0, 6.0)
    tones: float = 0.07
    smoothed: float = 0.2
    blur: float = 1.5
    noise: float = 0.1

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames is {self.frames}: at least 1 was expected")
        for name in ("tones", "smoothed"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 to 1 was expected")
        for name in ("blur", "noise"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 or more was expected")
        if len(self.gain_db) != 2 or not self.gain_db[0] <= self.gain_db[1]:
            raise ValueError(f"gain_db is {self.gain_db}: the least and the largest change of level were expected")


def vocoder_example(
    clips: Float32[np.ndarray, "clips samples"], mel: MelConfig, config: ClipsConfig, rng: np.random.Generator
) -> Example:
    """Recordings [B, n], n a whole number of hops -> x, the sounds to reach [B, n], and their log-mels as `aligned`."""
    gain = 10 ** (rng.uniform(*config.gain_db, (len(clips), 1)) / 20)
    sounds = (clips * gain).astype(np.float32)
    for index in np.flatnonzero(rng.random(len(clips)) < config.tones):
        sounds[index] = tone(clips.shape[1], mel.sample_rate, rng)
    mels = log_mel(sounds, mel)
    for index in np.flatnonzero(rng.random(len(clips)) < config.smoothed):
        mels[index] = _blurred(mels[index], config, mel, rng)
    return Example(x=torch.from_numpy(sounds), condition=Condition(aligned=torch.from_numpy(mels)))


def tone(length: int, sample_rate: int, rng: np.random.Generator) -> Float32[np.ndarray, "samples"]:
    """A steady or dying harmonic tone [length], of any pitch, brightness and level."""
    seconds = np.arange(length) / sample_rate
    pitch_hz = np.exp(rng.uniform(np.log(LOWEST_HZ), np.log(HIGHEST_HZ)))
    count = min(int(rng.integers(1, MOST_PARTIALS + 1)), int(0.45 * sample_rate / pitch_hz))
    order = np.arange(1, count + 1)
    strengths = order ** -rng.uniform(0.5, 3.0)
    phases = rng.uniform(0, 2 * np.pi, count)
    waves = np.sin(2 * np.pi * pitch_hz * order[:, None] * seconds + phases[:, None])
    wave = (strengths[:, None] * waves).sum(0) / strengths.sum()
    decay = rng.choice([0.0, rng.uniform(0.5, 6.0)])
    return (10 ** rng.uniform(-1.5, -0.1) * np.exp(-decay * seconds) * wave).astype(np.float32)


def _blurred(
    mel: Float32[np.ndarray, "..."], config: ClipsConfig, settings: MelConfig, rng: np.random.Generator
) -> Float32[np.ndarray, "..."]:
    """[n_mels, frames] -> the same, smoother and noisier by drawn amounts."""
    over_bands, over_time = rng.uniform(0, config.blur, 2)
    smooth = _smoothed(_smoothed(mel, over_bands, 0), over_time, 1)
    noisy = smooth + rng.uniform(0, config.noise) * rng.standard_normal(mel.shape)
    return np.maximum(noisy, np.log(settings.floor)).astype(np.float32)


def _smoothed(values: Float[np.ndarray, "..."], deviation: float, axis: int) -> Float[np.ndarray, "..."]:
    """Convolved with a Gaussian of `deviation` places along `axis`; the ends go on as they are."""
    shifts = np.arange(-SMOOTHING_REACH, SMOOTHING_REACH + 1)
    weights = np.exp(-0.5 * (shifts / max(deviation, 0.1)) ** 2)
    padding = [(SMOOTHING_REACH, SMOOTHING_REACH) if a == axis else (0, 0) for a in (0, 1)]
    padded = np.pad(values, padding, mode="edge")
    parts = (
        weight * np.take(padded, SMOOTHING_REACH + shift + np.arange(values.shape[axis]), axis=axis)
        for weight, shift in zip(weights / weights.sum(), shifts, strict=True)
    )
    return sum(parts, np.zeros_like(values))
