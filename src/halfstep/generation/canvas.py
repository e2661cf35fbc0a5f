"""The canvas: what is known of a piece, and the windows that inpaint the rest of it, one after the other.

A stream, a loop, a continuation and an infill differ in what their canvas holds before and after the frames to be made,
and in their noise. Every window is given as context the frames before a short crossfade, regenerates those of the
crossfade from the noise they had in the window before, and one rendering passes into the other: the two nearly agree,
so that nothing steps where the network takes over from frames that are held. With a packing under which shifted noise
is not shifted music (snake), the noise of the crossfade is optimised until they do, as it is for a recording.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from halfstep.arrays import Float32
from halfstep.conditioning import Along
from halfstep.diffusion.process import Begun
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.noise import Noise
from halfstep.generation.stationary import held_stationary, shares
from halfstep.generation.window import Fresh, Layout, WindowSampler

Following: TypeAlias = Callable[[int, int], Float32[np.ndarray, "rows frames"]]
"""Start and stop among the frames of a canvas -> the guide of these, [rows, stop - start]."""


@dataclass(frozen=True, eq=False)
class Restyled:
    """Frames that are noised to the time `strength` and brought back.

    log_mel: (start, stop) -> [n_mels, stop - start] of them, for frames that are asked for in order.
    """

    log_mel: Callable[[int, int], Float32[np.ndarray, "bands frames"]]
    strength: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Canvas:
    """Frames of a piece, counted from the first to be made.

    Args:
        init_noise: of the frames to be made, from 0 on.
        boundary_noise: for recorded frames, from which the noise that fits them is optimised. None where nothing is
            recorded: `before`, if it is given, is the piece's own music, and `init_noise` reaches back to it.
        before: log-mel [n_mels, k] of the recording that the piece continues. None: nothing.
        frames: how many are to be made; None: without end.
        after: log-mel [n_mels, k], k 2 or more, of the recording it leads into; with `frames` alone.
        restyled: what the frames to be made are noised from, instead of noise alone. None: nothing.
        asked: frame -> what is asked for there, which a window has of its middle. None: nothing.
        guide: what the frames are to follow. None: nothing.
    """

    init_noise: Noise
    boundary_noise: Noise | None = None
    before: Float32[np.ndarray, "bands before"] | None = None
    frames: int | None = None
    after: Float32[np.ndarray, "bands after"] | None = None
    restyled: Restyled | None = None
    asked: Along | None = None
    guide: Following | None = None

    def noise(self, start: int, stop: int, step: int = 0) -> Float32[np.ndarray, "bands frames"]:
        """[n_mels, stop - start] of a step, whose frame 0 of the canvas is that of the piece."""
        if start >= 0 or self.boundary_noise is None:
            return self.init_noise(start, stop, step)
        return np.concatenate([self.boundary_noise(0, -start, step), self.init_noise(0, stop, step)], axis=1)


@dataclass(frozen=True)
class Placement:
    """Where a window lies on its canvas.

    start: its first frame. filled: the canvas is filled up to there, and by the recording alone where that is 0.
    crossfade: how many of the last filled frames are regenerated. closing: of those after the gap, the same; None for
    a window that does not reach them.
    """

    start: int
    filled: int
    crossfade: int
    closing: int | None = None

    @property
    def begin(self) -> int:
        """The first frame that the window changes."""
        return self.filled - self.crossfade


def placements(layout: Layout, before: int, frames: int | None = None, after: int = 0) -> Iterator[Placement]:
    """The windows of a canvas with so many frames before, to be made, and after: for ever, or until it is filled."""
    crossfade = layout.crossfade_with(before)
    start, filled = -_context_of_first(layout, before, frames), 0
    while frames is None or start + layout.frames <= frames + layout.crossfade:
        yield Placement(start, filled, crossfade)
        filled = start + layout.frames if frames is None else _filled_by(layout, start, frames)
        start, crossfade = filled - layout.overlap, layout.crossfade
    yield Placement(start, filled, crossfade, layout.crossfade_with(after))


def mel_stream(sampler: WindowSampler, canvas: Canvas) -> Iterator[Float32[np.ndarray, "bands frames"]]:
    """Log-mel blocks [n_mels, k] without end, from the first frame that changes on: the crossfade from the recording to
    the music, at the end of `before`.
    """
    before = _standardised(sampler, canvas.before)[:, -sampler.layout.overlap :]
    plan = placements(sampler.layout, before.shape[1])
    place, past = next(plan), before
    while True:
        window, following = _inpainted(sampler, canvas, place, past), next(plan)
        yield sampler.log_mel(window[:, place.begin - place.start : following.begin - place.start])
        past = window[:, following.start - place.start : following.filled - place.start]
        place = following


def filled(sampler: WindowSampler, canvas: Canvas) -> Float32[np.ndarray, "bands frames"]:
    """Log-mel [n_mels, a + frames + b] of a canvas whose gap of so many `frames` is filled."""
    assert canvas.frames is not None and canvas.after is not None, "a gap between two recordings was expected"
    before, after = (_standardised(sampler, part) for part in (canvas.before, canvas.after))
    whole = np.concatenate([before, np.zeros((len(before), canvas.frames), np.float32), after], axis=1)
    zero, size = before.shape[1], sampler.layout.frames
    after = whole[:, zero + canvas.frames :]
    for place in placements(sampler.layout, zero, canvas.frames, after.shape[1]):
        start = zero + place.start
        window = _inpainted(sampler, canvas, place, whole[:, start : zero + place.filled], after)
        if place.closing is None:
            stop = min(start + size, zero + canvas.frames)
            whole[:, start:stop] = window[:, : stop - start]
        else:
            changed = slice(zero + place.begin, zero + canvas.frames + place.closing)
            whole[:, changed] = window[:, changed.start - start : changed.stop - start]
    return sampler.log_mel(whole)


def _inpainted(
    sampler: WindowSampler,
    canvas: Canvas,
    place: Placement,
    past: Float32[np.ndarray, "bands past"],
    after: Float32[np.ndarray, "bands after"] | None = None,
) -> Float32[np.ndarray, "bands frames"]:
    """The window [n_mels, frames] at its place, given the `past` frames that it begins with; it has passed over from
    them and, where it is the last, to those `after`.
    """
    frames, end = sampler.layout.frames, past.shape[1]
    if canvas.asked is not None:
        sampler = sampler.asked(canvas.asked(place.start + frames / 2))
    if canvas.guide is not None:
        sampler = sampler.following(canvas.guide(place.start, place.start + frames))
    known, (mask, target) = np.zeros((len(past), frames), np.float32), np.zeros((2, frames), np.float32)
    fade = slice(end - place.crossfade, end)
    known[:, :end], mask[: fade.start] = past, 1
    if place.filled == 0 or not sampler.shifts:
        target[fade] = fading(place.crossfade)
    closing = slice(0, 0)
    if place.closing is not None:
        assert canvas.frames is not None and after is not None
        begin = canvas.frames - place.start
        closing = slice(begin, begin + place.closing)
        reached = min(frames - begin, after.shape[1])
        known[:, begin : begin + reached], mask[closing.stop : begin + reached] = after[:, :reached], 1
        target[closing] = fading(place.closing)[::-1]
    noise, begun = canvas.noise(place.start, place.start + frames), None
    if canvas.restyled is not None:
        old = canvas.restyled.log_mel(place.start, place.start + frames)
        begun = Begun(sampler.standardised(old), canvas.restyled.strength)
    if target.any():
        noise = sampler.optimised(noise, known, mask, target, begun)
    fresh: Fresh = lambda step: canvas.noise(place.start, place.start + frames, step)  # noqa: E731
    window = sampler.inpainted(noise, known, mask, fresh, begun)
    free = begun is None or begun.t == 1  # a recording holds what is made of it where it is
    if sampler.stationary is not None and end and place.closing is None and free:
        window = held_stationary(window, *shares(frames, end), sampler.stationary, sampler.n_mels)
    if place.crossfade:
        window[:, fade] = crossfaded(past[:, fade], window[:, fade])
    if place.closing and after is not None:
        window[:, closing] = crossfaded(window[:, closing], after[:, : place.closing])
    return window


def fading(frames: int) -> Float32[np.ndarray, "{frames}"]:
    """How much of what is known is wanted of frames that pass away from it, [frames]: from near 1 evenly to near 0.

    Noise that fitted them all alike would end in a step, and the music with it.
    """
    return ((frames - np.arange(frames, dtype=np.float32)) / (frames + 1)).astype(np.float32)


def _context_of_first(layout: Layout, before: int, frames: int | None) -> int:
    """How many of the frames before it the first window begins with: a short gap lies in its middle."""
    most = min(layout.overlap, before)
    if frames is None or frames > layout.hop:
        return most
    return min(most, max(1, (layout.frames - frames) // 2))


def _filled_by(layout: Layout, start: int, frames: int) -> int:
    """Up to where the window at `start` fills a gap of so many frames: the last one is left enough to lead over."""
    most = layout.hop - layout.crossfade - 1
    cut = min(start + layout.frames, frames - min(layout.overlap, most))
    aligned = cut - (cut - layout.overlap - start) % layout.grain
    return aligned if frames - aligned <= most or cut == start + layout.frames else cut


def _standardised(
    sampler: WindowSampler, log_mel: Float32[np.ndarray, "bands frames"] | None
) -> Float32[np.ndarray, "bands known"]:
    return np.zeros((sampler.rows, 0), np.float32) if log_mel is None else sampler.standardised(log_mel)
