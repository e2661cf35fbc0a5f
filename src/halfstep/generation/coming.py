"""From a request to sound: what is made of each kind, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.circular import stretched
from halfstep.audio.limiter import GAIN
from halfstep.generation.canvas import mel_stream
from halfstep.generation.context import least_samples
from halfstep.generation.continuation import Samples, between, closed, continued_sound
from halfstep.generation.engine import Engine
from halfstep.generation.guiding import Leader
from halfstep.generation.level import beginning, gain_for, levelled
from halfstep.generation.loops import Share, mel_loop
from halfstep.generation.passages import Passage, passages
from halfstep.generation.render import first_samples, unlimited, without_first
from halfstep.generation.requests import (
    Bridge,
    ClosedLoop,
    Continuation,
    Mend,
    Piece,
    Request,
    Restyle,
    Timed,
    refuse,
    samples_in,
)
from halfstep.generation.restyling import restyled
from halfstep.generation.takes import Form, Take, form_of

DENOISING_SHARE = 0.6
"""Of the time that a loop takes; the rest is the vocoder's."""


@dataclass(frozen=True, eq=False)
class Coming:
    """What was asked for: its form, how many samples of each channel are expected, and blocks [channels, n] of any
    size as they are asked for.
    """

    form: Form
    samples: int
    blocks: Iterator[Samples]


def coming(engine: Engine, request: Request, progress: Share = lambda _: None) -> Coming:
    """What was asked for, in constant memory but for a loop and what fills a gap.

    progress: called with how far a loop is, 0 to 1, whose blocks all come at its end. InputError before the first block
    for all that can be known by then.
    """
    engine.course(request)  # refused where it cannot be
    mel = engine.manifest.mel
    if not request.recordings:
        assert isinstance(request, Timed), f"{type(request).__name__} asks for no music"
        form, count = (
            Form(sample_rate=engine.manifest.mel.sample_rate, channels=engine.manifest.mel.channels),
            request.samples(engine.manifest.mel),
        )
        guide = engine.guide(request) if request.loops else None
        blocks = _loop(engine, request, count, progress, guide) if request.loops else onward(engine, request, count)
        return Coming(form, count, blocks)
    takes = [Take(recording) for recording in request.recordings]
    form = form_of(takes)
    takes = [take.formed(form) for take in takes]
    declared = [take.samples_declared for take in takes]
    if isinstance(request, Restyle):
        timed = request.timed(declared[0] / form.sample_rate)
        vocoder, sampler = engine.vocoder(request.seed, request.vocoder), engine.sampler_of(request)
        blocks = restyled(takes[0], request.strength, sampler, engine.canvas(timed), vocoder)
        return Coming(form, declared[0], blocks)
    if isinstance(request, Mend):
        first, last = request.span(declared[0], form.sample_rate, least_samples(form, mel))
        timed, count = request.timed((last - first) / form.sample_rate), last - first
        left = takes[0].part(0, first) if first else None
        right = takes[0].part(last, None) if last < declared[0] else None
        declared = [declared[0] - count]
    else:
        assert isinstance(request, Timed), f"{type(request).__name__} asks for no music"
        timed, count = request, samples_in(request.seconds, "seconds", form.sample_rate)
        left, right = takes[0], takes[-1] if isinstance(request, Bridge) else None
    canvas = engine.canvas(timed)
    vocoder, sampler = engine.vocoder(request.seed, request.vocoder), engine.sampler_of(request)
    if isinstance(request, ClosedLoop):
        blocks = closed(takes[0], count, sampler, canvas, vocoder)
    elif right is None:
        assert left is not None, "some of the recording is left"
        blocks = continued_sound(left, sampler, canvas, vocoder, count)
    else:
        blocks = between(left, count, right, sampler, canvas, vocoder)
    return Coming(form, count + sum(declared), blocks)


def onward(engine: Engine, request: Timed, count: int | None) -> Iterator[Samples]:
    """`count` new samples, or without end for None; after the recording, if there is one."""
    canvas = engine.canvas(request)
    # The vocoder first: the room that unpacking it takes is free again when the denoiser is loaded.
    vocoder, sampler = engine.vocoder(request.seed, request.vocoder), engine.sampler_of(request)
    if isinstance(request, Continuation):
        return continued_sound(Take(request.context), sampler, canvas, vocoder, count)
    sound = first_samples(unlimited(mel_stream(sampler, canvas), vocoder), count)
    return levelled(sound, request.loudness, engine.manifest.mel)


def onward_from(engine: Engine, request: Piece | Continuation, start: float) -> Iterator[Samples]:
    """A piece without end, without its first `start` seconds."""
    if not isinstance(request, Piece):
        refuse("{start}: music that goes on from a {context} has no moments of its own; leave one out")
    skipped, hop = samples_in(start, "start", engine.manifest.mel.sample_rate), engine.manifest.mel.hop_length
    sound = (passage.samples for passage in passages_of(engine, request, skipped // hop))
    return without_first(sound, skipped % hop)


def _loop(
    engine: Engine, request: Timed, count: int, progress: Share, guide: Leader | None
) -> Iterator[Float32[np.ndarray, "..."]]:
    """One period of exactly `count` samples."""
    sampler = engine.sampler_of(request).asked(engine.course(request).at(0) if request.asked else None)
    frames = round(count / engine.manifest.mel.hop_length)
    follows = None if guide is None else guide.at
    log_mel = mel_loop(sampler, engine.noise(request), frames, lambda share: progress(DENOISING_SHARE * share), follows)
    period = stretched(engine.vocoder(request.seed, request.vocoder).loop(log_mel), count)
    yield from levelled([np.atleast_2d(period)], request.loudness, engine.manifest.mel)


def passages_of(engine: Engine, piece: Piece, first_frame: int = 0) -> Iterator[Passage]:
    """A piece without end as sound beside its bands, from any of its frames on; one that drifts arrives after its
    seconds. InputError as for `coming`.
    """
    canvas, sampler, gain = engine.canvas(piece), engine.sampler_of(piece), GAIN
    if piece.loudness is not None:  # that of the piece, wherever it is begun
        mel = engine.manifest.mel
        sound = unlimited(mel_stream(sampler, canvas), engine.vocoder(piece.seed, piece.vocoder))
        gain = gain_for(piece.loudness, list(beginning(sound, mel)), mel)
    return passages(sampler, canvas, engine.vocoder(piece.seed, piece.vocoder), first_frame, gain)
