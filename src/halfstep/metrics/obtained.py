"""What a waveform has of what can be asked for: judges of the sound itself, where training measures bands."""

from collections.abc import Callable

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.chroma import key_of
from halfstep.audio.onsets import onsets_a_second, tempo_bpm
from halfstep.metrics.pulse import onset_strength
from halfstep.metrics.structure import chroma
from halfstep.metrics.waveform import integrated_lufs

Samples = Float32[np.ndarray, "samples"]


def tempo_of(samples: Samples, sample_rate: int) -> float:
    """Beats a minute; NaN without a pulse."""
    return tempo_bpm(*onset_strength(samples, sample_rate))


def density_of(samples: Samples, sample_rate: int) -> float:
    """Onsets a second."""
    return onsets_a_second(*onset_strength(samples, sample_rate))


def key_sounding(samples: Samples, sample_rate: int) -> str:
    """The key whose profile the pitch classes of its partials fit best; "" where none does."""
    return key_of(chroma(samples, sample_rate).sum(axis=0))


NUMBERS: dict[str, Callable[[Samples, int], float]] = {
    "tempo": tempo_of, "density": density_of, "loudness_like": integrated_lufs,
}  # fmt: skip
"""-inf and NaN are nothing that is known."""
LABELS: dict[str, Callable[[Samples, int], str]] = {"key": key_sounding}
