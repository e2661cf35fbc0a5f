"""A recording as a model is given it: one channel at its rate and level, without a constant part, block by block."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.downmix import paired
from halfstep.audio.image import RowsStream
from halfstep.audio.mel import LogMelStream
from halfstep.audio.resampling import resampled
from halfstep.bundle import Manifest
from halfstep.generation.sides import Placing, gain_between, way_to_one
from halfstep.generation.takes import Take
from halfstep.vocoders.revoicing import constant_level


@dataclass(frozen=True, eq=False)
class Incoming:
    """A recording, and the way of it to the model. frames: of its bands. placing: the way back."""

    take: Take
    manifest: Manifest
    weights: Float64[np.ndarray, "channels"]
    placing: Placing
    frames: int = 0

    def bands(self) -> Iterator[Float32[np.ndarray, "bands frames"]]:
        """Its log bands, [n_mels, k] at a time, each time from the beginning."""
        mel, form = self.manifest.mel, self.take.form
        stream, offset = LogMelStream(mel), self.placing.offset[:, None]
        weights = self.weights * math.exp(-self.placing.gain)
        mixed = ((weights @ (block - offset))[None].astype(np.float32) for block in self.take.blocks())
        for block in resampled(mixed, form.sample_rate, mel.sample_rate):
            yield stream.push(block[0])
        yield stream.finish()

    def rows(self) -> Iterator[Float32[np.ndarray, "rows frames"]]:
        """The same with the image below the bands, where the model has one."""
        mel, form = self.manifest.mel, self.take.form
        if mel.channels == 1:
            yield from self.bands()
            return
        stream, offset = RowsStream(mel), self.placing.offset[:, None]
        turned = np.where(self.weights < 0, -1, 1)[:, None] * math.exp(-self.placing.gain)
        pairs = (paired((turned * (block - offset)).astype(np.float32)) for block in self.take.blocks())
        for block in resampled(pairs, form.sample_rate, mel.sample_rate):
            yield stream.push(block)
        yield stream.finish()


def incoming(take: Take, manifest: Manifest) -> Incoming:
    """The recording is read three times: for what its channels share, and twice for its level.

    Frames without any sound do not count towards the level: a recording's rests say nothing of it.
    """
    weights, placing = way_to_one(*_moments(take))
    plain = Incoming(take, manifest, weights, placing)
    frames = 0

    def sounding_mean(gain: float) -> Float64[np.ndarray, "bands"]:
        nonlocal frames
        floor, sums, sounding, frames = np.float32(np.log(manifest.mel.floor)), 0.0, 0, 0
        for bands in replace(plain, placing=replace(placing, gain=-gain)).bands():
            above = bands[:, (bands > floor).any(axis=0)].astype(np.float64)
            sums, sounding, frames = sums + above.sum(axis=1), sounding + above.shape[1], frames + bands.shape[1]
        return np.asarray(sums / sounding) if sounding else np.full(manifest.mel.n_mels, float(floor))

    gain = gain_between(sounding_mean, manifest)
    return replace(plain, placing=replace(placing, gain=-gain), frames=frames)


def _moments(take: Take) -> tuple[Float64[np.ndarray, "channels"], Float64[np.ndarray, "channels channels"]]:
    """The constant level of each channel, and their covariance without it."""
    total, products, count = np.zeros(take.form.channels), np.zeros((take.form.channels,) * 2), 0
    for block in take.blocks():
        exact = block.astype(np.float64, copy=False)
        total, products, count = total + exact.sum(axis=1), products + exact @ exact.T, count + block.shape[1]
    mean = total / max(1, count)
    offset = constant_level(mean)
    apart = np.outer(mean, offset)
    return offset, products / max(1, count) - apart - apart.T + np.outer(offset, offset)
