"""Taking up a recording: its end as context for the model, and a join between the two waveforms."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from halfstep.audio.mel import Float32, MelConfig, log_mel
from halfstep.errors import InputError


class Tail:
    """Lets blocks [1, n] pass, keeping the last `size` samples back."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.samples: Float32 = np.zeros((1, 0), np.float32)

    def push(self, block: Float32) -> Float32:
        """What the tail no longer holds once `block` is added, [1, n]."""
        joined = np.concatenate([self.samples, block], axis=1)
        cut = max(0, joined.shape[1] - self._size)
        self.samples = joined[:, cut:]
        return joined[:, :cut]


def tail_samples(mel: MelConfig, frames: int) -> int:
    """How much of a recording's end holds `frames` frames that see nothing beyond it."""
    return (_first_whole_frame(mel) + frames) * mel.hop_length + mel.lead


def known_end(tail: Float32, mel: MelConfig) -> tuple[Float32, int, int]:
    """The log-mel [n_mels, k] of a recording's tail [1, n], and where in it those frames begin and end.

    Only frames whose whole analysis window lies in the tail: beyond its edges there is no silence, just
    nothing known. InputError if there is no such frame.
    """
    first = _first_whole_frame(mel)
    end = (tail.shape[1] - mel.lead) // mel.hop_length
    if end <= first:
        needed = tail_samples(mel, 1) / mel.sample_rate
        found = tail.shape[1] / mel.sample_rate
        raise InputError(f"the recording to continue: {found:.3f} s long, at least {needed:.3f} s are needed")
    frames = log_mel(tail[0], mel)[:, first:end]
    return frames, first * mel.hop_length, end * mel.hop_length


def crossfaded(old: Float32, new: Iterable[Float32]) -> Iterator[Float32]:
    """`new` blocks [1, n], the first of their samples blended with all of `old` [1, m] at constant power."""
    done = 0
    for block in new:
        count = min(block.shape[1], old.shape[1] - done)
        if count > 0:
            angle = np.float32(np.pi / 2 / old.shape[1]) * (np.arange(done, done + count, dtype=np.float32) + 1)
            mixed = np.cos(angle) * old[:, done : done + count] + np.sin(angle) * block[:, :count]
            block = np.concatenate([mixed, block[:, count:]], axis=1)
            done += count
        yield block


def without_first(blocks: Iterable[Float32], count: int) -> Iterator[Float32]:
    """The blocks [1, n] less their first `count` samples."""
    for block in blocks:
        kept = block[:, count:]
        count = max(0, count - block.shape[1])
        if kept.size:
            yield kept


def _first_whole_frame(mel: MelConfig) -> int:
    return math.ceil(mel.lead / mel.hop_length)
