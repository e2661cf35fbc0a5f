"""Many channels to one, or to two: by the standard's rule, and so that channels out of phase do not cancel."""

import math

import numpy as np

from halfstep.arrays import Float, Float32, Float64

_HALF = math.sqrt(0.5)
LAYOUTS = {
    3: (1, 1, 2 * _HALF),
    4: (1, 1, _HALF, _HALF),
    5: (1, 1, 2 * _HALF, _HALF, _HALF),
    6: (1, 1, 2 * _HALF, 0, _HALF, _HALF),
    7: (1, 1, 2 * _HALF, 0, 2 * _HALF**2, _HALF, _HALF),
    8: (1, 1, 2 * _HALF, 0, _HALF, _HALF, _HALF, _HALF),
}
"""Channels -> what each adds to one, in WAV's order (front left and right, centre, low frequencies, back, sides), after
ITU-R BS.775: centre and surrounds at -3 dB in either of two channels, whose sum this is; no low-frequency channel."""
LEFT_SHARES = {
    2: (1, 0),
    3: (1, 0, 0.5),
    4: (1, 0, 1, 0),
    5: (1, 0, 0.5, 1, 0),
    6: (1, 0, 0.5, 0.5, 1, 0),
    7: (1, 0, 0.5, 0.5, 0.5, 1, 0),
    8: (1, 0, 0.5, 0.5, 1, 0, 1, 0),
}
"""Channels -> how much of each is left's; the rest is right's."""
CANCELLED = 0.1
"""Of the power that the channels would have if they were independent: below it they are out of phase."""


def mix_weights(channels: int) -> Float64[np.ndarray, "channels"]:
    """What each channel adds to one; they sum to 1, so that what all share keeps its level. Even where no rule is."""
    weights = np.array(LAYOUTS.get(channels, (1,) * channels), np.float64)
    return weights / weights.sum()


def in_phase(
    weights: Float64[np.ndarray, "channels"], covariance: Float[np.ndarray, "channels channels"]
) -> Float64[np.ndarray, "channels"]:
    """The weights, those of channels turned round that would cancel the strongest one; the same where none do."""
    apart = float(weights**2 @ np.diag(covariance))
    if float(weights @ covariance @ weights) >= CANCELLED * apart:
        return weights
    strongest = int(np.argmax(weights**2 * np.diag(covariance)))
    return weights * np.where(covariance[strongest] < 0, -1, 1)


def paired(block: Float[np.ndarray, "own samples"]) -> Float32[np.ndarray, "2 samples"]:
    """A block of any number of channels as left and right, whose mean is its mix: of one channel, or where no rule is,
    the mix twice.
    """
    count = len(block)
    share = np.array(LEFT_SHARES.get(count, (0.5,) * count))
    sides = 2 * mix_weights(count) * np.stack([share, 1 - share])
    with np.errstate(invalid="ignore", over="ignore"):  # infinite samples: whoever asked finds them in what comes out
        return (sides.astype(np.float32) @ block).astype(np.float32, copy=False)


def with_channels(block: Float[np.ndarray, "own samples"], channels: int) -> Float[np.ndarray, "channels samples"]:
    """A block with as many channels as are wanted: itself, or its mix in each of them."""
    if len(block) == channels:
        return block
    return np.repeat((mix_weights(len(block)) @ block)[None].astype(np.float32), channels, axis=0)


def mixed(block: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Channels [channels, n] to one [1, n]: their mix (`audio/downmix.py`)."""
    return mix_of(block.T, mix_weights(len(block)).astype(np.float32))


def mix_of(block: Float[np.ndarray, "..."], weights: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """[n, channels] -> [1, n]. numpy's own mean over so short an axis takes 25 times as long as a product."""
    with np.errstate(invalid="ignore", over="ignore"):  # infinite samples: whoever asked finds them in what comes out
        return (block @ weights)[None]
