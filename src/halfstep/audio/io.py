"""Sound files: read in blocks at any wanted rate, written whole or not at all.

A waveform is [channels, samples], float32 in [-1, 1]. What a file contains decides how it is read, not its name.
"""

import base64
import errno
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from halfstep.atomic import replacing
from halfstep.audio import ogg
from halfstep.audio.raw import RawFile
from halfstep.errors import InputError

Float32 = NDArray[np.float32]

BLOCK_SAMPLES = 1 << 20  # of all channels together: 4 MiB, so that 1024 channels cost no more than one
WRITTEN_AT_ONCE = 1 << 16  # samples a channel: libsndfile's Vorbis encoder overflows its stack on long blocks
READABLE = "WAV, FLAC, OGG Vorbis, Opus, MP3 or AIFF"


@dataclass(frozen=True)
class AudioInfo:
    """What a sound file says about itself."""

    format: str
    subtype: str
    sample_rate: int
    channels: int
    frames_declared: int


@dataclass(frozen=True, eq=False)
class Audio:
    """Sound in memory: samples [channels, n] float32. A notebook plays it."""

    samples: Float32
    sample_rate: int

    @property
    def seconds(self) -> float:
        return self.samples.shape[1] / self.sample_rate

    def save(self, path: str | Path, metadata: dict[str, str] | None = None) -> None:
        """Write .wav, .flac, .ogg or .mp3. InputError for another extension, ValueError for samples beyond 1."""
        write(Path(path), [self.samples], self.sample_rate, metadata or {})

    def _repr_html_(self) -> str:
        wav = io.BytesIO()
        soundfile.write(wav, self.samples.T, self.sample_rate, subtype="PCM_16", format="WAV")
        data = base64.b64encode(wav.getvalue()).decode("ascii")
        return f'<audio controls src="data:audio/wav;base64,{data}"></audio>'


@contextmanager
def open_sound(path: Path) -> Iterator[soundfile.SoundFile]:
    """The sound in a file, by its content alone: libsndfile is told no name to guess from.

    Raises soundfile.LibsndfileError if it is no sound, OSError if it cannot be read.
    """
    with open(path, "rb") as file:
        raw = RawFile(file)
        try:
            with soundfile.SoundFile(raw) as sound:
                yield sound
        finally:
            raw.check()


@contextmanager
def _as_input(path: Path) -> Iterator[None]:
    try:
        yield
    except soundfile.LibsndfileError as error:
        raise InputError(f"{path}: not readable as sound ({error.error_string}); give {READABLE}") from error
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; give a readable sound file") from error


def info_of(sound: soundfile.SoundFile) -> AudioInfo:
    return AudioInfo(sound.format, sound.subtype, sound.samplerate, sound.channels, sound.frames)


def decoded(sound: soundfile.SoundFile, mono: bool, block_seconds: float) -> Iterator[Float32]:
    """Blocks [channels, n] of an open sound at its own rate; mono is the mean of the channels.

    Raises soundfile.LibsndfileError where the file breaks off.
    """
    frames = max(1, min(round(block_seconds * sound.samplerate), BLOCK_SAMPLES // sound.channels))
    even = np.full(sound.channels, 1 / sound.channels, np.float32)
    while len(block := sound.read(frames, dtype="float32", always_2d=True)):
        yield _mean(block, even) if mono else np.ascontiguousarray(block.T)


def _mean(block: Float32, even: Float32) -> Float32:
    """[n, channels] -> [1, n]. numpy's own mean over so short an axis takes 25 times as long as this product."""
    with np.errstate(invalid="ignore"):  # infinite samples: whoever asked finds them in what comes out
        return (block @ even)[None]


def resampled(blocks: Iterable[Float32], from_rate: int, to_rate: int) -> Iterator[Float32]:
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


def read_info(path: Path) -> AudioInfo:
    """Format, rate, channels and declared length, from the header. InputError if it is no sound file."""
    with _as_input(path), open_sound(path) as sound:
        return info_of(sound)


def read_blocks(
    path: Path, sample_rate: int | None = None, mono: bool = True, block_seconds: float = 10.0
) -> Iterator[Float32]:
    """Blocks [channels, n] of the file at `sample_rate` (its own if None), in constant memory.

    InputError if the file is no sound, or breaks off.
    """
    with _as_input(path), open_sound(path) as sound:
        blocks = decoded(sound, mono, block_seconds)
        yield from resampled(blocks, sound.samplerate, sample_rate or sound.samplerate)


def read(path: Path, sample_rate: int | None = None, mono: bool = False) -> Audio:
    """The whole file. InputError if it is no sound file or holds no samples."""
    info = read_info(path)
    blocks = list(read_blocks(path, sample_rate, mono))
    if not blocks:
        raise InputError(f"{path}: holds no samples; give a file with sound in it")
    return Audio(np.concatenate(blocks, axis=1), sample_rate or info.sample_rate)


@dataclass(frozen=True, kw_only=True)
class _Encoding:
    format: str
    subtype: str
    compression: float | None = None
    """libsndfile's scale: 0 is the best quality of a lossy format, 1 the smallest file."""


ENCODINGS = {
    ".wav": _Encoding(format="WAV", subtype="PCM_16"),
    ".flac": _Encoding(format="FLAC", subtype="PCM_16"),
    ".ogg": _Encoding(format="OGG", subtype="VORBIS", compression=0.3),
    ".mp3": _Encoding(format="MP3", subtype="MPEG_LAYER_III", compression=0.2),
}
METADATA_KEYS = frozenset({"title", "artist", "album", "comment", "copyright", "license", "software", "genre"})


def encoding_for(path: Path) -> _Encoding:
    """InputError for an extension that we do not write."""
    try:
        return ENCODINGS[path.suffix.lower()]
    except KeyError:
        raise InputError(f"{path}: cannot write {path.suffix or 'a file without extension'}; "
                         f"use {', '.join(ENCODINGS)}") from None


def write(
    path: Path,
    blocks: Iterable[Float32],
    sample_rate: int,
    metadata: dict[str, str],
    subtype: str | None = None,
    seconds: float | None = None,
) -> None:
    """Write blocks [channels, n] as the file its extension says; the bytes follow from the arguments alone.

    Args:
        subtype: "PCM_24" instead of 16 bits, for .wav and .flac.
        seconds: the length expected; only says how much is missing when the disk is full.

    Raises:
        InputError: an extension we do not write.
        ValueError: samples beyond full scale (bring them down first), unknown metadata, no block at all.
        OSError: the disk is full, or it cannot be written there; an older file stays as it was.
    """
    encoding = encoding_for(path)
    if unknown := metadata.keys() - METADATA_KEYS:
        raise ValueError(f"metadata {sorted(unknown)}, expected some of {sorted(METADATA_KEYS)}")
    with replacing(path) as partial:
        try:
            _encode(partial, blocks, sample_rate, metadata, encoding, subtype or encoding.subtype)
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _disk_full(path, partial, sample_rate, seconds) from error
            raise


def _encode(
    path: Path,
    blocks: Iterable[Float32],
    sample_rate: int,
    metadata: dict[str, str],
    encoding: _Encoding,
    subtype: str,
) -> None:
    rest = iter(blocks)
    first = next(rest, None)
    if first is None:
        raise ValueError("no blocks, expected at least one")
    with open(path, "w+b") as file:
        raw = RawFile(file)
        settings = (sample_rate, len(first), subtype, None, encoding.format, True, encoding.compression)
        try:
            with soundfile.SoundFile(raw, "w", *settings) as sound:
                for key, text in sorted(metadata.items()):
                    setattr(sound, key, text)
                _write_block(sound, first)
                for block in rest:
                    _write_block(sound, block)
        finally:
            raw.check()  # what libsndfile makes of a full disk says nothing, or nothing useful
    if encoding.format == "OGG":
        ogg.fix_serial(path)


def _write_block(sound: soundfile.SoundFile, block: Float32) -> None:
    peak = float(np.abs(block).max(initial=0))
    assert np.isfinite(peak), "NaN or infinite samples are our own mistake"
    if peak > 1:
        raise ValueError(f"a sample of {peak:.4g}, expected -1 to 1")
    for start in range(0, block.shape[1], WRITTEN_AT_ONCE):
        sound.write(np.ascontiguousarray(block[:, start : start + WRITTEN_AT_ONCE].T))


def _disk_full(path: Path, partial: Path, sample_rate: int, seconds: float | None) -> OSError:
    written = partial.stat().st_size
    per_second = 2 * sample_rate
    needed = f"{round(per_second * seconds) - written} bytes more are" if seconds else f"{per_second} bytes a second are"
    return OSError(errno.ENOSPC, f"No space left on device: about {needed} needed", str(path))
