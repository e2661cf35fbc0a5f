"""Recordings as they are: at their own rate, with their own channels, every sample as it was read."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from halfstep.arrays import Float
from halfstep.audio.downmix import with_channels
from halfstep.audio.files.depth import BITS, FLOATING, finest
from halfstep.audio.files.io import Audio, finite, read_blocks, read_info
from halfstep.audio.resampling import resampled
from halfstep.errors import InputError
from halfstep.generation.render import first_samples, without_first

AT_ONCE = 1 << 18
"""Samples of a block, of a recording in memory."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """What sound is stored as. subtype: how finely, by libsndfile's name; None says nothing."""

    sample_rate: int
    channels: int
    subtype: str | None = None


class Take:
    """A recording, or a part of one: blocks [channels, n] of finite samples, float64 where float32 would lose bits."""

    def __init__(
        self, recording: Audio | str | Path, begin: int = 0, end: int | None = None, form: Form | None = None
    ) -> None:
        """Samples `begin` to `end`, counted in those of `form`, the recording's own where it is None.

        InputError if it cannot be read, or has no samples.
        """
        self.recording, self.begin, self.end = recording, begin, end
        if isinstance(recording, Audio):
            self.name, self.samples_declared = "the recording", recording.samples.shape[1]
            own = Form(sample_rate=recording.sample_rate, channels=len(recording.samples), subtype=recording.subtype)
        else:
            info = read_info(Path(recording))
            self.name, self.samples_declared = str(recording), info.frames_declared
            plain = info.subtype if info.subtype in (*BITS, *FLOATING) else None
            own = Form(sample_rate=info.sample_rate, channels=info.channels, subtype=plain)
        if not self.samples_declared:
            raise InputError(f"{self.name}: holds no samples; give a file with sound in it")
        self.own = own
        self.form = form or own
        self.samples_declared = round(self.samples_declared * self.form.sample_rate / own.sample_rate)

    @property
    def seconds(self) -> float:
        """Of the whole recording, as it declares."""
        return self.samples_declared / self.form.sample_rate

    def part(self, begin: int, end: int | None) -> "Take":
        return Take(self.recording, begin, end, self.form)

    def formed(self, form: Form) -> "Take":
        """The same at another rate, with other channels."""
        return Take(self.recording, self.begin, self.end, form)

    def blocks(self) -> Iterator[Float[np.ndarray, "channels samples"]]:
        """From the beginning, each time. InputError where a sample is NaN or infinite, or the file breaks off."""
        alike = (with_channels(block, self.form.channels) for block in self._read())
        whole = resampled(alike, self.own.sample_rate, self.form.sample_rate)
        after = without_first(whole, self.begin)
        return after if self.end is None else first_samples(after, self.end - self.begin)

    def _read(self) -> Iterator[Float[np.ndarray, "channels samples"]]:
        if isinstance(self.recording, Audio):
            samples = self.recording.samples
            parts = (samples[:, start : start + AT_ONCE] for start in range(0, samples.shape[1], AT_ONCE))
            return finite(parts, self.name, self.own.sample_rate)
        return read_blocks(Path(self.recording), mono=False, exact=True)


def form_of(takes: list[Take]) -> Form:
    """Rate and channels of the first; as fine as the finest of those that keep their samples."""
    first = takes[0].own
    alike = [
        take.own.subtype for take in takes
        if (take.own.sample_rate, take.own.channels) == (first.sample_rate, first.channels)
    ]  # fmt: skip
    return Form(sample_rate=first.sample_rate, channels=first.channels, subtype=finest(alike))
