"""How the file OUT stores what is made for a recording: as that was stored, or else as near, and said."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from halfstep.audio.files.depth import BITS, FLOATING, kept_subtype
from halfstep.audio.files.io import encoding_for
from halfstep.errors import InputError
from halfstep.generation.continuation import Samples
from halfstep.generation.takes import Form

MOST_CHANNELS = {".mp3": 2}
USUAL_MOST_CHANNELS = 8
RATES = {".mp3": (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)}
HIGHEST_RATE = {".ogg": 192_000, ".flac": 655_350}
FLOAT_BITS = {"FLOAT": 32, "DOUBLE": 64}
SUBTYPES = {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}
"""What --bit-depth stores; 32 are floats, which hold more than full scale."""
DEPTHS = {".wav": (16, 24, 32), ".flac": (16, 24)}


@dataclass(frozen=True, kw_only=True)
class Stored:
    """form: what comes. subtype: how OUT stores it; None is its format's usual way."""

    form: Form
    subtype: str | None

    @property
    def bits(self) -> int:
        """Of a sample; 16 where the format has a way of its own."""
        return {**BITS, **FLOAT_BITS}.get(self.subtype or "", 16)

    @property
    def floating(self) -> bool:
        """Whether it holds more than full scale."""
        return self.subtype in FLOATING

    @property
    def said(self) -> str:
        """Rate, channels and bits; and what the recording had, if that was finer."""
        channels = {1: "mono", 2: "stereo"}.get(self.form.channels, f"{self.form.channels} channels")
        given = self.form.subtype
        bits = f"{self.bits} bit" if self.subtype else "its format's own depth"
        was = f" (the recording: {given})" if given and self.subtype and self.subtype[-2:] != given[-2:] else ""
        return f"{self.form.sample_rate} Hz, {channels}, {bits}{was}"


def storing(out: Path, form: Form, bits: int | None = None) -> Stored:
    """How `out` stores sound of this form, with so many bits if not the usual ones.

    InputError if its format has no room for such channels, or such a rate, or no such bits.
    """
    ending = out.suffix.lower()
    check_channels(out, form.channels, "the recording")
    rates = RATES.get(ending)
    if (rates and form.sample_rate not in rates) or form.sample_rate > HIGHEST_RATE.get(ending, form.sample_rate):
        raise InputError(
            f"{out}: {form.sample_rate} Hz is none of {ending}'s rates; use .wav or .flac, or another --sample-rate"
        )
    if bits is not None:
        if bits not in (depths := DEPTHS.get(ending, ())):
            among = f"give one of {', '.join(map(str, depths))}" if depths else "a format with a loss has none"
            raise InputError(f"--bit-depth {bits}: {ending} is not stored so; {among}")
        return Stored(form=form, subtype=SUBTYPES[bits])
    return Stored(form=form, subtype=kept_subtype(encoding_for(out).format, form.subtype))


def check_channels(out: Path, channels: int, whose: str) -> None:
    """InputError if OUT's format has no room for so many."""
    most = MOST_CHANNELS.get(out.suffix.lower(), USUAL_MOST_CHANNELS)
    if channels > most:
        raise InputError(f"{whose}: {channels} channels, {out.suffix} is written with {most} at most")


class BroughtDown:
    """The same blocks; where OUT holds no more than full scale, what is beyond is clipped to it, and counted."""

    def __init__(self, blocks: Iterable[Samples], stored: Stored) -> None:
        self._blocks, self._all = blocks, stored.floating
        self.samples, self._peak = 0, 1.0

    def __iter__(self) -> Iterator[Samples]:
        for block in self._blocks:
            peak = 0.0 if self._all else float(np.abs(block).max(initial=0))
            if peak > 1:
                self.samples += int(np.count_nonzero(np.abs(block) > 1))
                self._peak = max(self._peak, peak)
            yield np.clip(block, -1, 1) if peak > 1 else block

    @property
    def said(self) -> str:
        """Of what was clipped."""
        decibels = 20 * math.log10(self._peak)
        return (
            f"{self.samples} samples of the recording, or as loud beside it, are above full scale, by up to "
            f"{decibels:.1f} dB: clipped to it"
        )
