"""A crossfade from one rendering of the same frames to another, lost among the music's own changes."""

import numpy as np

from halfstep.arrays import Float32

SMOOTHED_FRAMES = 9
"""Movement slower than this, .1 s, is faded; what is faster keeps its strength."""


def crossfaded(
    old: Float32[np.ndarray, "bands frames"], new: Float32[np.ndarray, "bands frames"]
) -> Float32[np.ndarray, "bands frames"]:
    """[n_mels, k] that begins as `old` and ends as `new`.

    The mean of two signals moves less than either, the less they have in common; here what moves fast is raised to
    the strength it has in them. For two renderings that agree this is a plain cross-fade.
    """
    frames = old.shape[1]
    rise = ((np.arange(frames, dtype=np.float32) + 1) / (frames + 1)).astype(np.float32)
    slow_old, slow_new = _smoothed(old), _smoothed(new)
    fast_old, fast_new = old - slow_old, new - slow_new
    product = (fast_old * fast_new).sum().astype(np.float64)
    shared = product / np.maximum(np.sqrt((fast_old**2).sum() * (fast_new**2).sum()).astype(np.float64), 1e-9)
    power = (1 - rise) ** 2 + rise**2 + 2 * rise * (1 - rise) * np.clip(shared, 0, 1).astype(np.float32)
    fast = ((1 - rise) * fast_old + rise * fast_new) / np.sqrt(power)
    return (1 - rise) * slow_old + rise * slow_new + fast


def _smoothed(frames: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "bands frames"]:
    """The mean over SMOOTHED_FRAMES around each frame, over fewer at the edges."""
    reach = SMOOTHED_FRAMES // 2
    sums = np.cumsum(np.pad(frames, ((0, 0), (1, 0))), axis=1, dtype=np.float64)
    places = np.arange(frames.shape[1])
    low, high = np.maximum(places - reach, 0), np.minimum(places + reach + 1, frames.shape[1])
    return ((sums[:, high] - sums[:, low]) / (high - low)).astype(np.float32)
