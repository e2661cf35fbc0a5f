"""A recording under another style: its bands noised to a time t, brought back by the model, window by window.

What noise of the time t hides is made again, what it leaves is kept (Meng et al. 2021, "SDEdit", arXiv:2108.01073).
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.limiter import limit
from halfstep.generation.canvas import Canvas, Restyled, mel_stream
from halfstep.generation.continuation import Samples
from halfstep.generation.incoming import incoming
from halfstep.generation.render import first_samples, unlimited
from halfstep.generation.sides import Placer
from halfstep.generation.takes import Take
from halfstep.generation.window import WindowSampler
from halfstep.vocoders.base import Vocoder

MIRRORED_FRAMES = 64
"""At least so many are held, and mirrored beyond the recording's end."""


def restyled(
    take: Take, strength: float, sampler: WindowSampler, canvas: Canvas, vocoder: Vocoder
) -> Iterator[Samples]:
    """As many samples as the recording has, in its form: blocks [channels, n]. It is read four times.

    canvas: the noise of the piece, and what is asked for.
    """
    old = incoming(take, sampler.manifest)
    noised = replace(canvas, restyled=Restyled(InOrder(old.rows()), strength))
    bands = first_samples(mel_stream(sampler, noised), old.frames)
    placed = Placer(sampler.manifest.mel, take.form, old.placing).placed(unlimited(bands, vocoder))
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
