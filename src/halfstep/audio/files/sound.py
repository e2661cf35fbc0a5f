"""Sound in memory: what is made of an array, what a file gets of it, and what a notebook plays."""

import base64
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from halfstep.arrays import Float, Shaped
from halfstep.audio.downmix import mixed
from halfstep.audio.files.depth import kept_subtype
from halfstep.audio.files.writing import encoding_for, write
from halfstep.audio.resampling import resampled
from halfstep.errors import InputError
from halfstep.fields import is_whole

LOWEST_RATE, HIGHEST_RATE = 1000, 768_000


MOST_CHANNELS = 64


MOST_PLAIN_BYTES = 1 << 21
"""Of samples; a notebook holds a longer piece as MP3: ten minutes are 6 MB, not 70."""


MP3_RATE = 44_100


MOST_SHOWN_SECONDS = 600.0


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory: samples [channels, n] float32 in [-1, 1]. A notebook plays it, numpy reads it (`np.asarray`).

    Made of an array [channels, n], or [n] of one channel, by this rule: float32 and float64 stay as they are (1 is full
    scale), other floats become one of these; signed integers of b = 8, 16 or 32 bits are divided by 2^(b - 1), unsigned
    bytes have 128 taken away and are divided by 128, as in WAV files. InputError for any other array (what 64 bits mean
    nobody can say), and for a sample_rate that is no whole number of Hz from LOWEST_RATE to HIGHEST_RATE.
    """

    samples: Shaped[np.ndarray, "..."]
    sample_rate: int
    subtype: str | None = None
    """How finely the recording stored them, by libsndfile's name; None says nothing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "samples", _as_samples(self.samples))
        rate: object = self.sample_rate
        if not is_whole(rate) or not LOWEST_RATE <= self.sample_rate <= HIGHEST_RATE:
            raise InputError(
                f"sample_rate is {rate!r}: a whole number from {LOWEST_RATE} to {HIGHEST_RATE} was expected"
            )
        object.__setattr__(self, "sample_rate", int(self.sample_rate))

    @property
    def seconds(self) -> float:
        return self.samples.shape[1] / self.sample_rate

    def __array__(
        self, dtype: "np.typing.DTypeLike | None" = None, copy: bool | None = None
    ) -> Shaped[np.ndarray, "..."]:
        """The samples [channels, n]; the very ones unless another type or a copy is asked for."""
        return np.array(self.samples, dtype, copy=copy)

    def save(
        self,
        file: str | Path | BinaryIO,
        metadata: dict[str, str] | None = None,
        loop: bool = False,
        format: str | None = None,
    ) -> None:
        """Write .wav, .flac, .ogg or .mp3; with loop points if it is a `loop`. For errors see `write`.

        What a recording stored is stored as it was, where the format can. file: a path, or a file open for writing
        bytes; that one gets `format`, wav unless another is named.
        """
        if not isinstance(file, str | Path):
            file.write(self._encoded(f".{(format or 'wav').removeprefix('.')}", metadata, loop))
            return
        path = Path(file)
        if format is not None:
            raise InputError(f"format is {format}: the ending of a path says it already; leave it out")
        subtype = kept_subtype(encoding_for(path).format, self.subtype)
        exact = self.subtype is not None
        write(path, [self.samples], self.sample_rate, metadata or {}, subtype, loop=loop, exact=exact)

    def _encoded(self, ending: str, metadata: dict[str, str] | None = None, loop: bool = False) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"sound{ending}"
            self.save(path, metadata, loop)
            return path.read_bytes()

    def _repr_html_(self) -> str:
        shown = Audio(np.clip(self.samples[:, : round(MOST_SHOWN_SECONDS * self.sample_rate)], -1, 1), self.sample_rate)
        kind, ending = ("wav", ".wav") if shown.samples.nbytes <= MOST_PLAIN_BYTES else ("mpeg", ".mp3")
        if ending == ".mp3":
            channels = shown.samples if len(shown.samples) <= 2 else mixed(shown.samples)
            at_mp3 = np.concatenate(list(resampled([channels], self.sample_rate, MP3_RATE)), axis=1)
            shown = Audio(np.clip(at_mp3, -1, 1), MP3_RATE)
        data = base64.b64encode(shown._encoded(ending)).decode("ascii")
        rest = (
            f"<br>the first {MOST_SHOWN_SECONDS:g} of {self.seconds:.1f} s" if self.seconds > MOST_SHOWN_SECONDS else ""
        )
        return f'<audio controls src="data:audio/{kind};base64,{data}"></audio>{rest}'


def _as_samples(samples: object) -> Float[np.ndarray, "..."]:
    """What a caller has as sound, as float32 [channels, n]; the same array where it is that already."""
    array = np.asarray(samples)
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) > MOST_CHANNELS:
        raise InputError(
            f"samples is of shape {array.shape}: [channels, n] or [n] was expected, {MOST_CHANNELS} channels at most"
        )
    if array.dtype == np.uint8:  # as in a WAV of 8 bits, 128 is silence
        return np.asarray((array.astype(np.float32) - 128) / 128, np.float32)
    if np.issubdtype(array.dtype, np.signedinteger) and array.dtype.itemsize <= 4:
        return np.asarray(array / (np.iinfo(array.dtype).max + 1.0), np.float32)
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            f"samples is of {array.dtype}: floats in [-1, 1], or signed integers of 8, 16 or 32 bits, were expected"
        )
    # float64 stays: it is what keeps every bit of a recording of 32
    return cast(
        Float[np.ndarray, "..."], array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64, copy=False)
    )
