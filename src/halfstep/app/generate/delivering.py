"""How music leaves: at another rate if one is asked for, and to standard output where OUT is `-`."""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from halfstep.app.generate.storing import SUBTYPES, Stored
from halfstep.audio.circular import stretched
from halfstep.audio.files.sound import HIGHEST_RATE, LOWEST_RATE
from halfstep.audio.files.streaming import SampleStream, wav_head
from halfstep.audio.limiter import limit
from halfstep.audio.resampling import resampled
from halfstep.errors import InputError
from halfstep.generation.coming import Coming
from halfstep.generation.continuation import Samples
from halfstep.generation.render import first_samples

STANDARD = Path("-")
WAV, RAW = "wav", "raw"


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """sample_rate: Hz, None is that of the music. bits: of a sample, None is the format's usual. standard: `wav` or
    `raw`, what standard output gets. as_json: say how it went as JSON.

    InputError where one is out of range.
    """

    sample_rate: int | None = None
    bits: int | None = None
    standard: str = WAV
    as_json: bool = False

    def __post_init__(self) -> None:
        if self.sample_rate is not None and not LOWEST_RATE <= self.sample_rate <= HIGHEST_RATE:
            raise InputError(f"--sample-rate {self.sample_rate}: {LOWEST_RATE} to {HIGHEST_RATE} Hz were expected")
        if self.bits is not None and self.bits not in SUBTYPES:
            raise InputError(f"--bit-depth {self.bits}: give one of {', '.join(map(str, SUBTYPES))}")
        if self.standard not in (WAV, RAW):
            raise InputError(f"--format {self.standard}: give {WAV} or {RAW}")


def at_rate(coming: Coming, sample_rate: int | None, loops: bool) -> Coming:
    """The same music at another rate, peak-safe as it was; one that loops still does, without a seam."""
    own = coming.form.sample_rate
    if sample_rate is None or sample_rate == own:
        return coming
    count = max(1, round(coming.samples * sample_rate / own))
    form = replace(coming.form, sample_rate=sample_rate)
    blocks = _period(coming, count) if loops else first_samples(resampled(coming.blocks, own, sample_rate), count)
    return Coming(form, count, (limit(block, gain=1) for block in blocks))


def _period(coming: Coming, count: int) -> Iterator[Samples]:
    yield stretched(np.concatenate(list(coming.blocks), axis=1).astype(np.float32, copy=False), count)


def check_standard(count: int, plot: bool, as_json: bool) -> None:
    """InputError for what does not go with sound on standard output."""
    for option, given in (("--count", count > 1), ("--plot", plot), ("--json", as_json)):
        if given:
            raise InputError(f"{option}: standard output gets the sound alone; leave it out, or name a file")
    if sys.__stdout__ is None:
        raise InputError("OUT is -: standard output is closed; lead it into a player or a file, with | or >")
    if sys.stdout.isatty():
        raise InputError("OUT is -: standard output is a terminal; lead it into a player or a file, with | or >")


def to_standard(blocks: Iterable[Samples], stored: Stored, samples: int, kind: str, exact: bool) -> None:
    """Write blocks [channels, n] as they come. BrokenPipeError once nobody reads any more."""
    form, subtype = stored.form, stored.subtype or SUBTYPES[16]
    stream = SampleStream(form.sample_rate, form.channels, subtype, exact)
    out = sys.stdout.buffer
    try:
        if kind == WAV:
            out.write(wav_head(form.sample_rate, form.channels, subtype, samples))
        for block in blocks:
            out.write(stream.push(block))
            out.flush()
    except BrokenPipeError:
        forget_standard()
        raise


def forget_standard() -> None:
    """Nobody reads standard output any more: what Python still holds for it goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
