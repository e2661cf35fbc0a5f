"""Sound files, read in blocks at any wanted rate; what they contain decides how, not their name.

A waveform is [channels, samples], float32 in [-1, 1].
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Literal, cast

import numpy as np
import soundfile

from halfstep.arrays import Float
from halfstep.audio.downmix import mix_of, mix_weights, with_channels
from halfstep.audio.files.aac import HEAD_BYTES, NEEDED, AacRecording, container_of
from halfstep.audio.files.depth import BITS, FLOATING, WIDE
from halfstep.audio.files.file_part import FilePart, PartFile
from halfstep.audio.files.info import AudioInfo, span_of
from halfstep.audio.files.parts import parts_of
from halfstep.audio.files.raw import RawFile
from halfstep.audio.files.sound import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, Audio
from halfstep.audio.files.writing import encoding_for, write
from halfstep.audio.resampling import resampled
from halfstep.errors import InputError
from halfstep.fields import open_regular

__all__ = ["Audio", "AudioInfo", "encoding_for", "read", "read_blocks", "read_info", "write"]

BLOCK_SAMPLES = 1 << 20  # of all channels together: 4 MiB, so that 1024 channels cost no more than one
LARGEST_SAMPLE = 1e10
"""200 dB above full scale: integers of 32 bits that were stored as floats are below, and squares of all are numbers."""
MOST_FRAMES_A_BYTE = 8192  # digital silence in FLAC has 4700
NO_SUCH_FILE = 7  # libsndfile's number
READABLE = "WAV, FLAC, OGG Vorbis, Opus, MP3 or AIFF (and AAC with the extra aac)"


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
        yield mix_of(block, weights) if mono else np.ascontiguousarray(block.T)


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
