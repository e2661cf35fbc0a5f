"""Window after window, each continuing the model's own mel: music without end from one seed."""

from collections.abc import Iterator

import numpy as np

from halfstep.audio.mel import Float32
from halfstep.generation.noise import Noise
from halfstep.generation.transition import blended
from halfstep.generation.window import Painter


def mel_stream(
    painter: Painter, noise: Noise, context: Float32 | None = None, beside: Noise | None = None
) -> Iterator[Float32]:
    """Blocks of log-mel [n_mels, k] for ever.

    A window is told the frames before its transition, and renders the transition anew from the noise it had in the
    window before: the two renderings nearly agree, and one passes into the other. So nothing steps where the
    network takes over from frames that are held.

    Args:
        painter: of the model.
        noise: of the piece; its frame 0 is the first after the context.
        context: log-mel [n_mels, any number of frames] of what the piece continues. The blocks then begin with the
            last `rendered_anew` frames of it, where the music passes from the recording's own to the model's.
        beside: noise for frames of the context, from which the noise that fits them is sought.
    """
    size = painter.layout
    if context is None or beside is None:
        window, shown, begun = painter.free(noise(0, size.frames)), 0, 0
    else:
        past = painter.standardised(context[:, -size.overlap :])
        shown, begun = past.shape[1], past.shape[1] - rendered_anew(painter, past.shape[1])
        window = opening(painter, np.concatenate([beside(0, shown), noise(0, size.frames - shown)], axis=1), past)
    place = size.hop - shown
    yield painter.log_mel(window[:, begun : size.frames - size.transition])
    while True:
        window = continued(painter, noise(place, place + size.frames), window[:, size.hop :])
        yield painter.log_mel(window[:, size.overlap - size.transition : size.frames - size.transition])
        place += size.hop


def rendered_anew(painter: Painter, frames: int) -> int:
    """How many of the last of `frames` recorded frames change, as the model's rendering takes over."""
    return min(painter.layout.transition, frames // 2)


def opening(painter: Painter, noise: Float32, past: Float32) -> Float32:
    """The first window after a recording, from noise [n_mels, frames]: it begins with `past` [n_mels, k].

    Its last `rendered_anew` frames pass from the recording to the model's rendering, whose noise is sought so that
    the two are alike.
    """
    end = past.shape[1]
    told = end - rendered_anew(painter, end)
    known, mask = beginning(painter, past)
    wanted = np.zeros_like(mask)
    wanted[told:end] = fading(end - told)
    mask[told:] = 0
    window = painter.window(painter.fitted(noise, known, mask, wanted), known, mask)
    window[:, told:end] = blended(past[:, told:], window[:, told:end])
    return window


def continued(painter: Painter, noise: Float32, past: Float32) -> Float32:
    """The window from noise [n_mels, frames] that begins with `past` [n_mels, k], its transition rendered anew."""
    end = past.shape[1]
    told = end - painter.layout.transition
    window = painter.window(noise, *beginning(painter, past[:, :told]))
    window[:, told:end] = blended(past[:, told:], window[:, told:end])
    return window


def fading(frames: int) -> Float32:
    """How much of what is known is wanted of frames that pass away from it, [frames]: from near 1 evenly to near 0.

    Noise that fitted them all alike would end in a step, and the music with it.
    """
    return ((frames - np.arange(frames, dtype=np.float32)) / (frames + 1)).astype(np.float32)


def beginning(painter: Painter, past: Float32) -> tuple[Float32, Float32]:
    """A window's known frames [n_mels, frames] and mask [frames] when it begins with `past` [n_mels, k]."""
    known = np.zeros((len(past), painter.layout.frames), np.float32)
    known[:, : past.shape[1]] = past
    return known, (np.arange(painter.layout.frames) < past.shape[1]).astype(np.float32)
