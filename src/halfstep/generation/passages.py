"""Sound beside the bands it was made of, in equal blocks, from any moment of a piece on: what a page draws."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.limiter import GAIN, limit
from halfstep.conditioning import Along
from halfstep.generation.canvas import Canvas, Following, mel_stream
from halfstep.generation.noise import shifted
from halfstep.generation.render import without_first
from halfstep.generation.window import WindowSampler
from halfstep.vocoders.base import Vocoder

PASSAGE_FRAMES = 16
"""Of one block: 186 ms at 44.1 kHz and a hop of 512."""
LEAD_IN_WINDOWS = 2
"""Made before the window that is wanted: a stream forgets how it began within two."""
LEAD_IN_FRAMES = 64
"""Pushed into the vocoder before the first frame that is wanted, so that it is in full swing there."""
PUSHED_FRAMES = 128
"""Pushed into the vocoder at once, at most: a whole window would hold the first sound back."""


@dataclass(frozen=True, eq=False)
class Passage:
    """Some frames of a piece, from its frame `frame` on: their log-mel [rows, k] and sound [channels, k * hop]."""

    frame: int
    log_mel: Float32[np.ndarray, "bands frames"]
    samples: Float32[np.ndarray, "channels samples"]


def passages(
    sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder, first_frame: int = 0, gain: float = GAIN
) -> Iterator[Passage]:
    """Blocks of PASSAGE_FRAMES frames without end, from `first_frame` of the piece on; the limiter has this gain.

    From frame 0 the samples are those of the stream. From any other the music is the same, the phases of its tones are
    not: it begins two windows before, not at the beginning.
    """
    layout = sampler.layout
    window = max(0, first_frame // layout.hop - LEAD_IN_WINDOWS)
    start = window * layout.hop
    begun = replace(
        canvas,
        init_noise=shifted(canvas.init_noise, start),
        asked=_later(canvas.asked, start),
        guide=_guided_later(canvas.guide, start),
    )
    skipped = max(0, first_frame - start - LEAD_IN_FRAMES)
    mels = without_first(mel_stream(sampler, begun), skipped)
    paired = _paired(mels, vocoder, sampler.manifest.mel.hop_length, start + skipped, gain)
    return _from(paired, first_frame)


def _later(asked: Along | None, frames: int) -> Along | None:
    return None if asked is None else lambda frame: asked(frame + frames)


def _guided_later(guide: Following | None, frames: int) -> Following | None:
    return None if guide is None else lambda start, stop: guide(start + frames, stop + frames)


def _paired(
    mels: Iterator[Float32[np.ndarray, "bands frames"]], vocoder: Vocoder, hop: int, frame: int, gain: float
) -> Iterator[Passage]:
    """Frames and the samples made of them, PASSAGE_FRAMES at a time; the first is the piece's frame `frame`."""
    waiting: list[Float32[np.ndarray, "bands frames"]] = []
    sound: list[Float32[np.ndarray, "channels samples"]] = []
    have = 0
    size = PASSAGE_FRAMES * hop
    for log_mel in _sliced(mels, PUSHED_FRAMES):
        waiting.append(log_mel)
        samples = limit(np.atleast_2d(vocoder.push(log_mel)), gain)
        sound.append(samples)
        have += samples.shape[1]
        if have < size:
            continue
        frames, whole = np.concatenate(waiting, axis=1), np.concatenate(sound, axis=1)
        for start in range(0, have - size + 1, size):
            yield Passage(frame, frames[:, :PASSAGE_FRAMES], whole[:, start : start + size])
            frames, frame = frames[:, PASSAGE_FRAMES:], frame + PASSAGE_FRAMES
        have %= size
        waiting, sound = [frames], [whole[:, whole.shape[1] - have :]]


def _from(blocks: Iterator[Passage], first_frame: int) -> Iterator[Passage]:
    """The same, without what is before `first_frame`; the first of them may be shorter."""
    for block in blocks:
        cut = first_frame - block.frame
        frames = block.log_mel.shape[1]
        if cut <= 0:
            yield block
        elif cut < frames:
            hop = block.samples.shape[1] // frames
            yield Passage(first_frame, block.log_mel[:, cut:], block.samples[:, cut * hop :])


def _sliced(
    blocks: Iterable[Float32[np.ndarray, "bands frames"]], size: int
) -> Iterator[Float32[np.ndarray, "bands frames"]]:
    for block in blocks:
        for start in range(0, block.shape[1], size):
            yield block[:, start : start + size]
