"""The modified discrete cosine transform: frames of a hop's length, critically sampled, orthonormal, inverted exactly.

Frame f covers the two hops centred at sample f * hop + hop / 2, where a frame of the mel is centred too. Coefficient k
is the band around (k + 1/2) / hop of half the sample rate. Princen, Johnson & Bradley 1987, with the sine window.
"""

from functools import lru_cache

import numpy as np

from halfstep.arrays import Float32


@lru_cache(maxsize=4)
def basis(hop: int) -> Float32[np.ndarray, "window {hop}"]:
    """[2 hop, hop]: windowed cosines, a column a coefficient; read-only."""
    n, k = np.arange(2 * hop)[:, None], np.arange(hop)[None]
    window = np.sin(np.pi * (n + 0.5) / (2 * hop))
    cosines = np.cos(np.pi / hop * (n + 0.5 + hop / 2) * (k + 0.5))
    made = (window * cosines * np.sqrt(2 / hop)).astype(np.float32)
    made.flags.writeable = False
    return made


def mdct(samples: Float32[np.ndarray, "*batch samples"], hop: int) -> Float32[np.ndarray, "*batch {hop} frames"]:
    """Samples [..., (frames + 1) * hop], from half a hop before frame 0 on -> coefficients [..., hop, frames]."""
    hops = samples.reshape(*samples.shape[:-1], -1, hop)
    first, second = basis(hop)[:hop], basis(hop)[hop:]
    return np.swapaxes(hops[..., :-1, :] @ first + hops[..., 1:, :] @ second, -1, -2)


def inverse_mdct(
    coefficients: Float32[np.ndarray, "*batch {hop} hops"], hop: int
) -> Float32[np.ndarray, "*batch samples"]:
    """Coefficients [..., hop, frames] -> samples [..., (frames + 1) * hop]: `mdct` undone.

    But for the first and last hop, which lack one of the two frames that make them up: they fade.
    """
    frames = np.swapaxes(coefficients, -1, -2)
    hops = np.zeros((*frames.shape[:-2], frames.shape[-2] + 1, hop), np.float32)
    hops[..., :-1, :] += frames @ basis(hop)[:hop].T
    hops[..., 1:, :] += frames @ basis(hop)[hop:].T
    return hops.reshape(*hops.shape[:-2], -1)
