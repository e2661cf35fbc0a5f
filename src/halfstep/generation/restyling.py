"""A recording under another style: its bands noised to a time t, brought back by the model, window by window.

What noise of the time t hides is made anew, what it leaves is kept (Meng et al. 2021, "SDEdit", arXiv:2108.01073).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.files.io import resampled
from halfstep.audio.limiter import limit
from halfstep.audio.mel import LogMelStream
from halfstep.bundle import Manifest
from halfstep.generation.canvas import Canvas, Restyled, mel_stream
from halfstep.generation.continuation import Samples
from halfstep.generation.render import first_samples, unlimited
from halfstep.generation.sides import Placer, Placing, gain_between, way_to_one
from halfstep.generation.takes import Take
from halfstep.generation.window import WindowSampler
from halfstep.vocoders.base import Vocoder
from halfstep.vocoders.revoicing import constant_level

MIRRORED_FRAMES = 64
"""At least so many are held, and mirrored beyond the recording's end."""


def restyled(
    take: Take, strength: float, sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder
) -> Iterator[Samples]:
    """As many samples as the recording has, in its form: blocks [channels, n]. It is read four times.

    canvas: the noise of the piece, and what is asked for.
    """
    manifest = sampler.manifest
    heard = _heard(take, manifest)
    old = Restyled(InOrder(_bands(heard.mono(), manifest)), strength)
    bands = first_samples(mel_stream(sampler, replace(canvas, restyled=old)), heard.frames)
    placed = Placer(manifest.mel, take.form, heard.placing).placed(unlimited(bands, vocoder))
    yield from first_samples((limit(block, gain=1) for block in placed), take.samples_declared)


class InOrder:
    """Frames [n_mels, k] that come in blocks, by their numbers, which are asked for in order; mirrored at the end."""

    def __init__(self, blocks: Iterator[Float32[np.ndarray, "bands frames"]]) -> None:
        self._blocks = blocks
        self._first = 0
        self._held: Float32[np.ndarray, "bands frames"] | None = None

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "bands frames"]:
        """[n_mels, stop - start]."""
        parts = [] if self._held is None else [self._held]
        have = self._first + sum(part.shape[1] for part in parts)
        while have < stop and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            have += block.shape[1]
        held = np.concatenate(parts, axis=1)
        left_out = min(max(0, start - self._first), max(0, held.shape[1] - MIRRORED_FRAMES))
        self._first, self._held = self._first + left_out, held[:, left_out:]
        beyond = max(0, stop - have)
        return np.pad(self._held, ((0, 0), (0, beyond)), mode="symmetric")[:, start - self._first : stop - self._first]


@dataclass(frozen=True, eq=False)
class _Heard:
    """A recording as the model is to hear it. mono: its blocks [1, n], each time from the beginning; frames: of its
    bands; placing: the way back.
    """

    mono: Callable[[], Iterator[Float32[np.ndarray, "1 samples"]]]
    frames: int
    placing: Placing


def _heard(take: Take, manifest: Manifest) -> _Heard:
    """One channel at the model's rate and level, without a constant part."""
    total, products, count = 0.0, 0.0, 0
    for block in take.blocks():
        exact = block.astype(np.float64, copy=False)
        total, products, count = total + exact.sum(axis=1), products + exact @ exact.T, count + block.shape[1]
    mean = np.asarray(total, np.float64) / max(1, count)
    offset = constant_level(mean)
    apart = np.outer(mean, offset)
    covariance = np.asarray(products, np.float64) / max(1, count) - apart - apart.T + np.outer(offset, offset)
    weights, placing = way_to_one(offset, covariance)

    def mono(gain: float) -> Iterator[Float32[np.ndarray, "1 samples"]]:
        scaled = weights * math.exp(gain)
        mixed = ((scaled @ (block - offset[:, None]))[None].astype(np.float32) for block in take.blocks())
        return resampled(mixed, take.form.sample_rate, manifest.mel.sample_rate)

    frames = 0

    def sounding_mean(gain: float) -> Float64[np.ndarray, "bands"]:
        """Over frames in which there is anything: a recording's rests say nothing of its level."""
        nonlocal frames
        floor, sums, sounding, frames = np.float32(np.log(manifest.mel.floor)), 0.0, 0, 0
        for bands in _bands(mono(gain), manifest):
            above = bands[:, (bands > floor).any(axis=0)].astype(np.float64)
            sums, sounding, frames = sums + above.sum(axis=1), sounding + above.shape[1], frames + bands.shape[1]
        return np.asarray(sums / sounding) if sounding else np.full(manifest.mel.n_mels, float(floor))

    gain = gain_between(sounding_mean, manifest)
    return _Heard(lambda: mono(gain), frames, replace(placing, gain=-gain))


def _bands(
    blocks: Iterator[Float32[np.ndarray, "1 samples"]], manifest: Manifest
) -> Iterator[Float32[np.ndarray, "bands frames"]]:
    stream = LogMelStream(manifest.mel)
    for block in blocks:
        yield stream.push(block[0])
    yield stream.finish()
