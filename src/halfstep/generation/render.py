"""Mel blocks -> waveform blocks: one vocoder running through, a limiter without memory; constant memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeAlias

import numpy as np

from halfstep.audio.mel import Float32

GAIN = 10 ** (-3 / 20)
"""-3 dB: phases drawn anew give mastered music higher peaks than it had."""
KNEE = 10 ** (-1 / 20)
"""-1 dBFS: below it the limiter changes nothing."""
CEILING = 0.999
"""No sample goes beyond this, so that 16 bits hold every one."""


class Vocoder(Protocol):
    """Turns log-mel into samples as it comes; how it is cut into blocks changes nothing. One is for one piece."""

    def push(self, log_mel: Float32, /) -> Float32:
        """[n_mels, k] -> the samples [n] that are settled by now; n may be 0."""
        ...

    def finish(self) -> Float32:
        """The samples that are left, [n]."""
        ...

    def loop(self, log_mel: Float32, /) -> Float32:
        """[n_mels, F] that repeats -> one period [F * hop]: its phases close over the wrap too."""
        ...


MakeVocoder: TypeAlias = Callable[[int], Vocoder]
"""From a seed, 0 or more, to a vocoder for one piece."""
GRIFFIN_LIM = "griffin-lim"
"""The vocoder that every model has, by name."""


def render(mel_blocks: Iterable[Float32], vocoder: Vocoder) -> Iterator[Float32]:
    """Waveform blocks [1, n], peak-safe, as the log-mel blocks [n_mels, k] allow; the rest when they end."""
    return map(limit, unlimited(mel_blocks, vocoder))


def unlimited(mel_blocks: Iterable[Float32], vocoder: Vocoder) -> Iterator[Float32]:
    """The same, as loud as the mel says."""
    for block in mel_blocks:
        samples = vocoder.push(block)
        if samples.size:
            yield samples[None]
    rest = vocoder.finish()
    if rest.size:
        yield rest[None]


def limit(samples: Float32, gain: float = GAIN) -> Float32:
    """-3 dB, then a soft knee above -1 dBFS; each sample for itself, so that blocks do not matter."""
    scaled = samples * np.float32(gain)
    room = CEILING - KNEE
    over = np.maximum(np.abs(scaled) - np.float32(KNEE), 0)
    bent = np.float32(KNEE) + np.float32(room) * np.tanh(over / np.float32(room))
    return np.where(over > 0, np.copysign(bent, scaled), scaled)


def first_samples(blocks: Iterable[Float32], count: int | None) -> Iterator[Float32]:
    """The first `count` > 0 samples of [channels, n] blocks, all for None; none beyond is asked for."""
    if count is None:
        yield from blocks
        return
    left = count
    for block in blocks:
        yield block[:, :left]
        left -= block.shape[1]
        if left <= 0:
            return


def equal_blocks(blocks: Iterable[Float32], size: int) -> Iterator[Float32]:
    """The same samples in blocks [channels, size]; the last may be shorter."""
    held: list[Float32] = []
    have = 0
    for block in blocks:
        held.append(block)
        have += block.shape[1]
        if have >= size:
            joined = np.concatenate(held, axis=1)
            whole = have - have % size
            for start in range(0, whole, size):
                yield joined[:, start : start + size]
            held, have = [joined[:, whole:]], have - whole
    if have:
        yield np.concatenate(held, axis=1)
