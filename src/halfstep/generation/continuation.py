"""Recordings and music made for them: what of a recording is context, and how the two waveforms join."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from halfstep.audio.joining import joined
from halfstep.audio.limiter import limit
from halfstep.audio.mel import Float32, MelConfig, log_mel
from halfstep.errors import InputError
from halfstep.generation.canvas import Canvas, filled, mel_stream
from halfstep.generation.render import first_samples, unlimited
from halfstep.generation.window import WindowSampler
from halfstep.vocoders.base import Vocoder


class Tail:
    """Lets blocks [1, n] pass, keeping the last `size` samples back."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.samples: Float32 = np.zeros((1, 0), np.float32)

    def push(self, block: Float32) -> Float32:
        """What the tail no longer holds once `block` is added, [1, n]."""
        whole = np.concatenate([self.samples, block], axis=1)
        cut = max(0, whole.shape[1] - self._size)
        self.samples = whole[:, cut:]
        return whole[:, :cut]


@dataclass(frozen=True, eq=False)
class KnownEnd:
    """The log-mel [n_mels, k] of a recording's end, and the samples where its frames begin and end."""

    log_mel: Float32
    begin: int
    end: int


def tail_samples(mel: MelConfig, frames: int) -> int:
    """How much of a recording's end holds `frames` frames that see nothing beyond it."""
    return (_lead_hops(mel) + frames) * mel.hop_length + mel.lead


def known_end(tail: Float32, mel: MelConfig) -> KnownEnd:
    """What is known of a recording by its tail [1, n]: frames whose whole analysis window lies in it.

    Beyond its edges there is no silence, just nothing known. InputError if there are fewer than two such frames.
    """
    first = _lead_hops(mel)
    end = (tail.shape[1] - mel.lead) // mel.hop_length
    _expect_frames(end - first, tail.shape[1], mel)
    return KnownEnd(log_mel(tail[0], mel)[:, first:end], first * mel.hop_length, end * mel.hop_length)


def known_start(head: Float32, start: int, frames: int, mel: MelConfig) -> Float32:
    """The log-mel [n_mels, at most `frames`] of a recording's head [1, n], its first frame at sample `start` of it.

    start: at least `mel.lead`, so that the frame sees nothing before the recording. InputError as above.
    """
    lead = _lead_hops(mel)
    padded = np.pad(head[0, max(0, start - lead * mel.hop_length) :], (max(0, lead * mel.hop_length - start), 0))
    whole = min(frames, (len(padded) - mel.lead) // mel.hop_length - lead)
    _expect_frames(whole, head.shape[1], mel)
    return log_mel(padded[: (lead + whole) * mel.hop_length + mel.lead], mel)[:, lead : lead + whole]


def continued_sound(
    recording: Iterable[Float32], sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder, count: int | None
) -> Iterator[Float32]:
    """A recording's blocks [1, n] as they pass, its very end crossfaded, then `count` new samples (None: without end).

    canvas: the noise of the piece.
    """
    mel = sampler.manifest.mel
    tail = Tail(tail_samples(mel, sampler.layout.overlap))
    for block in recording:
        yield limit(tail.push(block))
    known = known_end(tail.samples, mel)
    crossfade = sampler.layout.crossfade_with(known.log_mel.shape[1])
    place = known.end - crossfade * mel.hop_length
    yield limit(tail.samples[:, :place])

    # The vocoder runs over the known frames too, so that it is in full swing where its sound begins.
    blocks = mel_stream(sampler, replace(canvas, before=known.log_mel))
    kept = known.log_mel[:, : known.log_mel.shape[1] - crossfade]
    music = without_first(unlimited(_before(kept, blocks), vocoder), place - known.begin)
    old = tail.samples[:, place:]
    yield from map(limit, first_samples(_joined_on(old, music), None if count is None else old.shape[1] + count))


def bridge(
    left: Float32, samples: int, right: Float32, sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder
) -> tuple[Float32, int, int]:
    """What stands between two recordings [1, n], `samples` of it new: its sound [1, n], and what it replaces.

    The two numbers are how many of the last samples of `left`, and of the first of `right`, are crossfaded and so
    already part of it. canvas: the noise of the piece. InputError if a recording is too short.
    """
    mel, layout = sampler.manifest.mel, sampler.layout
    hop = mel.hop_length
    tail = left[:, -tail_samples(mel, layout.overlap) :]
    known = known_end(tail, mel)
    # From here on samples are counted from the end of the last known frame.
    ended = tail.shape[1] - known.end
    begins = ended + samples
    gap = math.ceil((begins + mel.lead) / hop)
    after = known_start(right[:, : tail_samples(mel, layout.overlap + 1)], gap * hop - begins, layout.overlap, mel)
    log_mel_between = filled(sampler, replace(canvas, before=known.log_mel, frames=gap, after=after))
    sound = np.concatenate([vocoder.push(log_mel_between), vocoder.finish()])[None]
    frames = known.log_mel.shape[1]
    opening, closing = (layout.crossfade_with(count) for count in (frames, after.shape[1]))
    zero = frames * hop
    begin, end = -opening * hop, (gap + closing) * hop
    parts = (
        joined(tail[0, known.end + begin :], sound[0, zero + begin : zero + ended])[None],
        sound[:, zero + ended : zero + begins],
        joined(sound[0, zero + begins : zero + end], right[0, : end - begins])[None],
    )
    return np.concatenate(parts, axis=1), ended - begin, end - begins


def without_first(blocks: Iterable[Float32], count: int) -> Iterator[Float32]:
    """The blocks [1, n] less their first `count` samples."""
    for block in blocks:
        kept = block[:, count:]
        count = max(0, count - block.shape[1])
        if kept.size:
            yield kept


def _before(first: Float32, blocks: Iterator[Float32]) -> Iterator[Float32]:
    yield first
    yield from blocks


def _joined_on(old: Float32, blocks: Iterator[Float32]) -> Iterator[Float32]:
    """`old` [1, m], passing into the first m samples of `blocks`, then the rest of them."""
    begun = np.zeros((1, 0), np.float32)
    for block in blocks:
        begun = np.concatenate([begun, block], axis=1)
        if begun.shape[1] >= old.shape[1]:
            break
    shared = min(old.shape[1], begun.shape[1])
    yield joined(old[0, :shared], begun[0, :shared])[None]
    yield begun[:, shared:]
    yield from blocks


def _lead_hops(mel: MelConfig) -> int:
    return math.ceil(mel.lead / mel.hop_length)


def _expect_frames(frames: int, samples: int, mel: MelConfig) -> None:
    if frames < 2:
        needed = (tail_samples(mel, 2) + mel.hop_length) / mel.sample_rate
        seconds = samples / mel.sample_rate
        raise InputError(f"the recording to continue: {seconds:.3f} s long, at least {needed:.3f} s are needed")
