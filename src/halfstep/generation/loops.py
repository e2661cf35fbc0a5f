"""Music that repeats without a seam: from noise that repeats, on until what it gives repeats as well."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.circular import stretched
from halfstep.generation.canvas import Canvas, Following, filled, mel_stream
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.noise import Noise, repeating, shifted
from halfstep.generation.window import CONTEXT_SHARE, WindowSampler

LEAST_CLOSED = 4
"""Frames of a loop that is closed by filling its gap: two on either side of it."""


Share = Callable[[float], None]
"""Called with the share that is done, 0 to 1; what it raises ends the work."""
GuideAt: TypeAlias = Callable[[Float64[np.ndarray, "places"]], Float32[np.ndarray, "rows places"]]
"""Places among the frames of a piece -> the guide there."""


def mel_loop(
    sampler: WindowSampler,
    noise: Noise,
    frames: int,
    progress: Share = lambda _: None,
    guide: GuideAt | None = None,
) -> Float32[np.ndarray, "bands {frames}"]:
    """Log-mel [n_mels, frames] of one period, 1 frame or more.

    A stream whose noise repeats forgets how it began within two windows, and from then on repeats as its noise does.
    One period is taken from there; what little differs at its wrap passes over as at any join of windows. The
    network repeats for shifts by whole grains only: the period is the nearest number of those, and then stretched
    or pressed to `frames` (by half a grain at most, in time alone: no pitch changes).

    Where noise that is shifted is not music shifted (`Packing.shifts`), a stream does not repeat as its noise does: the
    loop is closed as a recording is, by music that leads from its end into its beginning. ValueError below 4 frames.

    guide: what the loop is to follow, at any places of it, 0 to `frames`; it goes round with the loop.
    """
    if not sampler.shifts:
        return _closed(sampler, noise, frames, progress, guide)
    size = sampler.layout
    period = max(1, round(frames / size.grain)) * size.grain
    settled, wrap = size.frames, min(size.crossfade, period)
    needed = settled + period + wrap
    canvas = Canvas(
        init_noise=repeating(noise, period), guide=_around(guide, settled + wrap // 2, period, frames / period)
    )  # fmt: skip
    mel = _first_frames(mel_stream(sampler, canvas), needed, progress)
    loop = mel[:, settled : settled + period].copy()
    loop[:, :wrap] = crossfaded(mel[:, settled + period :], loop[:, :wrap])
    # The wrap stands in the middle of what passes over: whoever measures it measures the join.
    return stretched(np.roll(loop, -(wrap // 2), axis=1), frames)


def _around(guide: GuideAt | None, first: int, period: int, step: float = 1.0) -> Following | None:
    """The guide of a loop's frames, whose place 0 is at frame `first`, each `step` of the guide's frames."""
    if guide is None:
        return None
    return lambda start, stop: guide((np.arange(start, stop) - first) % period * step)


def _closed(
    sampler: WindowSampler, noise: Noise, frames: int, progress: Share, guide: GuideAt | None
) -> Float32[np.ndarray, "bands frames"]:
    """A stream's beginning, and a gap of a third of a window at most filled between its end and itself."""
    if frames < LEAST_CLOSED:
        raise ValueError(f"frames is {frames}: at least {LEAST_CLOSED} were expected")
    size, piece = sampler.layout, repeating(noise, frames)
    gap = min(frames // 2, size.frames // CONTEXT_SHARE)
    end = frames - gap
    loop = np.zeros((sampler.rows, frames), np.float32)
    reach = min(end, size.overlap)  # of what is known on either side of the gap
    opening = closing = size.crossfade_with(reach)
    first = closing // 2  # the middle of a join stands at the wrap
    canvas = Canvas(init_noise=piece, guide=_around(guide, first, frames))
    loop[:, :end] = _first_frames(mel_stream(sampler, canvas), end, progress)
    before, after = loop[:, end - reach : end], loop[:, :reach]
    canvas = Canvas(
        init_noise=shifted(piece, end), before=before, frames=gap, after=after,
        guide=_around(guide, first - end, frames),
    )  # fmt: skip
    whole = filled(sampler, canvas)
    zero = before.shape[1]
    loop[:, end - opening :] = whole[:, zero - opening : zero + gap]
    loop[:, :closing] = whole[:, zero + gap : zero + gap + closing]
    return np.roll(loop, -first, axis=1)


def _first_frames(
    blocks: Iterator[Float32[np.ndarray, "bands frames"]], count: int, progress: Share
) -> Float32[np.ndarray, "bands frames"]:
    """The first `count` frames [n_mels, count]; no block beyond is asked for."""
    parts, have = [], 0
    while have < count:
        parts.append(next(blocks))
        have += parts[-1].shape[1]
        progress(min(1.0, have / count))
    return np.concatenate(parts, axis=1)[:, :count]
