"""Music that repeats without a seam: from noise that repeats, on until what it gives repeats as well."""

from collections.abc import Iterator

import numpy as np

from halfstep.audio.circular import stretched
from halfstep.audio.mel import Float32
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.noise import Noise, repeating
from halfstep.generation.window import WindowSampler


def mel_loop(sampler: WindowSampler, noise: Noise, frames: int) -> Float32:
    """Log-mel [n_mels, frames] of one period, 1 frame or more.

    A stream whose noise repeats forgets how it began within two windows, and from then on repeats as its noise does.
    One period is taken from there; what little differs at its wrap passes over as at any join of windows. The
    network repeats for shifts by whole grains only: the period is the nearest number of those, and then stretched
    or pressed to `frames` (by half a grain at most, in time alone: no pitch changes).
    """
    size = sampler.layout
    period = max(1, round(frames / size.grain)) * size.grain
    settled, wrap = size.frames, min(size.crossfade, period)
    needed = settled + period + wrap
    mel = _first_frames(mel_stream(sampler, Canvas(init_noise=repeating(noise, period))), needed)
    loop = mel[:, settled : settled + period].copy()
    loop[:, :wrap] = crossfaded(mel[:, settled + period :], loop[:, :wrap])
    # The wrap stands in the middle of what passes over: whoever measures it measures the join.
    return stretched(np.roll(loop, -(wrap // 2), axis=1), frames)


def _first_frames(blocks: Iterator[Float32], count: int) -> Float32:
    """The first `count` frames [n_mels, count]; no block beyond is asked for."""
    parts, have = [], 0
    while have < count:
        parts.append(next(blocks))
        have += parts[-1].shape[1]
    return np.concatenate(parts, axis=1)[:, :count]
