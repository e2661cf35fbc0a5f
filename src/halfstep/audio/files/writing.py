"""Sound files, written whole or not at all; their bytes follow from the sound and the metadata alone."""

import errno
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
import soundfile

from halfstep.arrays import Float
from halfstep.atomic import FULL, replacing
from halfstep.audio.files import ogg
from halfstep.audio.files.depth import FLOATING, quantised
from halfstep.audio.files.loop_points import add_loop_points
from halfstep.audio.files.raw import RawFile
from halfstep.errors import InputError

WRITTEN_AT_ONCE = 1 << 16
"""Samples a channel: libsndfile's Vorbis encoder overflows its stack on long blocks."""


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """How libsndfile is told to write a file of this extension."""

    format: str
    subtype: str
    compression: float | None = None
    """libsndfile's scale: 0 is the best quality of a lossy format, 1 the smallest file."""


ENCODINGS = {
    ".wav": Encoding(format="WAV", subtype="PCM_16"),
    ".flac": Encoding(format="FLAC", subtype="PCM_16"),
    ".ogg": Encoding(format="OGG", subtype="VORBIS", compression=0.3),
    ".mp3": Encoding(format="MP3", subtype="MPEG_LAYER_III", compression=0.2),
}
LOOPING = "use .wav, .flac or .ogg"
METADATA_KEYS = frozenset({"title", "artist", "album", "comment", "copyright", "license", "software", "genre"})


def encoding_for(path: Path) -> Encoding:
    """InputError for an extension that we do not write."""
    try:
        return ENCODINGS[path.suffix.lower()]
    except KeyError:
        wrong = path.suffix or "a file without extension"
        raise InputError(f"{path}: cannot write {wrong}; use {', '.join(ENCODINGS)}") from None


def write(
    path: Path,
    blocks: Iterable[Float[np.ndarray, "channels samples"]],
    sample_rate: int,
    metadata: dict[str, str],
    subtype: str | None = None,
    seconds: float | None = None,
    loop: bool = False,
    exact: bool = False,
) -> None:
    """Write blocks [channels, n] as the file its extension says; the bytes follow from the arguments alone.

    Args:
        subtype: another than 16 bits, for .wav and .flac.
        seconds: the length expected; only says how much is missing when the disk is full.
        loop: the file is one period of what repeats; WAV and FLAC can say so.
        exact: samples of a recording, which are stored again as they were read.

    Raises:
        InputError: an extension we do not write.
        ValueError: samples beyond full scale (bring them down first), unknown metadata, no block at all.
        OSError: the disk is full, or it cannot be written there; an older file stays as it was.
    """
    encoding = encoding_for(path)
    if loop and encoding.format == "MP3":
        raise InputError(f"{path}: an MP3 begins and ends with silence of its own, and loops badly; {LOOPING}")
    if unknown := metadata.keys() - METADATA_KEYS:
        raise ValueError(f"metadata {sorted(unknown)}, expected some of {sorted(METADATA_KEYS)}")
    with replacing(path) as partial:
        try:
            frames = _encode(partial, blocks, sample_rate, metadata, encoding, subtype or encoding.subtype, exact)
            if loop:
                add_loop_points(partial, encoding.format, sample_rate, frames)
        except OSError as error:
            if error.errno in FULL:
                raise _disk_full(path, partial, sample_rate, seconds) from error
            raise


def _encode(
    path: Path,
    blocks: Iterable[Float[np.ndarray, "channels samples"]],
    sample_rate: int,
    metadata: dict[str, str],
    encoding: Encoding,
    subtype: str,
    exact: bool,
) -> int:
    """How many samples of each channel were written."""
    rest = iter(blocks)
    first = next(rest, None)
    if first is None:
        raise ValueError("no blocks, expected at least one")
    with path.open("w+b") as file:
        raw = RawFile(file)
        settings = (sample_rate, len(first), subtype, None, encoding.format, True, encoding.compression)
        try:
            with soundfile.SoundFile(cast(BinaryIO, raw), "w", *settings) as sound:
                for key, text in sorted(metadata.items()):
                    setattr(sound, key, text)
                write_samples(sound, first, exact)
                for block in rest:
                    write_samples(sound, block, exact)
                frames = sound.frames
        finally:
            raw.check()  # what libsndfile makes of a full disk says nothing, or nothing useful
    if encoding.format == "OGG":
        ogg.fix_serial(path)
    if encoding.format == "WAV" and subtype in FLOATING:
        _forget_when(path)
    return frames


def _forget_when(path: Path) -> None:
    """Libsndfile notes in the chunk PEAK of floats when they were written: the bytes follow from the sound alone."""
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        place = 12  # after RIFF, the size, WAVE
        while place + 16 <= size:
            file.seek(place)
            name, length = struct.unpack("<4sI", file.read(8))
            if name == b"PEAK":
                file.seek(place + 12)  # its version first
                file.write(bytes(4))
            place += 8 + length + length % 2


def write_samples(sound: soundfile.SoundFile, block: Float[np.ndarray, "..."], exact: bool) -> None:
    """A block [channels, n]; `exact` as for `write`. ValueError beyond full scale, where floats are not stored."""
    peak = float(np.abs(block).max(initial=0))
    if not (peak <= 1 or (np.isfinite(peak) and sound.subtype in FLOATING)):
        raise ValueError(f"a sample of {peak:.4g}, expected -1 to 1")
    for start in range(0, block.shape[1], WRITTEN_AT_ONCE):
        part = np.ascontiguousarray(block[:, start : start + WRITTEN_AT_ONCE].T)
        sound.write(quantised(part, sound.subtype) if exact else part)


def _disk_full(path: Path, partial: Path, sample_rate: int, seconds: float | None) -> OSError:
    written = partial.stat().st_size
    per_second = 2 * sample_rate
    missing = f"{round(per_second * seconds) - written} bytes more" if seconds else f"{per_second} bytes a second"
    return OSError(errno.ENOSPC, f"No space left on device: about {missing} needed", str(path))
