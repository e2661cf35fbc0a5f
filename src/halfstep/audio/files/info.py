"""What a sound file says of itself, and a part of what it holds, whoever decodes it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file says about itself."""

    format: str
    subtype: str
    sample_rate: int
    channels: int
    frames_declared: int


def span_of(
    blocks: Iterable[Float[np.ndarray, "..."]], channels: int, start: int, count: int
) -> Float[np.ndarray, "..."]:
    """Samples `start` to `start + count` of blocks [channels, n]."""
    kept, place = [np.zeros((channels, 0), np.float32)], 0
    for block in blocks:
        kept.append(block[:, max(0, start - place) : max(0, start + count - place)])
        place += block.shape[1]
        if place >= start + count:
            break
    return np.concatenate(kept, axis=1)
