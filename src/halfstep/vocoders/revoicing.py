"""A recording through its log-mel and back, block by block: what a vocoder makes of sound that is known."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from halfstep.arrays import Float, Float32, Float64
from halfstep.audio.image import RowsStream, mid_of
from halfstep.audio.limiter import limit
from halfstep.audio.mel import MelConfig
from halfstep.vocoders.base import Vocoder

LEAST_OFFSET = 1e-3
"""-60 dB: a mean below it is that of the music itself."""


def offset_of(blocks: Iterable[Float[np.ndarray, "..."]]) -> Float64[np.ndarray, "..."] | None:
    """The constant level of each channel, [channels]; None where there is none, or no sound."""
    total, count = np.zeros(1), 0
    for block in blocks:
        total, count = total + block.sum(axis=1, dtype=np.float64), count + block.shape[1]
    offset = constant_level(total / max(1, count))
    return offset if offset.any() else None


def constant_level(mean: Float64[np.ndarray, "channels"]) -> Float64[np.ndarray, "channels"]:
    """Of channels with this mean; 0 where that is the music's own."""
    return np.where(np.abs(mean) < LEAST_OFFSET, 0, mean)


def revoiced(
    blocks: Iterable[Float32[np.ndarray, "..."]],
    mel: MelConfig,
    vocoder: Callable[[], Vocoder],
    offset: Float64[np.ndarray, "..."] | None = None,
) -> Iterator[Float32[np.ndarray, "..."]]:
    """Blocks [channels, n] -> blocks [channels, m] of as many samples in all, at the same level, peaks bent below 1.

    Every channel goes its own way, through a vocoder of its own; what is the same in two of them stays so. Where the
    rows have an image, two channels go together. offset: a constant level of each, which in the bands would become a
    rumble: it is taken off before, and put back.
    """
    away = np.float32(0) if offset is None else offset[:, None].astype(np.float32)
    lanes: list[_Lane] = []
    count = done = 0
    for block in blocks:
        together = mel.channels == len(block) == 2
        lanes = lanes or [_Lane(mel, vocoder()) for _ in range(1 if together else len(block))]
        count += block.shape[1]
        ways = np.split(block - away, len(lanes))
        samples = np.concatenate([lane.push(way) for lane, way in zip(lanes, ways, strict=True)])
        done += samples.shape[1]
        if samples.size:
            yield limit(samples + away, gain=1)
    if count > done:  # the last frame may reach beyond the end
        rest = np.concatenate([lane.finish() for lane in lanes])
        yield limit(rest[:, : count - done] + away, gain=1)


class _Lane:
    """The way of one channel, or of two together."""

    def __init__(self, mel: MelConfig, vocoder: Vocoder) -> None:
        self._rows, self._vocoder, self._channels = RowsStream(mel), vocoder, mel.channels
        self._own = 0

    def push(self, samples: Float32[np.ndarray, "own samples"]) -> Float32[np.ndarray, "own settled"]:
        """samples [1 or 2, n] -> those settled by now, [1 or 2, m]."""
        self._own = len(samples)
        pushed = samples if self._own == self._channels else np.repeat(samples, self._channels, axis=0)
        return self._as_many(self._vocoder.push(self._rows.push(pushed)))

    def finish(self) -> Float32[np.ndarray, "own samples"]:
        """What is left, [1 or 2, m]."""
        last = self._vocoder.push(self._rows.finish())
        return self._as_many(np.concatenate([last, self._vocoder.finish()], axis=-1))

    def _as_many(self, samples: Float32[np.ndarray, "*channels samples"]) -> Float32[np.ndarray, "own samples"]:
        """One channel of a model of two is the mid that it makes."""
        made = np.atleast_2d(samples)
        return made if len(made) == self._own else mid_of(made)[None]
