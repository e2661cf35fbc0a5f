"""Model: what `halfstep.load` gives. Seconds of music, a stream of it, a loop, what goes before, between or after."""

import io
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from halfstep.addresses import HUB
from halfstep.arrays import Float32, Float64, Shaped
from halfstep.atomic import replacing_folder
from halfstep.audio.files.io import Audio, finite, read_blocks, resampled
from halfstep.bundle import Manifest, ModelFolder, load_folder
from halfstep.bundle.card import model_card
from halfstep.bundle.model_json import FILE_NAME
from halfstep.bundle.remote import publish
from halfstep.conditioning import Asked
from halfstep.errors import InputError
from halfstep.generation.canvas import mel_stream
from halfstep.generation.coming import Coming, coming, onward, onward_from, passages_of
from halfstep.generation.continuation import Samples
from halfstep.generation.engine import Engine
from halfstep.generation.liking import like
from halfstep.generation.loops import Share
from halfstep.generation.passages import Passage
from halfstep.generation.render import equal_blocks
from halfstep.generation.requests import (
    USUAL_SECONDS,
    USUAL_STRENGTH,
    Continuation,
    Mend,
    Piece,
    Recording,
    Request,
    Restyle,
    check_vocoder,
    request_for,
    samples_in,
)
from halfstep.generation.takes import Take
from halfstep.vocoders.base import MakeVocoder
from halfstep.vocoders.revoicing import offset_of, revoiced

Sound = Recording | Shaped[np.ndarray, "..."]
"""A recording: an Audio, where one is, or samples [n] or [channels, n] at the model's own rate."""
EXAMPLE_SECONDS = 20.0
Progress = Callable[[float, float], object]
"""(seconds done, seconds in all)."""


class Model:
    """A model folder that plays. Nothing but model.json is read before the first music is asked for."""

    def __init__(self, folder: ModelFolder, threads: int = 1) -> None:
        """Threads of the processor the denoiser may use; other numbers may differ in the last bits."""
        self.engine = Engine(folder, threads)

    @property
    def folder(self) -> ModelFolder:
        return self.engine.folder

    @property
    def manifest(self) -> Manifest:
        return self.engine.manifest

    @property
    def sample_rate(self) -> int:
        return self.manifest.mel.sample_rate

    def generate(
        self,
        seconds: float,
        seed: int = 0,
        steps: int | None = None,
        context: Sound | None = None,
        *,
        into: Sound | None = None,
        loop: bool = False,
        variation: float | None = None,
        toward: int | None = None,
        vocoder: str | MakeVocoder | None = None,
        sampler: str | None = None,
        respacing: str | None = None,
        loudness: float | None = None,
        guide: Sound | None = None,
        progress: Progress | None = None,
        **asked: Asked,
    ) -> Audio:
        """Exactly round(seconds * sample_rate) samples of new music, and the recordings around it; [1, n] without any.

        The first 60 s of 120 s are the 60 s piece, and both are the beginning of `stream` with the same seed; but
        not where the end decides: a loop, `into`, or `toward` without `variation`.

        Args:
            seconds: of new music.
            seed: 0 or more; the whole piece follows from it.
            steps: network calls a window, one of `manifest.steps`; `manifest.default_steps` if None. A network that
                was never distilled takes any number, as many as DDPM's chain has.
            context: a recording, where it is, or its samples [n] or [channels, n] at the model's rate; the music
                continues it. It comes first, every sample as it was but
                for the end, over a sixteenth of a window of the model, which is crossfaded; what is new has its rate,
                its channels, its level and its width.
            into: a recording that the music leads into; it comes last, its beginning crossfaded likewise. It needs
                `context`, whose rate and channels it is given: what is made fills the gap between the two.
            loop: the end leads back into the beginning: into `context`, if there is one. Without one, a length that is
                no whole number of frames changes the pitch: by 5 cents at most at 2 s, 1 at 10 s.
            variation: how far the piece is re-noised, 0 (itself) to 1 (another: `toward`, or the next seed).
            toward: another seed. Without `variation` the music drifts from `seed` to it over all its length.
            vocoder: "griffin-lim" instead of the model's own, or what makes another from a seed.
            sampler: "ddim" or "ancestral" (DDPM's) instead of the model's own; of a network that was never distilled.
            respacing: which of the steps of DDPM's chain are visited: "trailing", "linspace", "leading", "quadratic".
            loudness: integrated LUFS, by one gain for all of the piece: that of its first minute, which is made before
                its first sample is given out (`generation/level.py`).
            guide: a recording, or a MIDI file, whose chords or rhythm the new music follows, of a model that can
                (`manifest.guide`); one that is shorter begins again, and in a loop goes round with it.
            progress: is called with the seconds that are done and those that there will be, block by block.
            asked: of the model's conditions (`manifest.conditions`), by name: style="piano", style="piano:2,strings",
                style={"piano": 2, "strings": 1}; style="piano..strings" drifts over the length of the piece.

        Raises:
            InputError: a value out of range, a recording that cannot be read, a model that is not whole.
        """
        request = request_for(
            seconds=seconds, context=None if context is None else self._sound(context),
            into=None if into is None else self._sound(into), loop=loop, seed=seed, steps=steps, variation=variation,
            toward=toward, vocoder=vocoder, sampler=sampler, respacing=respacing, loudness=loudness, asked=asked,
            guide=self._guide(guide),
        )  # fmt: skip
        return self.play(request, progress)

    def mend(
        self,
        recording: Sound,
        start: float,
        stop: float,
        seed: int = 0,
        steps: int | None = None,
        *,
        guide: Sound | None = None,
        progress: Progress | None = None,
        **asked: Asked,
    ) -> Audio:
        """The recording as it was, new from `start` to `stop` seconds, its ends included. Errors as for `generate`."""
        recording = self._sound(recording)
        mend = Mend(
            recording=recording, start=start, stop=stop, seed=seed, steps=steps, asked=asked, guide=self._guide(guide)
        )  # fmt: skip
        return self.play(mend, progress)

    def restyle(
        self,
        recording: Sound,
        strength: float = USUAL_STRENGTH,
        seed: int = 0,
        steps: int | None = None,
        *,
        guide: Sound | None = None,
        progress: Progress | None = None,
        **asked: Asked,
    ) -> Audio:
        """The recording, noised to the time `strength` and brought back by the model, under what is asked for.

        0 is the recording through bands and vocoder, 1 the free piece of the seed; rate, channels, width, level and
        every sample's place are the recording's. Of `steps` network calls a window those below `strength` are made.
        Errors as for `generate`.
        """
        recording = self._sound(recording)
        restyle = Restyle(
            recording=recording, strength=strength, seed=seed, steps=steps, asked=asked, guide=self._guide(guide)
        )  # fmt: skip
        return self.play(restyle, progress)

    def like(self, recording: Sound, condition: str = "style") -> dict[str, float]:
        """The mixture of a condition's labels that the recording sounds most like: `generate(style=model.like(take))`.

        By the model's own bands, window by window. InputError for a model that has no such condition, or does not know
        what its labels sound like.
        """
        return like(self.engine, self._sound(recording), condition)

    def play(self, request: Request, progress: Progress | None = None) -> Audio:
        """All that was asked for. Errors and `progress` as for `generate`."""
        made = self.coming(request)
        blocks = made.blocks if progress is None else _counted(made, progress)
        samples = np.concatenate(list(blocks), axis=1).astype(np.float32, copy=False)
        return Audio(samples, made.form.sample_rate, made.form.subtype)

    def stream(
        self,
        seed: int = 0,
        steps: int | None = None,
        block_seconds: float = 1.0,
        context: Sound | None = None,
        *,
        variation: float | None = None,
        toward: int | None = None,
        vocoder: str | MakeVocoder | None = None,
        sampler: str | None = None,
        respacing: str | None = None,
        loudness: float | None = None,
        guide: Sound | None = None,
        over_seconds: float = 60.0,
        start: float = 0.0,
        **asked: Asked,
    ) -> Iterator[Audio]:
        """Blocks of music without end, in constant memory; arguments and errors as for `generate`.

        Toward another seed, or style, it drifts for `over_seconds`; from then on it is there. start: seconds of the
        piece that are passed over; the music is the same from there on, the phases of its tones are not.
        """
        context = None if context is None else self._sound(context)
        rate = self.sample_rate if context is None else Take(context).form.sample_rate
        size = samples_in(block_seconds, "block_seconds", rate)
        samples_in(over_seconds, "over_seconds", self.sample_rate)
        request = request_for(
            seconds=over_seconds, context=context, seed=seed, steps=steps, variation=variation, toward=toward,
            vocoder=vocoder, sampler=sampler, respacing=respacing, loudness=loudness, asked=asked,
            guide=self._guide(guide),
        )  # fmt: skip
        assert isinstance(request, Piece | Continuation)
        sound = onward(self.engine, request, None) if start == 0 else onward_from(self.engine, request, start)
        blocks = equal_blocks(sound, size)
        return (Audio(block.astype(np.float32, copy=False), rate) for block in blocks)

    def blocks(self, request: Request) -> Iterator[Samples]:
        """What was asked for as it comes; for the form of it see `coming`. Errors as there."""
        return self.coming(request).blocks

    def coming(self, request: Request, progress: Share = lambda _: None) -> Coming:
        """What was asked for, in constant memory but for a loop and what fills a gap. progress and InputError as for
        `halfstep.generation.coming.coming`.
        """
        return coming(self.engine, request, progress)

    @classmethod
    def from_pretrained(cls, name: str, revision: str | None = None) -> "Model":
        """The model USER/MODEL on the Hugging Face Hub, as `load("hf://USER/MODEL")` has it. Needs the extra hub."""
        return cls(load_folder(f"{HUB}{name}" + (f"@{revision}" if revision else "")))

    def save_pretrained(self, folder: str | Path) -> None:
        """Copy the model folder, whole or not at all, to `folder`, which is absent or empty."""
        with replacing_folder(Path(folder)) as partial:
            for name in (FILE_NAME, *self.manifest.files):
                (partial / name).write_bytes((self.folder.path / name).read_bytes())

    def push_to_hub(self, name: str, private: bool = False, examples: int = 2) -> str:
        """Publish the model as USER/MODEL on the Hugging Face Hub, with a card and so many pieces to hear; its address.

        InputError where it cannot be. Needs the extra hub.
        """
        extra_files: dict[str, bytes] = {}
        for seed in range(examples):
            with io.BytesIO() as file:
                self.generate(EXAMPLE_SECONDS, seed=seed).save(file, format="mp3")
                extra_files[f"examples/seed-{seed}.mp3"] = file.getvalue()
        extra_files["README.md"] = model_card(self.manifest, name, list(extra_files)).encode("utf-8")
        return publish(self.folder, f"{HUB}{name}", private, extra_files)

    def mels(self, seed: int = 0, steps: int | None = None) -> Iterator[Float32[np.ndarray, "bands frames"]]:
        """The music before it has a waveform: log-mel blocks [n_mels, k] without end. InputError as above."""
        request = Piece(seconds=USUAL_SECONDS, seed=seed, steps=steps)
        return mel_stream(self.engine.sampler_of(request), self.engine.canvas(request))

    def passages(self, piece: Piece, first_frame: int = 0) -> Iterator[Passage]:
        """A piece without end as sound beside its bands, from any of its frames on; one that drifts arrives after its
        seconds. InputError as for `generate`.
        """
        return passages_of(self.engine, piece, first_frame)

    def vocode(self, recording: Sound, vocoder: str | MakeVocoder | None = None) -> Audio:
        """The recording as the vocoder regenerates it from its log-mel: as many channels and samples, at the model's
        sample rate. InputError if it is no sound, or has none.
        """
        recording = self._sound(recording)
        offset = offset_of(_blocks(recording, self.sample_rate))
        samples = list(self.vocoded(_blocks(recording, self.sample_rate), vocoder, offset))
        if not samples:
            raise InputError("a recording without samples: give one with sound in it")
        return Audio(np.concatenate(samples, axis=1), self.sample_rate)

    def vocoded(
        self,
        blocks: Iterable[Float32[np.ndarray, "..."]],
        vocoder: str | MakeVocoder | None = None,
        offset: Float64[np.ndarray, "..."] | None = None,
    ) -> Iterator[Float32[np.ndarray, "..."]]:
        """The same for blocks [channels, n] at the model's sample rate, as they come: constant memory. offset: the
        constant level of each channel (`offset_of`), if there is one.
        """
        check_vocoder(vocoder)
        return revoiced(blocks, self.manifest.mel, lambda: self.engine.vocoder(0, vocoder), offset)

    @property
    def loudness(self) -> float:
        """How loud its music is on average, integrated LUFS: what model.json says, or else measured, once."""
        return self.engine.loudness

    def _guide(self, guide: Sound | None) -> Recording | None:
        return None if guide is None else self._sound(guide)

    def _sound(self, recording: Sound) -> Recording:
        """The same; of an array [n] or [channels, n] an Audio at the model's rate."""
        return Audio(recording, self.sample_rate) if isinstance(recording, np.ndarray) else recording


def _counted(coming: Coming, progress: Progress) -> Iterator[Samples]:
    done, of = 0, coming.samples / coming.form.sample_rate
    for block in coming.blocks:
        yield block
        done += block.shape[1]
        progress(min(of, done / coming.form.sample_rate), of)


def _blocks(recording: Recording, sample_rate: int) -> Iterator[Float32[np.ndarray, "..."]]:
    """Blocks [channels, n] of a recording at `sample_rate`. InputError if it is no sound."""
    if not isinstance(recording, Audio):
        return read_blocks(Path(recording), sample_rate, mono=False)
    sound = finite([recording.samples], "the recording", recording.sample_rate)
    return resampled(sound, recording.sample_rate, sample_rate)


def load_model(id_or_dir: str | Path | None = None) -> Model:
    """The model with this id or in this folder, or else the first installed. InputError if none."""
    return Model(load_folder(id_or_dir))
