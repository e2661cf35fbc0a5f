"""Model: what `halfstep.load` gives. Seconds of music, a stream of it, a loop, what goes before, between or after."""

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import soxr

from halfstep.audio.circular import stretched
from halfstep.audio.files.io import Audio, read, read_blocks
from halfstep.audio.limiter import limit
from halfstep.audio.mel import Float32
from halfstep.bundle import Manifest, ModelFolder, OnnxDenoiser, OnnxVocoder, load_folder
from halfstep.errors import InputError
from halfstep.generation.continuation import bridge, continued_sound
from halfstep.generation.endless import mel_stream
from halfstep.generation.infill import filled
from halfstep.generation.loops import mel_loop
from halfstep.generation.noise import BESIDE, Noise, between, seed_noise
from halfstep.generation.render import equal_blocks, first_samples, render
from halfstep.generation.wanted import MOST_SEED, Recording, Wanted, check_seeds, check_vocoder, samples_in
from halfstep.generation.window import Painter
from halfstep.vocoders.base import MakeVocoder, Vocoder
from halfstep.vocoders.griffin_lim import GriffinLimStream
from halfstep.vocoders.learned import LearnedVocoder
from halfstep.vocoders.revoicing import revoiced


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
        self,
        seconds: float,
        seed: int = 0,
        steps: int | None = None,
        context: Recording | None = None,
        *,
        into: Recording | None = None,
        loop: bool = False,
        variation: float | None = None,
        toward: int | None = None,
        vocoder: str | MakeVocoder | None = None,
    ) -> Audio:
        """Exactly round(seconds * sample_rate) samples of new music, [1, n], and the recordings around it.

        The first 60 s of 120 s are the 60 s piece, and both are the beginning of `stream` with the same seed; but
        not where the end decides: a loop, `into`, or `toward` without `variation`.

        Args:
            seconds: of new music.
            seed: 0 or more; the whole piece follows from it.
            steps: network calls a window, one of `manifest.steps`; `manifest.default_steps` if None.
            context: a recording, or where it is, that the music continues. It comes first, in mono, at the model's
                sample rate and the level of the music; its last third of a second is blended.
            into: a recording that the music leads into; it comes last, its first third of a second blended. It needs
                `context`: what is made fills the gap between the two.
            loop: the end leads back into the beginning: into `context`, if there is one. Without one, a length that is
                no whole number of frames changes the pitch: by 5 cents at most at 2 s, 1 at 10 s.
            variation: how far the piece is re-noised, 0 (itself) to 1 (another: `toward`, or the next seed).
            toward: another seed. Without `variation` the music drifts from `seed` to it over all its length.
            vocoder: "griffin-lim" instead of the model's own, or what makes another from a seed.

        Raises:
            InputError: a value out of range, a recording that cannot be read, a model that is not whole.
        """
        wanted = Wanted(
            seconds=seconds, seed=seed, steps=steps, context=context, into=into, loop=loop, variation=variation,
            toward=toward, vocoder=vocoder,
        )  # fmt: skip
        return Audio(np.concatenate(list(self.blocks(wanted)), axis=1), self.sample_rate)

    def mend(self, recording: Recording, start: float, stop: float, seed: int = 0, steps: int | None = None) -> Audio:
        """The recording, mono, new from `start` to `stop` seconds and as long as it was. Errors as for `generate`."""
        whole = self._whole(recording)
        first, last = span(start, stop, whole)
        before, after = (Audio(part, self.sample_rate) for part in (whole.samples[:, :first], whole.samples[:, last:]))
        return self.generate((last - first) / self.sample_rate, seed, steps, before, into=after)

    def stream(
        self,
        seed: int = 0,
        steps: int | None = None,
        block_seconds: float = 1.0,
        context: Recording | None = None,
        *,
        variation: float | None = None,
        toward: int | None = None,
        vocoder: str | MakeVocoder | None = None,
        over_seconds: float = 60.0,
    ) -> Iterator[Audio]:
        """Blocks of music without end, in constant memory; arguments and errors as for `generate`.

        Toward another seed it drifts for `over_seconds`; from then on it is that seed's music.
        """
        size = samples_in(block_seconds, "block_seconds", self.sample_rate)
        drift = samples_in(over_seconds, "over_seconds", self.sample_rate)
        check_seeds(seed, toward, variation)
        check_vocoder(vocoder)
        wanted = Wanted(
            seconds=over_seconds, seed=seed, steps=steps, context=context, variation=variation, toward=toward,
            vocoder=vocoder,
        )  # fmt: skip
        blocks = equal_blocks(self._onward(wanted, drift, None), size)
        return (Audio(block, self.sample_rate) for block in blocks)

    def blocks(self, wanted: Wanted) -> Iterator[Float32]:
        """What `generate` returns as it comes, in blocks [1, n] of any size: constant memory for a plain piece.

        InputError before the first block for all that can be known by then.
        """
        count = wanted.check(self.manifest.mel)
        if wanted.loop and wanted.context is None:
            return self._loop(wanted, self._painter(wanted.steps), count)
        if wanted.loop or wanted.into is not None:
            return self._between(wanted, self._painter(wanted.steps), count)
        return self._onward(wanted, count, count)

    def mels(self, seed: int = 0, steps: int | None = None) -> Iterator[Float32]:
        """The music before it has a waveform: log-mel blocks [n_mels, k] without end. InputError as above."""
        check_seeds(seed, None, None)
        return mel_stream(self._painter(steps), seed_noise(self.manifest.mel.n_mels, seed))

    def vocoder(self, seed: int = 0, choice: str | MakeVocoder | None = None) -> Vocoder:
        """What turns log-mels into sound, for one piece: the model's own, or "griffin-lim", or one made from the seed.

        InputError for another name.
        """
        check_vocoder(choice)
        if choice is None:
            return self._vocoder(seed)
        return GriffinLimStream(self.manifest.mel, seed=seed) if isinstance(choice, str) else choice(seed)

    def vocode(self, recording: Recording, vocoder: str | MakeVocoder | None = None) -> Audio:
        """The recording as the vocoder makes it anew from its log-mel: as many channels and samples, at the model's
        sample rate. InputError if it is no sound, or has none.
        """
        blocks = self.vocoded(_blocks(recording, self.sample_rate, mono=False), vocoder)
        samples = list(blocks)
        if not samples:
            raise InputError("a recording without samples: give one with sound in it")
        return Audio(np.concatenate(samples, axis=1), self.sample_rate)

    def vocoded(self, blocks: Iterable[Float32], vocoder: str | MakeVocoder | None = None) -> Iterator[Float32]:
        """The same for blocks [channels, n] at the model's sample rate, as they come: constant memory."""
        check_vocoder(vocoder)
        return revoiced(blocks, self.manifest.mel, lambda: self.vocoder(0, vocoder))

    def samples_in(self, seconds: float, name: str) -> int:
        """round(seconds * sample_rate). InputError naming `name` unless it is a length of sound we make."""
        return samples_in(seconds, name, self.sample_rate)

    def _onward(self, wanted: Wanted, drift: int, count: int | None) -> Iterator[Float32]:
        """`count` new samples, or without end for None; after the recording, if there is one."""
        noise = self._noise(wanted, drift)
        # The vocoder first: the room that unpacking it takes is free again when the denoiser is loaded.
        vocoder, painter = self.vocoder(wanted.seed, wanted.vocoder), self._painter(wanted.steps)
        if wanted.context is None:
            return first_samples(render(mel_stream(painter, noise), vocoder), count)
        recording = _blocks(wanted.context, self.sample_rate, mono=True)
        piece = functools.partial(mel_stream, painter, noise, beside=self._beside(wanted.seed))
        return continued_sound(recording, painter, piece, vocoder, count)

    def _loop(self, wanted: Wanted, painter: Painter, count: int) -> Iterator[Float32]:
        """One period of exactly `count` samples."""
        frames = round(count / self.manifest.mel.hop_length)
        log_mel = mel_loop(painter, self._noise(wanted, count), frames)
        yield limit(stretched(self.vocoder(wanted.seed, wanted.vocoder).loop(log_mel), count)[None])

    def _between(self, wanted: Wanted, painter: Painter, count: int) -> Iterator[Float32]:
        """The recording before, `count` new samples, the recording after; for a loop, that is the same one."""
        noise, beside = self._noise(wanted, count), self._beside(wanted.seed)
        left = self._whole(wanted.context).samples
        right = left if wanted.loop else self._whole(wanted.into).samples
        made, before, after = bridge(
            left, count, right, painter, lambda a, gap, b: filled(painter, noise, a, gap, b, beside),
            self.vocoder(wanted.seed, wanted.vocoder),
        )  # fmt: skip
        kept = left[:, : left.shape[1] - before]
        if not wanted.loop:
            yield from map(limit, (kept, made, right[:, after:]))
            return
        if kept.shape[1] < after:
            found, needed = left.shape[1] / self.sample_rate, (before + after) / self.sample_rate
            raise InputError(f"the recording to loop: {found:.3f} s long, at least {needed:.3f} s are needed")
        # The file begins where the recording does: with what the end of the new music has passed into.
        yield from map(limit, (made[:, -after:], kept[:, after:], made[:, :-after]))

    def _painter(self, steps: int | None) -> Painter:
        """InputError for a number of steps that is not served."""
        steps = self.manifest.default_steps if steps is None else steps
        if steps not in self._denoisers:
            self._denoisers[steps] = self.folder.denoiser(steps, self.threads)
        return Painter(self._denoisers[steps], self.manifest, steps, self.folder.packing)

    def _noise(self, wanted: Wanted, drift: int) -> Noise:
        """Of the piece; one that drifts is at its goal after `drift` samples."""
        n_mels, variation = self.manifest.mel.n_mels, wanted.variation
        one = seed_noise(n_mels, wanted.seed)
        if variation is None and wanted.toward is None:
            return one
        toward = (wanted.seed + 1) % (MOST_SEED + 1) if wanted.toward is None else wanted.toward
        frames = np.float32(max(1, drift / self.manifest.mel.hop_length))
        share: Callable[[Float32], Float32] = (
            (lambda frame: np.minimum(frame / frames, 1))
            if variation is None
            else (lambda frame: np.full_like(frame, variation))
        )
        return between(one, seed_noise(n_mels, toward), share)

    def _beside(self, seed: int) -> Noise:
        return seed_noise(self.manifest.mel.n_mels, seed, BESIDE)

    def _vocoder(self, seed: int) -> Vocoder:
        if self._networks is None:
            return GriffinLimStream(self.manifest.mel, seed=seed)
        return LearnedVocoder(self._networks(), self.manifest.mel, seed)

    @functools.cached_property
    def _networks(self) -> Callable[[], OnnxVocoder] | None:
        return self.folder.vocoder(self.threads)

    def _whole(self, recording: Recording | None) -> Audio:
        """A recording in memory, mono, at the model's sample rate. InputError if it is no sound."""
        assert recording is not None
        if isinstance(recording, Audio):
            return Audio(
                np.concatenate(list(_blocks(recording, self.sample_rate, mono=True)), axis=1), self.sample_rate
            )
        return read(Path(recording), self.sample_rate, mono=True)


def span(start: float, stop: float, recording: Audio) -> tuple[int, int]:
    """The two times in samples. InputError unless something of the recording is before, between and after them."""
    if not 0 < start < stop < recording.seconds:
        times = f"from {start:g} to {stop:g}"
        raise InputError(f"{times}: give two times in order, inside the recording's 0 to {recording.seconds:.3f} s")
    return round(start * recording.sample_rate), round(stop * recording.sample_rate)


def _blocks(recording: Recording, sample_rate: int, mono: bool) -> Iterator[Float32]:
    """Blocks [channels, n] of a recording at `sample_rate`. InputError if it is no sound."""
    if not isinstance(recording, Audio):
        return read_blocks(Path(recording), sample_rate, mono=mono)
    samples = recording.samples.mean(axis=0, dtype=np.float32)[None] if mono else recording.samples
    if recording.sample_rate == sample_rate:
        return iter([samples])
    return iter([soxr.resample(samples.T, recording.sample_rate, sample_rate).T])


def load_model(id_or_dir: str | Path | None = None) -> Model:
    """The model with this id or in this folder, or else the first installed. InputError if none."""
    return Model(load_folder(id_or_dir))
