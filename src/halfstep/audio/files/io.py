"""Sound files, read in blocks at any wanted rate; what they contain decides how, not their name.

A waveform is [channels, samples], float32 in [-1, 1].
"""

import base64
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
import soundfile
import soxr

from halfstep.arrays import Float, Shaped
from halfstep.audio.downmix import mix_weights, with_channels
from halfstep.audio.files.aac import HEAD_BYTES, NEEDED, AacRecording, container_of
from halfstep.audio.files.depth import BITS, FLOATING, WIDE, kept_subtype
from halfstep.audio.files.file_part import FilePart, PartFile
from halfstep.audio.files.info import AudioInfo, span_of
from halfstep.audio.files.parts import parts_of
from halfstep.audio.files.raw import RawFile
from halfstep.audio.files.writing import encoding_for, write
from halfstep.errors import InputError
from halfstep.fields import is_whole, open_regular

__all__ = ["Audio", "AudioInfo", "encoding_for", "read", "read_blocks", "read_info", "write"]


BLOCK_SAMPLES = 1 << 20  # of all channels together: 4 MiB, so that 1024 channels cost no more than one
LOWEST_RATE, HIGHEST_RATE = 1000, 768_000
LARGEST_SAMPLE = 1e10
"""200 dB above full scale: integers of 32 bits that were stored as floats are below, and squares of all are numbers."""
MOST_CHANNELS = 64
MOST_FRAMES_A_BYTE = 8192  # digital silence in FLAC has 4700
NO_SUCH_FILE = 7  # libsndfile's number
MOST_PLAIN_BYTES = 1 << 21
"""Of samples; a notebook holds a longer piece as MP3: ten minutes are 6 MB, not 70."""
MP3_RATE = 44_100
MOST_SHOWN_SECONDS = 600.0
READABLE = "WAV, FLAC, OGG Vorbis, Opus, MP3 or AIFF (and AAC with the extra aac)"


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


class Recording:
    """An open sound file, by its content alone: libsndfile is told no name to guess from.

    What holds several streams one after the other is one recording, at the rate and with the channels of the first.
    `notes` says what is odd about it.
    """

    def __init__(self, file: BinaryIO) -> None:
        """Raises soundfile.LibsndfileError if it is no sound."""
        parts, self.notes = parts_of(file)
        self._file = file
        self._parts: list[tuple[FilePart, AudioInfo]] = []
        for part in parts:
            try:
                with self._opened(part) as sound:
                    self._parts.append((part, info_of(sound)))
            except soundfile.LibsndfileError:
                if not self._parts:
                    raise
        lost = len(parts) - len(self._parts)
        if lost:
            self.notes = [f"{len(parts)} streams one after the other, {lost} of them no sound that is read"]
        first = self._parts[0][1]
        frames = [round(info.frames_declared * first.sample_rate / info.sample_rate) for _, info in self._parts]
        self.info = replace(first, frames_declared=sum(frames))

    @property
    def tags(self) -> dict[str, str]:
        """What the file says of itself by the names that libsndfile has: title, artist, genre, ..."""
        with self._opened(self._parts[0][0]) as sound:
            return sound.copy_metadata()

    def decoded(self, mono: bool, block_seconds: float, exact: bool = False) -> Iterator[Float[np.ndarray, "..."]]:
        """Blocks [channels, n] at its own rate; mono is their mix, exact as in `decoded`.

        Raises soundfile.LibsndfileError where the file breaks off, once all before that was given out.
        """
        for part, info in self._parts:
            with self._opened(part) as sound:
                blocks = decoded(sound, mono, block_seconds, exact)
                if not mono:
                    blocks = (with_channels(block, self.info.channels) for block in blocks)
                yield from resampled(blocks, info.sample_rate, self.info.sample_rate)

    def span(self, start: int, count: int) -> Float[np.ndarray, "..."]:
        """Samples `start` to `start + count` [channels, n] at its own rate; fewer where the file ends before."""
        if len(self._parts) == 1:
            with self._opened(self._parts[0][0]) as sound:
                sound.seek(min(start, sound.frames))
                return np.ascontiguousarray(
                    cast(Float[np.ndarray, "..."], sound.read(count, dtype="float32", always_2d=True)).T
                )
        return span_of(self.decoded(mono=False, block_seconds=10.0), self.info.channels, start, count)

    @contextmanager
    def _opened(self, part: FilePart) -> Generator[soundfile.SoundFile, None, None]:
        raw = RawFile(cast(BinaryIO, PartFile(self._file, part)))
        try:
            with soundfile.SoundFile(cast(BinaryIO, raw)) as sound:
                yield sound
        finally:
            raw.check()


@contextmanager
def open_sound(path: Path) -> Generator[Recording | AacRecording, None, None]:
    """The sound in a file. Raises soundfile.LibsndfileError if it is none, OSError if it cannot be read, InputError for
    what is no regular file.
    """
    with open_regular(path) as file:
        container = container_of(file.read(HEAD_BYTES))
        if container is None:
            yield Recording(file)
            return
        try:
            recording = AacRecording(file, container)
        except ModuleNotFoundError:
            raise OSError(None, NEEDED) from None
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        yield recording


def out_of_bounds(info: AudioInfo) -> str | None:
    """Why a recording that says this of itself is not read; None for one that is."""
    if not LOWEST_RATE <= info.sample_rate <= HIGHEST_RATE:
        return f"a sample rate of {info.sample_rate} Hz; {LOWEST_RATE} to {HIGHEST_RATE} are read"
    if info.channels > MOST_CHANNELS:
        return f"{info.channels} channels; up to {MOST_CHANNELS} are read"
    return None


@contextmanager
def _as_input(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: not readable as sound ({complaint(error)}); give {READABLE}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a readable sound file") from error


def complaint(error: soundfile.LibsndfileError) -> str:
    """What libsndfile says in few words; of some broken headers it says that the file does not exist."""
    said = error.error_string.strip().removeprefix("Error : ").rstrip(".")
    return "broken" if error.code == NO_SUCH_FILE or not said else said


def info_of(sound: soundfile.SoundFile) -> AudioInfo:
    return AudioInfo(sound.format, sound.subtype, sound.samplerate, sound.channels, sound.frames)


def decoded(
    sound: soundfile.SoundFile, mono: bool, block_seconds: float, exact: bool = False
) -> Generator[Float[np.ndarray, "..."], None, None]:
    """Blocks [channels, n] of an open sound at its own rate; mono is their mix (`audio/downmix.py`). exact: float64
    where float32 would lose bits.

    Raises soundfile.LibsndfileError where the file breaks off, once all before that was given out.
    """
    frames = max(1, min(round(block_seconds * sound.samplerate), BLOCK_SAMPLES // sound.channels))
    weights = mix_weights(sound.channels).astype(np.float32)
    for block in _read_until_broken(sound, frames, "float64" if exact and sound.subtype in WIDE else "float32"):
        yield _mixed(block, weights) if mono else np.ascontiguousarray(block.T)


def _read_until_broken(
    sound: soundfile.SoundFile, frames: int, kind: Literal["float32", "float64"]
) -> Iterator[Float[np.ndarray, "..."]]:
    """Blocks [n, channels]; of the one in which an error is met, what was decoded before it."""
    while True:
        room = np.full((frames, sound.channels), np.nan, kind)
        try:
            block = cast(np.ndarray, sound.read(dtype=kind, always_2d=True, out=room))
        except soundfile.LibsndfileError:
            yield room[: _filled(room)]
            raise
        if not len(block):
            return
        yield block


def _filled(room: Float[np.ndarray, "samples channels"]) -> int:
    """Rows up to the last that is not all NaN; after an error libsndfile does not say how far it came."""
    filled = np.flatnonzero(~np.isnan(room).all(axis=1))
    return int(filled[-1]) + 1 if len(filled) else 0


def mixed(block: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Channels [channels, n] to one [1, n]: their mix (`audio/downmix.py`)."""
    return _mixed(block.T, mix_weights(len(block)).astype(np.float32))


def _mixed(block: Float[np.ndarray, "..."], weights: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """[n, channels] -> [1, n]. numpy's own mean over so short an axis takes 25 times as long as a product."""
    with np.errstate(invalid="ignore", over="ignore"):  # infinite samples: whoever asked finds them in what comes out
        return (block @ weights)[None]


def resampled(
    blocks: Iterable[Float[np.ndarray, "channels samples"]], from_rate: int, to_rate: int
) -> Iterator[Float[np.ndarray, "channels samples"]]:
    """The same sound at another rate, block by block."""
    if from_rate == to_rate:
        yield from blocks
        return
    resampler, channels = None, 1
    for block in blocks:
        channels = len(block)
        if resampler is None:
            resampler = soxr.ResampleStream(from_rate, to_rate, channels, dtype="float32")
        yield resampler.resample_chunk(np.ascontiguousarray(block.T)).reshape(-1, channels).T
    if resampler is not None:
        nothing = np.zeros((0, channels), np.float32)
        yield resampler.resample_chunk(nothing, last=True).reshape(-1, channels).T


def finite(
    blocks: Iterable[Float[np.ndarray, "..."]], name: str, sample_rate: int
) -> Iterator[Float[np.ndarray, "..."]]:
    """The same blocks [channels, n]. InputError naming the recording, and the place, where a sample is no number, or
    beyond what can be computed with.
    """
    done = 0
    for block in blocks:
        bad = np.flatnonzero(~(np.abs(block) <= LARGEST_SAMPLE).all(axis=0))
        if len(bad):
            seconds, numbers = (done + int(bad[0])) / sample_rate, np.isfinite(block[:, bad[0]]).all()
            what = f"more than {LARGEST_SAMPLE:g} times full scale" if numbers else "NaN or infinite"
            raise InputError(f"{name}: a sample at {seconds:.3f} s is {what}; repair the recording")
        done += block.shape[1]
        yield block


def read_info(path: Path) -> AudioInfo:
    """Format, rate, channels and declared length, from the header. InputError if it is no sound file."""
    with _as_input(path), _readable(path) as sound:
        return sound.info


def read_blocks(
    path: Path, sample_rate: int | None = None, mono: bool = True, block_seconds: float = 10.0, exact: bool = False
) -> Iterator[Float[np.ndarray, "..."]]:
    """Blocks [channels, n] of the file at `sample_rate` (its own if None), in constant memory. exact: as `decoded`.

    InputError if the file is no sound, breaks off, or holds a sample that is NaN or infinite.
    """
    with _as_input(path), _readable(path) as sound:
        rate = sound.info.sample_rate
        blocks = finite(sound.decoded(mono, block_seconds, exact), str(path), rate)
        yield from resampled(blocks, rate, sample_rate or rate)


@contextmanager
def _readable(path: Path) -> Generator[Recording | AacRecording, None, None]:
    """The sound in a file whose header can be true. InputError for another."""
    size = path.stat().st_size
    with open_sound(path) as sound:
        reason = out_of_bounds(sound.info)
        if reason is None and sound.info.frames_declared > size * MOST_FRAMES_A_BYTE:
            reason = f"declares {sound.info.frames_declared} samples in {size} bytes: its header is broken"
        if reason is not None:
            raise InputError(f"{path}: {reason}; give another file, or convert it first")
        yield sound


def read(path: Path, sample_rate: int | None = None, mono: bool = False) -> Audio:
    """The whole file. InputError if it is no sound file or holds no samples."""
    info = read_info(path)
    blocks = list(read_blocks(path, sample_rate, mono))
    if not blocks:
        raise InputError(f"{path}: holds no samples; give a file with sound in it")
    plain = info.subtype if info.subtype in (*BITS, *FLOATING) else None
    return Audio(np.concatenate(blocks, axis=1), sample_rate or info.sample_rate, plain)
