"""A gap of any length between two recordings, filled so that neither join is heard."""

import numpy as np

from halfstep.audio.mel import Float32
from halfstep.generation.endless import beginning, continued, fading, opening, rendered_anew
from halfstep.generation.noise import Noise
from halfstep.generation.transition import blended
from halfstep.generation.window import Painter


def filled(painter: Painter, noise: Noise, before: Float32, gap: int, after: Float32, beside: Noise) -> Float32:
    """Log-mel [n_mels, a + gap + b] from what lies `before` [n_mels, a] and `after` [n_mels, b] a gap of frames.

    Window after window as a stream continues a recording; the last one is told both what came and what comes. The
    last `rendered_anew` frames of `before`, and as many of the first of `after`, pass from recording to rendering.

    Args:
        painter: of the model.
        noise: of the gap; its frame 0 is the first of the gap.
        before, after: log-mel, at least 2 frames each.
        gap: frames, 1 or more.
        beside: noise for recorded frames, from which the noise that fits them is sought.
    """
    size = painter.layout
    left, right = painter.standardised(before), painter.standardised(after)
    canvas = np.concatenate([left, np.zeros((len(left), gap), np.float32), right], axis=1)
    start, done = _first_place(painter, left.shape[1], gap), left.shape[1]
    end = left.shape[1] + gap
    while not _reaches(painter, start, end):
        window_noise = _noise_at(painter, noise, beside, start - left.shape[1])
        past = canvas[:, start:done]
        window = (opening if done == left.shape[1] else continued)(painter, window_noise, past)
        canvas[:, start : start + size.frames] = window
        done = _next_done(painter, start, end)
        start = done - size.overlap
    window_noise = _noise_at(painter, noise, beside, start - left.shape[1])
    recorded = done == left.shape[1]
    return painter.log_mel(_closed(painter, window_noise, canvas, start, done, end, recorded))


def _first_place(painter: Painter, before: int, gap: int) -> int:
    """Where in the canvas the first window begins: a short gap lies in its middle, a long one goes on beyond it."""
    size = painter.layout
    told = min(size.overlap, before)
    return before - (min(told, max(1, (size.frames - gap) // 2)) if gap <= size.hop else told)


def _reaches(painter: Painter, start: int, end: int) -> bool:
    """Whether a window that begins at `start` can be told of something after the gap that ends at `end`."""
    return start + painter.layout.frames > end + painter.layout.transition


def _next_done(painter: Painter, start: int, end: int) -> int:
    """Up to where a window's frames are kept: the last window is left enough to lead over."""
    size = painter.layout
    most = size.hop - size.transition - 1
    cut = min(start + size.frames, end - min(size.overlap, most))
    aligned = cut - (cut - size.overlap - start) % size.grain
    return aligned if end - aligned <= most or cut == start + size.frames else cut


def _noise_at(painter: Painter, noise: Noise, beside: Noise, start: int) -> Float32:
    """The noise of the window whose first frame is `start`, counted from the gap's first."""
    stop = start + painter.layout.frames
    if start >= 0:
        return noise(start, stop)
    return np.concatenate([beside(0, -start), noise(0, stop)], axis=1)


def _closed(
    painter: Painter, noise: Float32, canvas: Float32, start: int, done: int, end: int, recorded: bool
) -> Float32:
    """The canvas, its frames from `done` to `end` made by a window at `start` that is told what is on both sides."""
    size = painter.layout
    shown = canvas[:, start : start + size.frames]
    known, mask = beginning(painter, shown)
    led = rendered_anew(painter, done) if recorded else min(size.transition, done - start)
    met = rendered_anew(painter, canvas.shape[1] - end)
    mask[done - start - led : end - start + met] = 0
    wanted = np.zeros_like(mask)
    wanted[end - start : end - start + met] = fading(met)[::-1]
    if recorded:
        wanted[done - start - led : done - start] = fading(led)
    window = painter.window(painter.fitted(noise, known, mask, wanted), known, mask)
    whole = canvas.copy()
    whole[:, done:end] = window[:, done - start : end - start]
    at = slice(done - led, done)
    whole[:, at] = blended(canvas[:, at], window[:, done - start - led : done - start])
    at = slice(end, end + met)
    whole[:, at] = blended(window[:, end - start : end - start + met], canvas[:, at])
    return whole
