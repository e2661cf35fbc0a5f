"""Mean and deviation of every mel band, streamed in float64."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from halfstep.arrays import Float64

SMALLEST_STD = 0.1
"""A band that (nearly) never changes, such as those above an MP3's cut-off, is not blown up beyond this."""


@dataclass(frozen=True, kw_only=True)
class BandMoments:
    """Frames counted, mean [n_mels] and sum of squared deviations [n_mels] of log-mel values."""

    count: int
    mean: Float64[np.ndarray, "bands"]
    squared: Float64[np.ndarray, "bands"]

    @property
    def std(self) -> Float64[np.ndarray, "bands"]:
        return np.maximum(np.sqrt(self.squared / max(1, self.count)), SMALLEST_STD)

    def to_json(self) -> dict[str, Any]:
        """Exactly these numbers: Python writes the shortest digits that read back the same."""
        return {"count": self.count, "mean": self.mean.tolist(), "squared": self.squared.tolist()}

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> "BandMoments":
        mean, squared = np.array(facts["mean"], np.float64), np.array(facts["squared"], np.float64)
        return cls(count=facts["count"], mean=mean, squared=squared)


def moments_of(values: Float64[np.ndarray, "frames bands"]) -> BandMoments:
    """values [count, n_mels], count at least 1."""
    mean = values.mean(axis=0)
    return BandMoments(count=len(values), mean=mean, squared=((values - mean) ** 2).sum(axis=0))


def merged(parts: Iterable[BandMoments]) -> BandMoments:
    """The moments of everything together, whatever the order of size (Chan, Golub & LeVeque 1979)."""
    total: BandMoments | None = None
    for part in parts:
        total = part if total is None else _pair(total, part)
    assert total is not None, "no moments to merge"
    return total


def _pair(a: BandMoments, b: BandMoments) -> BandMoments:
    count = a.count + b.count
    shift = b.mean - a.mean
    mean = a.mean + shift * (b.count / count)
    return BandMoments(count=count, mean=mean, squared=a.squared + b.squared + shift**2 * (a.count * b.count / count))
