"""Model: what `halfstep.load` gives. Seconds of music, or a stream of it, from one seed."""

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soxr

from halfstep.audio.io import Audio, read_blocks
from halfstep.audio.mel import Float32
from halfstep.audio.phase import GriffinLimStream
from halfstep.bundle import Manifest, ModelFolder, OnnxDenoiser, load_folder
from halfstep.errors import InputError
from halfstep.generation.continuation import Tail, crossfaded, known_end, tail_samples, without_first
from halfstep.generation.endless import context_frames, mel_stream
from halfstep.generation.render import Vocoder, equal_blocks, first_samples, limit, render

MOST_SECONDS = 86_400.0
MOST_SEED = 2**64 - 1

Recording = Audio | str | Path
Piece = Callable[[Float32 | None], Iterator[Float32]]


class Model:
    """A model folder that plays. Nothing but model.json is read before the first music is asked for."""

    def __init__(self, folder: ModelFolder, threads: int = 1) -> None:
        """Threads of the processor the denoiser may use; other numbers may differ in the last bits."""
        self.folder = folder
        self.threads = threads
        self._denoisers: dict[int, OnnxDenoiser] = {}

    @property
    def manifest(self) -> Manifest:
        return self.folder.manifest

    @property
    def sample_rate(self) -> int:
        return self.manifest.mel.sample_rate

    def generate(
        self, seconds: float, seed: int = 0, steps: int | None = None, context: Recording | None = None
    ) -> Audio:
        """Exactly round(seconds * sample_rate) samples of music, [1, n]; after `context`, if there is one.

        The first 60 s of 120 s are the 60 s piece, and both are the beginning of `stream` with the same seed.

        Args:
            seconds: of new music.
            seed: 0 or more; the whole piece follows from it.
            steps: network calls a window, one of `manifest.steps`; `manifest.default_steps` if None.
            context: a recording, or where it is, that the music continues. It comes first, in mono, at the
                model's sample rate and the level of the music; its last few milliseconds are blended.

        Raises:
            InputError: a value out of range, a recording that cannot be read, a model that is not whole.
        """
        blocks = list(self.blocks(seconds, seed, steps, context))
        return Audio(np.concatenate(blocks, axis=1), self.sample_rate)

    def stream(
        self,
        seed: int = 0,
        steps: int | None = None,
        block_seconds: float = 1.0,
        context: Recording | None = None,
    ) -> Iterator[Audio]:
        """Blocks of music without end, in constant memory; arguments and errors as for `generate`."""
        size = self.samples_in(block_seconds, "block_seconds")
        blocks = equal_blocks(self._music(seed, steps, context, count=None), size)
        return (Audio(block, self.sample_rate) for block in blocks)

    def blocks(
        self, seconds: float, seed: int = 0, steps: int | None = None, context: Recording | None = None
    ) -> Iterator[Float32]:
        """What `generate` returns as it comes, in blocks [1, n] of any size: constant memory."""
        return self._music(seed, steps, context, self.samples_in(seconds, "seconds"))

    def mels(self, seed: int = 0, steps: int | None = None) -> Iterator[Float32]:
        """The music before it has a waveform: log-mel blocks [n_mels, k] without end. InputError as above."""
        return self._piece(seed, steps)(None)

    def samples_in(self, seconds: float, name: str) -> int:
        """round(seconds * sample_rate). InputError naming `name` unless it is a length of sound we make."""
        count = round(seconds * self.sample_rate) if math.isfinite(seconds) else 0
        if count < 1 or seconds > MOST_SECONDS:
            raise InputError(f"{name} is {seconds:g}: give a number above 0 and at most {MOST_SECONDS:g}")
        return count

    def _music(self, seed: int, steps: int | None, context: Recording | None, count: int | None) -> Iterator[Float32]:
        """`count` new samples, or without end for None; after the recording in `context`."""
        piece = self._piece(seed, steps)
        if context is None:
            return first_samples(render(piece(None), self._vocoder(seed)), count)
        return self._continued(_mono_blocks(context, self.sample_rate), piece, self._vocoder(seed), count)

    def _continued(
        self, recording: Iterator[Float32], piece: Piece, vocoder: Vocoder, count: int | None
    ) -> Iterator[Float32]:
        """The recording's blocks [1, n] as they pass, then `count` new samples."""
        mel = self.manifest.mel
        tail = Tail(tail_samples(mel, context_frames(self.manifest)))
        for block in recording:
            yield limit(tail.push(block))
        known, begin, end = known_end(tail.samples, mel)
        yield limit(tail.samples[:, :end])

        # The vocoder runs over the known frames too, so that it is in full swing where the new ones begin.
        new = without_first(render(itertools.chain([known], piece(known)), vocoder), end - begin)
        old = limit(tail.samples[:, end:])
        yield from first_samples(crossfaded(old, new), None if count is None else old.shape[1] + count)

    def _piece(self, seed: int, steps: int | None) -> Piece:
        """From the log-mel to continue, or None, to the blocks of log-mel after it. InputError as above."""
        if not 0 <= seed <= MOST_SEED:
            raise InputError(f"seed is {seed}: give a whole number from 0 to {MOST_SEED}")
        steps = self.manifest.default_steps if steps is None else steps
        if steps not in self._denoisers:
            self._denoisers[steps] = self.folder.denoiser(steps, self.threads)
        return functools.partial(mel_stream, self._denoisers[steps], self.manifest, steps, seed)

    def _vocoder(self, seed: int) -> GriffinLimStream:
        return GriffinLimStream(self.manifest.mel, seed=seed)


def _mono_blocks(recording: Recording, sample_rate: int) -> Iterator[Float32]:
    """Blocks [1, n] of a recording at `sample_rate`. InputError if it is no sound."""
    if not isinstance(recording, Audio):
        return read_blocks(Path(recording), sample_rate, mono=True)
    mono = recording.samples.mean(axis=0, dtype=np.float32)
    return iter([soxr.resample(mono, recording.sample_rate, sample_rate)[None]])


def load_model(id_or_dir: str | Path | None = None) -> Model:
    """The model with this id or in this folder, or else the first installed. InputError if none."""
    return Model(load_folder(id_or_dir))
