"""Quick looks at log-mel windows: how smooth, how alike, and a small feature vector of each."""

import numpy as np

from halfstep.arrays import Float


def frame_step(log_mel: Float[np.ndarray, "*batch bands frames"]) -> float:
    """Mean |difference| between neighbouring frames of [..., n_mels, frames], in nepers.

    Real orchestral music at hop 512 has about .23; a model that has only learned noise ten times that.
    """
    return float(np.abs(np.diff(log_mel, axis=-1)).mean())


def correlation(a: Float[np.ndarray, "windows *shape"], b: Float[np.ndarray, "windows *shape"]) -> float:
    """Pearson correlation of two sets of windows, each window centred on its own mean; 1 = the same music."""
    a = a.reshape(len(a), -1) - a.reshape(len(a), -1).mean(1, keepdims=True)
    b = b.reshape(len(b), -1) - b.reshape(len(b), -1).mean(1, keepdims=True)
    return float(np.mean((a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))))


def rms_difference(a: Float[np.ndarray, "*shape"], b: Float[np.ndarray, "*shape"]) -> float:
    """Root of the mean squared difference, in the unit of a and b."""
    return float(np.sqrt(np.mean((a - b) ** 2)))


def features(windows: Float[np.ndarray, "n bands frames"], groups: int = 16) -> Float[np.ndarray, "n 3*{groups}"]:
    """[n, n_mels, frames] -> [n, 3 groups]: level, deviation over time and mean step of each group of bands.

    A coarse stand-in for a music embedding while a model trains: blind to harmony, quick to see noise, blur or tilt.
    """
    n, n_mels, frames = windows.shape
    steps = np.abs(np.diff(windows, axis=2)).reshape(n, groups, n_mels // groups, frames - 1).mean((2, 3))
    bands = windows.reshape(n, groups, n_mels // groups, frames).mean(2)
    return np.concatenate([bands.mean(2), bands.std(2), steps], axis=1)
