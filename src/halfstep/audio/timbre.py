"""What a stretch of music sounds like, of its log bands alone: a few numbers by which kinds of music are told apart."""

import numpy as np

from halfstep.arrays import Float, Float64

GROUPS = 24
"""Of neighbouring bands, each as wide as the others in bands; as many as there are bands, where those are fewer."""
KINDS = 4
"""Numbers of a group."""


def timbre(log_bands: Float[np.ndarray, "bands frames"]) -> Float64[np.ndarray, "features"]:
    """KINDS rows of a number a group of bands, [KINDS * groups], of two frames or more: the mean level, less that of
    all groups, how much it varies, how much it changes from frame to frame, and how far bands stand out of those beside
    them.

    How loud the music is changes none of them, as long as nothing falls below the floor.
    """
    bands = log_bands.astype(np.float64)
    level = bands.mean(axis=1)
    edges = np.pad(bands, ((1, 1), (0, 0)), mode="edge")
    rows = np.stack([
        level - level.mean(),
        bands.std(axis=1),
        np.abs(np.diff(bands, axis=1)).mean(axis=1),
        np.abs(np.diff(edges, 2, axis=0)).mean(axis=1),
    ])  # fmt: skip
    groups = np.array_split(rows, min(GROUPS, len(bands)), axis=1)
    return np.stack([group.mean(axis=1) for group in groups], axis=1).ravel()
