"""MP3 and Opus without an end: sound in, whole frames or pages out, which a listener may join anywhere; and WAV or bare
samples for a pipe.

libsndfile writes both as it goes; what it would put right at the end of a file is not needed by a stream.
"""

import struct
from collections.abc import Callable
from typing import BinaryIO, cast

import numpy as np
import soundfile
import soxr

from halfstep.arrays import Float, Float32
from halfstep.audio.files.depth import FLOATING
from halfstep.audio.files.mpeg import frame_bytes
from halfstep.audio.files.ogg import LONGEST_PAGE, page_bytes
from halfstep.audio.files.writing import WRITTEN_AT_ONCE, write_samples

OPUS_RATE = 48_000
OPUS_HEADER_PAGES = 2
COMPRESSION = {"MP3": 0.5, "OGG": 0.6}
"""libsndfile's scale: 160 kbit/s of MP3, at a constant rate, and about 100 of Opus."""


class _Sink:
    """A file for libsndfile that keeps nothing: bytes are taken away as they come, and it cannot go back."""

    def __init__(self) -> None:
        self._written: list[bytes] = []
        self._place = 0

    def write(self, data: memoryview) -> int:
        self._written.append(bytes(data))
        self._place += len(data)
        return len(data)

    def readinto(self, buffer: memoryview) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._place

    def tell(self) -> int:
        return self._place

    def taken(self) -> bytes:
        """What was written since the last call."""
        written, self._written = b"".join(self._written), []
        return written


class Mp3Stream:
    """Sound [channels, n] -> frames of MP3."""

    media_type = "audio/mpeg"
    head = b""
    """What every listener is sent first."""

    def __init__(self, sample_rate: int, channels: int) -> None:
        """ValueError for a rate that MP3 does not have."""
        self._sink = _Sink()
        self._first, self._waiting = True, b""
        self._sound = _opened(self._sink, sample_rate, channels, "MP3", "MPEG_LAYER_III", "CONSTANT")

    def push(self, samples: Float32[np.ndarray, "channels samples"]) -> bytes:
        """The frames that are whole by now; there may be none."""
        _write(self._sound, samples)
        frames, self._waiting = _cut(self._waiting + self._sink.taken(), frame_bytes)
        if self._first and frames:
            frames = frames[1:]  # room for the length of a file
            self._first = False
        return b"".join(frames)


class OpusStream:
    """Sound [channels, n] -> pages of Ogg with Opus in them, of a second each."""

    media_type = "audio/ogg"

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._sink = _Sink()
        self._resampler = (
            None if sample_rate == OPUS_RATE else soxr.ResampleStream(sample_rate, OPUS_RATE, channels, dtype="float32")
        )
        self._sound = _opened(self._sink, OPUS_RATE, channels, "OGG", "OPUS", None)
        self._waiting = b""
        self.head = b""
        """What every listener is sent first: the header pages. Empty until the first sound was pushed."""

    def push(self, samples: Float32[np.ndarray, "channels samples"]) -> bytes:
        """The pages that are whole by now; there may be none."""
        if self._resampler is not None:
            at_48k = self._resampler.resample_chunk(np.ascontiguousarray(samples.T))
            samples = at_48k.reshape(-1, len(samples)).T
        _write(self._sound, samples)
        whole, self._waiting = _cut(self._waiting + self._sink.taken(), page_bytes)
        if not self.head and len(whole) >= OPUS_HEADER_PAGES:
            self.head = b"".join(whole[:OPUS_HEADER_PAGES])
            whole = whole[OPUS_HEADER_PAGES:]
        return b"".join(whole)


WAV_HEAD_BYTES = 44
LONGEST_WAV_DATA = 2**32 - 1 - WAV_HEAD_BYTES
WAVE_FORMAT_PCM, WAVE_FORMAT_FLOAT = 1, 3
SAMPLE_BYTES = {"PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "PCM_U8": 1}


class SampleStream:
    """Sound [channels, n] -> little-endian samples, interleaved, of the values that a WAV file of it holds."""

    def __init__(self, sample_rate: int, channels: int, subtype: str, exact: bool = False) -> None:
        """subtype: a key of SAMPLE_BYTES. exact: as for `writing.write`."""
        self._sink, self._exact = _Sink(), exact
        self._sound = soundfile.SoundFile(
            cast(BinaryIO, self._sink), "w", sample_rate, channels, subtype, "LITTLE", "RAW"
        )

    def push(self, samples: Float[np.ndarray, "channels samples"]) -> bytes:
        """All of them, at once."""
        write_samples(self._sound, samples, self._exact)
        self._sound.flush()
        return self._sink.taken()


def wav_head(sample_rate: int, channels: int, subtype: str, samples: int) -> bytes:
    """What stands before so many samples a channel in a WAV file; where they are too many, as programs do, the most
    that it can say.
    """
    width = SAMPLE_BYTES[subtype]
    data = min(samples * channels * width, LONGEST_WAV_DATA)
    kind = WAVE_FORMAT_FLOAT if subtype in FLOATING else WAVE_FORMAT_PCM
    layout = (kind, channels, sample_rate, sample_rate * channels * width, channels * width, 8 * width)
    described = b"WAVEfmt " + struct.pack("<IHHIIHH", 16, *layout)
    return b"RIFF" + struct.pack("<I", data + WAV_HEAD_BYTES - 8) + described + b"data" + struct.pack("<I", data)


StreamEncoder = Mp3Stream | OpusStream
STREAM_ENCODERS: dict[str, type[Mp3Stream] | type[OpusStream]] = {"mp3": Mp3Stream, "ogg": OpusStream}
"""By the ending of a stream's address."""


def _opened(
    sink: _Sink, sample_rate: int, channels: int, format: str, subtype: str, bitrate_mode: str | None
) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(
            cast(BinaryIO, sink),
            "w",
            sample_rate,
            channels,
            subtype,
            None,
            format,
            True,
            COMPRESSION[format],
            bitrate_mode,
        )
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{sample_rate} Hz, {channels} channels: {format} has no such sound") from error


def _cut(data: bytes, size_of: Callable[[bytes], int | None]) -> tuple[list[bytes], bytes]:
    """The frames or pages that are whole, and the rest. size_of: bytes -> length of what begins with them."""
    whole: list[bytes] = []
    place = 0
    while size := size_of(data[place : place + LONGEST_PAGE]):
        if place + size > len(data):
            break
        whole.append(data[place : place + size])
        place += size
    return whole, data[place:]


def _write(sound: soundfile.SoundFile, samples: Float32[np.ndarray, "channels samples"]) -> None:
    for start in range(0, samples.shape[1], WRITTEN_AT_ONCE):
        sound.write(np.ascontiguousarray(samples[:, start : start + WRITTEN_AT_ONCE].T))
