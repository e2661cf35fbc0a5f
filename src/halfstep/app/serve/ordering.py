"""What the API makes: clips, loops, what goes on from an upload, restyles or follows it. Each is a job of one file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from halfstep.app.generate.composing import USUAL_BEATS
from halfstep.app.generate.generating import described, write_piece
from halfstep.app.generate.storing import BroughtDown, storing
from halfstep.app.serve.decoding import check_upload, decoded_guide, decoded_upload
from halfstep.app.serve.jobs import Job, Jobs, Report
from halfstep.app.serve.limits import Limits
from halfstep.app.serve.parameters import (
    SEED,
    STEPS,
    STRENGTH,
    TOWARD,
    VARIATION,
    Field,
    Value,
    asked_in,
    condition_fields,
    model_field,
    number,
    read_fields,
    whole,
    with_tempo,
)
from halfstep.app.serve.refusals import BAD_REQUEST, Refusal
from halfstep.app.serve.tunes import check_steps, find
from halfstep.audio.files.io import Audio
from halfstep.audio.files.writing import ENCODINGS
from halfstep.audio.guide import NO_GUIDE
from halfstep.generation.continuation import Samples
from halfstep.generation.model import Model
from halfstep.generation.requests import USUAL_SECONDS, Leading, Request, RequestError, Timed, request_for

ENDINGS = tuple(ending.removeprefix(".") for ending in ENCODINGS)
LOOPS_NOT_IN = "mp3"
"""It begins and ends with silence of its own."""
CONTEXT, RESTYLE, GUIDE = "context", "restyle", "guide"
"""Arguments of a request that an upload can be."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """A kind of job: its address under /api, what it is, and what may be asked of it. upload: what the recording is
    that it takes, CONTEXT, RESTYLE or GUIDE; None takes none.
    """

    name: str
    summary: str
    fields: tuple[Field, ...]
    loop: bool = False
    upload: str | None = None


def orders(models: Sequence[str], limits: Limits, asking: tuple[Field, ...] = ()) -> dict[str, Order]:
    """All kinds, by name; the first of the models is the one that plays when none is named. asking: what can be asked
    of one of them.
    """
    seconds = Field(name="seconds", kind="number", least=0.1, most=limits.job_seconds, about="Of new music; 30.")
    music = (model_field(models), SEED, STEPS, VARIATION, TOWARD, *asking)
    format = Field(name="format", kind="string", choices=ENDINGS, about="Of the file; wav if not given.")
    loop_format = Field(
        name="format", kind="string", choices=tuple(one for one in ENDINGS if one != LOOPS_NOT_IN), about="Of the file."
    )
    bars = Field(name="bars", kind="number", least=0.25, most=1024, about="Length in bars, with bpm.")
    bpm = Field(name="bpm", kind="number", least=10, most=999, about="Beats a minute.")
    beats = Field(name="beats", kind="integer", least=1, most=64, about="Beats a bar; 4 if not given.")
    closed = Field(name="loop", kind="boolean", about="Lead from the end of the upload back into its beginning.")
    repeats = Field(name="loop", kind="boolean", about="Music that repeats without a seam.")
    times = (seconds, bars, bpm, beats)
    every = (
        Order(name="clips", summary="Make a piece of music", fields=(*music, *times, format)),
        Order(name="loops", summary="Make a loop without a seam", fields=(*music, *times, loop_format), loop=True),
        Order(
            name="continuations", summary="Go on from an uploaded recording, or close it into a loop",
            fields=(*music, *times, closed, format), upload=CONTEXT,
        ),
        Order(
            name="restylings", summary="Noise an uploaded recording, and bring it back as the model makes music",
            fields=(*music, STRENGTH, format), upload=RESTYLE,
        ),
        Order(
            name="guided", summary="Make music, or a loop, that follows an upload: a recording or a MIDI file",
            fields=(*music, *times, repeats, format), upload=GUIDE,
        ),
    )  # fmt: skip
    return {order.name: order for order in every}


class Kitchen:
    """Takes orders, and makes jobs of them."""

    def __init__(self, models: Mapping[str, Model], jobs: Jobs, limits: Limits) -> None:
        self._models, self._jobs, self._limits = models, jobs, limits
        self._asking = condition_fields(model.manifest for model in models.values())
        self.orders = orders(tuple(models), limits, self._asking)

    def take(self, order: Order, given: Sequence[tuple[str, str]], upload: bytes = b"") -> Job:
        """A job. Refusal for what makes no sense; what only the sound itself shows is said by the job."""
        values = read_fields(order.fields, given)
        model = find(self._models, str(values.get("model", next(iter(self._models)))))
        steps = whole(values, "steps")
        if steps is not None:
            check_steps(model, steps)
        loop = order.loop or bool(values.get("loop", False))
        ending = str(values.get("format", ENDINGS[0]))
        if loop and ending == LOOPS_NOT_IN:
            raise Refusal(BAD_REQUEST, "format: an MP3 begins and ends with silence of its own; ask for another")
        if order.upload:
            check_upload(upload)
        seconds = self._seconds(values)
        asked = asked_in(with_tempo(values, model.manifest, order.upload == GUIDE), self._asking, model.manifest)

        ask = partial(
            request_for, seed=whole(values, "seed") or 0, steps=steps, variation=number(values, "variation"),
            toward=whole(values, "toward"), asked=asked,
        )  # fmt: skip

        def request(recording: Audio | None = None, guide: Leading | None = None) -> Request:
            if order.upload == RESTYLE and recording is not None:
                return ask(restyle=recording, strength=number(values, STRENGTH.name))
            return ask(seconds=seconds, context=recording, guide=guide, loop=loop)

        _check(model, order, request())
        limits = self._limits

        def work(path: Path, report: Report) -> None:
            guide = decoded_guide(upload, limits) if order.upload == GUIDE else None
            recording = decoded_upload(upload, limits) if order.upload in (CONTEXT, RESTYLE) else None
            _make(model, request(recording, guide), path, report)

        about = {"kind": order.name, "model": model.manifest.id} | values
        about |= {name: str(values[name]) for name in ("seed", "toward") if name in values}
        return self._jobs.add(f".{ending}", about, work)

    def _seconds(self, values: Mapping[str, Value]) -> float:
        bars, bpm = number(values, "bars"), number(values, "bpm")
        if (bars is None) != (bpm is None):
            raise Refusal(
                BAD_REQUEST, "bars and bpm: one says nothing without the other; a pulse is asked for by tempo"
            )
        if bars is None or bpm is None:
            return number(values, "seconds") or USUAL_SECONDS
        if "seconds" in values:
            raise Refusal(BAD_REQUEST, "seconds: bars and bpm give the length already")
        seconds = bars * (whole(values, "beats") or USUAL_BEATS) * 60 / bpm
        if seconds > self._limits.job_seconds:
            raise Refusal(BAD_REQUEST, f"bars: {seconds:.1f} s; at most {self._limits.job_seconds:g} s are made")
        return seconds


def _check(model: Model, order: Order, music: Request) -> None:
    """Refusal, before it waits, of whatever can be without a recording."""
    if order.upload == GUIDE and model.manifest.guide == NO_GUIDE:
        raise Refusal(BAD_REQUEST, f"{GUIDE}: model {model.manifest.id} follows none; ask for a clip or a loop")
    assert isinstance(music, Timed), "without a recording there is nothing to edit"
    try:
        music.samples(model.manifest.mel)
        model.engine.course(music)
    except RequestError as error:
        raise Refusal(BAD_REQUEST, error.named({})) from error


def _make(model: Model, request: Request, path: Path, report: Report) -> None:
    coming = model.coming(request, report)
    stored = storing(path, coming.form)
    seconds = coming.samples / coming.form.sample_rate
    blocks = _reported(iter(BroughtDown(coming.blocks, stored)), coming.samples, report)
    write_piece(path, blocks, model, described(model, request), seconds, request, False, stored)


def _reported(blocks: Iterator[Samples], samples: int, report: Report) -> Iterator[Samples]:
    """The same, in pieces short enough for `report` to be called often."""
    done = 0
    report(0.0)
    for block in blocks:
        yield block
        done += block.shape[1]
        report(done / samples)
