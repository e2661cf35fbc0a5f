"""Music without end that neither swells nor dies: the long-term spectrum of each window is held near the last one's.

A network that exaggerates what its context sounds like (guided ones do) answers a context above the average of its
bands with music further above it, and one below with music further below. In a stream every window is context for the
next, so that it runs away: into a dense wash, or into silence. Of real music the answer is nearer to the average.
`Stationary`, of a model's folder, says by how much the network exaggerates; here it is taken back.
"""

from functools import cache

import numpy as np

from halfstep.arrays import Float32
from halfstep.bundle import Stationary

SMOOTHED_SHARE = 8
"""The shape of a mean spectrum is that spectrum smoothed over bands by a Hann window of a quarter of them: half of it,
an eighth, on either side."""
RAMP_SHARE = 2
"""Over half of its new frames a window is led to where it should be: an equalizer that moves slowly, and no join."""


def held_stationary(
    window: Float32[np.ndarray, "rows frames"],
    past: Float32[np.ndarray, "frames"],
    fresh: Float32[np.ndarray, "frames"],
    ramp: Float32[np.ndarray, "frames"],
    stationary: Stationary,
    n_mels: int,
) -> Float32[np.ndarray, "rows frames"]:
    """A standardised window [rows, frames] that begins with frames of the window before it, its other frames nearer
    to the average: x -> m + (1 + (contrast - 1) r) (x - m) - r (pull c + detail (p - c) + bias), where p is the mean
    spectrum of the past, c its shape, smoothed over bands, and m the shape of the fresh frames' mean.

    past, fresh: shares of the means over those frames, each of sum 1, [frames]. ramp: r, 0 to 1, [frames]. All as
    `shares` gives them. Rows below the first n_mels, an image, stay as they are. Nothing but arithmetic on arrays, so
    that a browser's graph is traced from it.
    """
    image, window = window[n_mels:], window[:n_mels]
    smoothing = band_smoothing(n_mels)
    context = window @ past[:, None]
    context_shape = smoothing @ context
    own_shape = smoothing @ (window @ fresh[:, None])
    contrast = 1 + np.float32(stationary.contrast - 1) * ramp
    detail = np.float32(stationary.detail) * (context - context_shape)
    offset = np.float32(stationary.pull) * context_shape + detail + np.float32(stationary.bias)
    held = own_shape + contrast * (window - own_shape) - ramp * offset
    return np.concatenate([held, image]) if len(image) else held


def shares(
    frames: int, known: int
) -> tuple[Float32[np.ndarray, "{frames}"], Float32[np.ndarray, "{frames}"], Float32[np.ndarray, "{frames}"]]:
    """(past, fresh, ramp), each [frames], of a window whose first `known` frames are known, 1 to frames - 1 of them."""
    past, fresh, ramp = np.zeros((3, frames), np.float32)
    past[:known], fresh[known:] = 1 / known, 1 / (frames - known)
    ramp[known:] = np.minimum(1, np.arange(1, frames - known + 1) * (RAMP_SHARE / (frames - known)))
    return past, fresh, ramp


@cache
def band_smoothing(bands: int) -> Float32[np.ndarray, "{bands} {bands}"]:
    """[n_mels, n_mels], whose rows smooth a spectrum; beyond the last band on either side its value goes on."""
    half = max(1, bands // SMOOTHED_SHARE)
    weights = np.hanning(2 * half + 1)
    weights /= weights.sum()
    matrix = np.zeros((bands, bands))
    for offset, weight in zip(range(-half, half + 1), weights, strict=True):
        np.add.at(matrix, (np.arange(bands), np.clip(np.arange(bands) + offset, 0, bands - 1)), weight)
    return matrix.astype(np.float32)
