"""What a window can be asked for that nobody has to label: measured of its own log bands."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.chroma import chroma, key_of
from halfstep.audio.loudness import k_weights, lufs
from halfstep.audio.mel import MelConfig, filterbank
from halfstep.audio.onsets import onset_rises, onsets_a_second, tempo_bpm

Bands = Float32[np.ndarray, "bands frames"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """of: log bands [n_mels, frames] -> a label or a number; "" and NaN where there is none. unit: of a number, None of
    a label.
    """

    of: Callable[[Bands, MelConfig], str | float]
    unit: str | None = None


def tempo(log_mel: Bands, mel: MelConfig) -> float:
    """Beats a minute; NaN without a pulse."""
    return tempo_bpm(onset_rises(log_mel), mel.frames_per_second)


def density(log_mel: Bands, mel: MelConfig) -> float:
    """Onsets a second."""
    return onsets_a_second(onset_rises(log_mel), mel.frames_per_second)


def loudness(log_mel: Bands, mel: MelConfig) -> float:
    """K-weighted level of the bands, some dB from BS.1770's, which has the spectrum itself."""
    power = _band_weights(mel) @ np.exp(2 * log_mel.astype(np.float64))
    return float(lufs(power.mean(keepdims=True))[0])


def key(log_mel: Bands, mel: MelConfig) -> str:
    """The major or minor key, `A` or `Am`, whose profile its pitch classes follow best; "" where none fits.

    Needs bands that hold pitch (192 in log frequency); a mel's are too far apart.
    """
    return key_of(chroma(log_mel, mel).sum(axis=1))


MEASURES: dict[str, Measure] = {
    "tempo": Measure(of=tempo, unit="BPM"),
    "key": Measure(of=key),
    "loudness_like": Measure(of=loudness, unit="LUFS"),
    "density": Measure(of=density, unit="onsets a second"),
}


@lru_cache(maxsize=4)
def _band_weights(mel: MelConfig) -> Float64[np.ndarray, "bands"]:
    """What a band's magnitude, squared, adds to a frame's K-weighted mean square: its spectrum is taken to be flat."""
    filters = filterbank(mel).astype(np.float64)
    peaks = np.maximum(filters.max(axis=1, keepdims=True), 1e-12)
    return (filters / peaks) @ k_weights(mel) / np.maximum(filters.sum(axis=1), 1e-12) ** 2
