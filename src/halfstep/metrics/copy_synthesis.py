"""The ceiling that a mel and a vocoder set: real music through both, against itself."""

import numpy as np

from halfstep.arrays import Float
from halfstep.audio.mel import MelConfig
from halfstep.metrics.bootstrap import interval
from halfstep.metrics.judge import Figure
from halfstep.metrics.waveform import log_spectral_distance, loudness_matched, mel_l1, multi_resolution_stft_distance


def copy_synthesis(
    copies: Float[np.ndarray, "clips samples"],
    originals: Float[np.ndarray, "clips samples"],
    mel: MelConfig,
    seed: int = 0,
) -> dict[str, Figure]:
    """Means over windows [n, samples], each copy at its original's RMS: mr_stft, log_spectral_db, mel_l1 (nepers).

    0 is the original itself. Silent originals are left out. ValueError if the shapes differ or nothing sounds.
    """
    if copies.shape != originals.shape:
        raise ValueError(f"copies {copies.shape} and originals {originals.shape}: one shape was expected")
    pairs = [(loudness_matched(c, o), o) for c, o in zip(copies, originals, strict=True) if np.abs(o).max() > 0]
    if not pairs:
        raise ValueError("every original is silent: at least one that sounds was expected")
    measures = {
        "mr_stft": np.array([multi_resolution_stft_distance(*pair) for pair in pairs]),
        "log_spectral_db": np.array([log_spectral_distance(*pair) for pair in pairs]),
        "mel_l1": np.array([mel_l1(*pair, mel) for pair in pairs]),
    }
    rng = np.random.default_rng(seed)
    return {name: _mean(values, rng) for name, values in measures.items()}


def _mean(values: np.ndarray, rng: np.random.Generator) -> Figure:
    mean, windows = float(values.mean()), len(values)
    low, high = interval(mean, lambda counts: float(counts @ values / windows), windows, rng)
    return Figure(value=mean, low=low, high=high, windows=windows)
