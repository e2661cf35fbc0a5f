"""What can be asked of a model, each kind of music a type; a request that exists makes sense.

The command line and `Model.generate` choose between them by `request_for`. What depends on the model (its sample rate,
the steps it serves, the length of a recording) is said when it is asked: `samples`, `Mend.bridge`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from halfstep.audio.files.io import Audio
from halfstep.audio.files.midi import Score
from halfstep.audio.mel import MelConfig
from halfstep.conditioning import Asked
from halfstep.diffusion.process import SAMPLERS
from halfstep.diffusion.steps import ALL_RESPACINGS
from halfstep.errors import NamedError, unbraced
from halfstep.fields import is_number, is_whole
from halfstep.generation.noise import SEEDS
from halfstep.vocoders.base import GRIFFIN_LIM, MakeVocoder

USUAL_SECONDS = 30.0
USUAL_STRENGTH = 0.75
"""Above it little is kept of music that is not the model's own kind (docs/experiments/restyling.md)."""
MOST_SECONDS = 86_400.0
MOST_LOOP_SECONDS = 900.0
BEYOND_SECONDS = 0.01
"""An end may be given as rounded to hundredths."""
SOFTEST_LUFS, LOUDEST_LUFS = -60.0, -6.0
LEAST_LOOP_FRAMES = 40
"""A loop is a whole number of frames long, then set right by at most 866 / 40 = 22 cents of pitch."""

Recording = Audio | str | Path
Leading = Recording | Score
"""What a piece can follow."""


class RequestError(NamedError):
    """A request that makes no sense."""


def refuse(text: str) -> NoReturn:
    raise RequestError(text)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What all have in common. InputError naming the field where one is out of range.

    seed: 0 or more; the whole piece follows from it. steps: network calls a window; None is the model's default.
    variation: how far the noise is from the seed's own, 0 to 1 (all of `toward`'s, or the next seed's). toward: another
    seed; without `variation` the music drifts to it. vocoder: griffin-lim, or what makes one; None is the model's own.
    sampler: ddim or ancestral, and respacing: which of a chain's steps are visited, a key of
    `diffusion.steps.ALL_RESPACINGS`; of a network that was never distilled, None is its own. loudness: LUFS, of new
    music alone; None is as loud as the model makes it. asked: of the model's conditions, by name (`conditioning`).
    guide: a recording, a MIDI file or a score that the new music follows from its first moment on (`guiding`).
    """

    seed: int = 0
    steps: int | None = None
    variation: float | None = None
    toward: int | None = None
    vocoder: str | MakeVocoder | None = None
    sampler: str | None = None
    respacing: str | None = None
    loudness: float | None = None
    asked: Mapping[str, Asked] = field(default_factory=dict[str, Asked], hash=False)
    guide: Leading | None = None

    loops: ClassVar[bool] = False
    """Whether the end leads back into the beginning."""

    def __post_init__(self) -> None:
        self._check_kinds()
        for name, value in (("seed", self.seed), ("toward", self.toward)):
            if value is not None and not 0 <= value < SEEDS:
                refuse(f"{{{name}}} is {value}: give a whole number from 0 to {SEEDS - 1}")
        if self.variation is not None and not 0 <= self.variation <= 1:
            refuse(f"{{variation}} is {self.variation:g}: give a number from 0, the same, to 1, another piece")
        check_vocoder(self.vocoder)
        for name, value, among in (("sampler", self.sampler, SAMPLERS), ("respacing", self.respacing, ALL_RESPACINGS)):
            if value is not None and value not in among:
                refuse(f"{{{name}}} is {unbraced(value)}: give one of {', '.join(among)}")
        self._check_loudness()

    def _check_kinds(self) -> None:
        """Who calls from Python may give anything; a seed of None would be another each time."""
        for name in ("seed", "steps", "toward"):
            value: object = getattr(self, name)
            if not is_whole(value) and (value is not None or name == "seed"):
                refuse(f"{{{name}}} is {unbraced(repr(value))}: give a whole number")
        for name in ("variation", "loudness", "seconds", "start", "stop", "strength"):
            value = getattr(self, name, None)
            if value is not None and not is_number(value):
                refuse(f"{{{name}}} is {unbraced(repr(value))}: give a number")

    def _check_loudness(self) -> None:
        if self.loudness is None:
            return
        if not SOFTEST_LUFS <= self.loudness <= LOUDEST_LUFS:
            refuse(f"{{loudness}} is {self.loudness:g}: give LUFS from {SOFTEST_LUFS:g} to {LOUDEST_LUFS:g}")
        if self.recordings:
            refuse("{loudness}: music for a recording is as loud as that; leave it out")

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """Those around the new music."""
        return ()


@dataclass(frozen=True, kw_only=True)
class Timed(Request):
    """One with so many seconds of new music."""

    seconds: float

    def samples(self, mel: MelConfig) -> int:
        """How many new ones. InputError if they are none, or too many."""
        return samples_in(self.seconds, "seconds", mel.sample_rate)


@dataclass(frozen=True, kw_only=True)
class Piece(Timed):
    """New music alone: the beginning of an endless stream."""


@dataclass(frozen=True, kw_only=True)
class Loop(Timed):
    """New music that repeats."""

    loops: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_no_drift(self)

    def samples(self, mel: MelConfig) -> int:
        count = super().samples(mel)
        least = LEAST_LOOP_FRAMES * mel.hop_length / mel.sample_rate
        if not least <= self.seconds <= MOST_LOOP_SECONDS:
            refuse(f"{{seconds}} is {self.seconds:g}: a loop takes {least:.3f} to {MOST_LOOP_SECONDS:g}")
        return count


@dataclass(frozen=True, kw_only=True)
class Continuation(Timed):
    """A recording, and new music that goes on from it."""

    context: Recording

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return (self.context,)


@dataclass(frozen=True, kw_only=True)
class ClosedLoop(Timed):
    """A recording, and new music that leads from its end back into its beginning."""

    context: Recording
    loops: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_no_drift(self)

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return (self.context,)


@dataclass(frozen=True, kw_only=True)
class Bridge(Timed):
    """Two recordings, and new music that leads from one to the other."""

    context: Recording
    into: Recording

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return (self.context, self.into)


@dataclass(frozen=True, kw_only=True)
class Within(Timed):
    """New music inside a recording."""

    recording: Recording

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return (self.recording,)


@dataclass(frozen=True, kw_only=True)
class Edit(Request):
    """A recording that is changed, as long as it was."""

    recording: Recording

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return (self.recording,)

    def timed(self, seconds: float) -> Timed:
        """Music of the same noise within it, so long."""
        return Within(
            recording=self.recording, seconds=seconds, seed=self.seed, steps=self.steps, variation=self.variation,
            toward=self.toward, vocoder=self.vocoder, sampler=self.sampler, respacing=self.respacing, asked=self.asked,
            guide=self.guide,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Restyle(Edit):
    """A recording, noised to the time `strength` and brought back by the model: 0 is itself through bands and vocoder,
    1 the free piece of the seed, and what is between keeps the more of it the lower it is.
    """

    strength: float = USUAL_STRENGTH

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.strength <= 1:
            refuse(f"{{strength}} is {self.strength:g}: give a number from 0, the recording, to 1, nothing of it")


@dataclass(frozen=True, kw_only=True)
class Mend(Edit):
    """A recording, regenerated from `start` to `stop` seconds."""

    start: float
    stop: float

    def span(self, samples: int, sample_rate: int, least: int) -> tuple[int, int]:
        """Where it begins and ends, in a recording of so many samples, of which either end may be part.

        least: samples that can be joined to. InputError unless some of the recording is left, and enough of it.
        """
        seconds, times = samples / sample_rate, f"{{start}} {self.start:g}, {{stop}} {self.stop:g}"
        if not 0 <= self.start < self.stop <= seconds + BEYOND_SECONDS:
            refuse(f"{times}: give two times in order, inside the recording's 0 to {seconds:.3f} s")
        first, last = (min(samples, round(time * sample_rate)) for time in (self.start, self.stop))
        if last - first in (0, samples):
            refuse(f"{times}: nothing of the recording would be {'new' if last == first else 'left'}")
        if 0 < first < least:
            refuse(f"{times}: at least {least / sample_rate:.3f} s before it are needed to join to; take {{start}} 0")
        if 0 < samples - last < least:
            needed = least / sample_rate
            refuse(f"{times}: at least {needed:.3f} s after it are needed to join to; take {{stop}} {seconds:.3f}")
        return first, last


def request_for(
    *,
    seconds: float | None = None,
    context: Recording | None = None,
    into: Recording | None = None,
    loop: bool = False,
    mend: Recording | None = None,
    restyle: Recording | None = None,
    strength: float | None = None,
    start: float | None = None,
    stop: float | None = None,
    seed: int = 0,
    steps: int | None = None,
    variation: float | None = None,
    toward: int | None = None,
    vocoder: str | MakeVocoder | None = None,
    sampler: str | None = None,
    respacing: str | None = None,
    loudness: float | None = None,
    asked: Mapping[str, Asked] | None = None,
    guide: Leading | None = None,
) -> Request:
    """The request that these make together; None and False are not given, but for `seconds`, which is then 30.

    InputError naming what does not go with another.
    """
    common: dict[str, Any] = {
        "seed": seed, "steps": steps, "variation": variation, "toward": toward, "vocoder": vocoder, "sampler": sampler,
        "respacing": respacing, "loudness": loudness, "asked": dict(asked or {}), "guide": guide,
    }  # fmt: skip
    if strength is not None and restyle is None:
        refuse("{strength}: it says how much noise a recording to {restyle} is given: name it")
    for edit, recording in (("mend", mend), ("restyle", restyle)):
        others = (("context", context), ("into", into), ("loop", loop or None), ("seconds", seconds))
        for name, given in (*others, ("restyle", restyle if edit == "mend" else None)):
            if recording is not None and given is not None:
                refuse(f"{{{name}}}: {{{edit}}} keeps a recording's own length and ends; leave it out")
    if mend is not None:
        if start is None or stop is None:
            refuse("{mend}: give the span to regenerate: {start} and {stop}")
        return Mend(**common, recording=mend, start=start, stop=stop)
    if start is not None or stop is not None:
        refuse("{start} and {stop}: they say where to {mend} a recording: name it")
    if restyle is not None:
        return Restyle(**common, recording=restyle, strength=USUAL_STRENGTH if strength is None else strength)
    seconds = USUAL_SECONDS if seconds is None else seconds
    if into is not None:
        if loop:
            refuse("{into}: a {loop} leads into its own beginning; leave one out")
        if context is None:
            refuse("{into}: name the recording before it: {context}")
        return Bridge(**common, seconds=seconds, context=context, into=into)
    if context is None:
        return (Loop if loop else Piece)(**common, seconds=seconds)
    return (ClosedLoop if loop else Continuation)(**common, seconds=seconds, context=context)


def samples_in(seconds: float, name: str, sample_rate: int) -> int:
    """round(seconds * sample_rate). InputError naming `name` unless it is a length of sound we make."""
    if not is_number(seconds):
        refuse(f"{{{name}}} is {unbraced(repr(seconds))}: give a number")
    count = round(seconds * sample_rate) if math.isfinite(seconds) else 0
    if count < 1 or seconds > MOST_SECONDS:
        refuse(f"{{{name}}} is {seconds:g}: give a number above 0 and at most {MOST_SECONDS:g}")
    return count


def check_vocoder(choice: str | MakeVocoder | None) -> None:
    """InputError for a name that none has."""
    if isinstance(choice, str) and choice != GRIFFIN_LIM:
        refuse(f"{{vocoder}} is {unbraced(choice)}: the only name is {GRIFFIN_LIM}; without one, the model's own plays")


def _check_no_drift(request: Request) -> None:
    if request.toward is not None and request.variation is None:
        refuse("{toward}: a {loop} ends where it began; say how far with {variation}")
