"""AAC, in MP4 and M4A or bare, through the optional PyAV: libsndfile does not read it.

Only these two containers are tried, whatever else FFmpeg knows, and nothing but the open file is read.
"""

from collections.abc import Callable, Iterator
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from halfstep.arrays import Float
from halfstep.audio.files.info import AudioInfo, span_of
from halfstep.errors import InputError

if TYPE_CHECKING:
    import av
    from av.container import InputContainer

NEEDED = "AAC or M4A, which PyAV reads: pip install 'halfstep[aac]'; or convert it to FLAC"
TAKES_ANY_TITLE = 19
HEAD_BYTES = 12
MP4 = "MP4"
"""What `AudioInfo.format` says of these, in a container or bare."""


def container_of(head: bytes) -> str | None:
    """FFmpeg's name of what begins with these 12 bytes, if that may hold AAC alone; None for anything else."""
    if head[4:8] == b"ftyp":
        return "mov"
    # ADTS: 12 bits of sync, then layer 0, which no MP3 has
    return "aac" if head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xF6 == 0xF0 else None


class AacRecording:
    """What `io.Recording` is of other formats. InputError if it holds no sound, a film, or what cannot be decoded."""

    def __init__(self, file: BinaryIO, container: str) -> None:
        """ModuleNotFoundError without PyAV."""
        import av  # late: it takes .1 s, and few need it

        self._av, self._file, self._container = av, file, container
        self.notes: list[str] = []
        with self._opened() as opened:
            if any(not _is_cover(stream) for stream in opened.streams.video):
                raise InputError("a film; extract its sound first")
            if not opened.streams.audio:
                raise InputError("MP4 without sound")
            stream = opened.streams.audio[0]
            rate = stream.rate or 0
            seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
            self.info = AudioInfo(MP4, stream.codec_context.name.upper(), rate, stream.channels, round(seconds * rate))

    def decoded(self, mono: bool, block_seconds: float, exact: bool = False) -> Iterator[Float[np.ndarray, "..."]]:
        """Blocks [channels, n] at its own rate; mono is the mean of the channels. What cannot be decoded is left out,
        and noted.
        """
        plain = self._av.AudioResampler(format="fltp")
        wanted, waiting, held = (
            max(1, round(block_seconds * self.info.sample_rate)),
            list[Float[np.ndarray, "..."]](),
            0,
        )
        for samples in self._frames(plain):
            waiting.append(samples.mean(axis=0, keepdims=True, dtype=np.float32) if mono else samples)
            held += samples.shape[1]
            if held >= wanted:
                yield np.concatenate(waiting, axis=1)
                waiting, held = [], 0
        if waiting:
            yield np.concatenate(waiting, axis=1)

    def span(self, start: int, count: int) -> Float[np.ndarray, "..."]:
        """Samples `start` to `start + count` [channels, n] at its own rate; fewer where the file ends before."""
        return span_of(self.decoded(mono=False, block_seconds=10.0), self.info.channels, start, count)

    def _frames(self, plain: "av.AudioResampler") -> Iterator[Float[np.ndarray, "..."]]:
        with self._opened() as opened:
            try:
                for frame in opened.decode(audio=0):
                    for part in plain.resample(frame):
                        samples = np.asarray(part.to_ndarray(), np.float32)
                        if len(samples) == self.info.channels:
                            yield samples
            except self._av.FFmpegError as error:
                self.notes = [f"breaks off: {error.strerror}"]

    def _opened(self) -> "InputContainer":
        self._file.seek(0)
        try:
            return _opening(self._av)(self._file, format=self._container)
        except (self._av.FFmpegError, ValueError) as error:
            raise InputError(f"not readable as AAC ({error})") from None


def _opening(av: ModuleType) -> Callable[..., "InputContainer"]:
    """`av.open`, which no title in another alphabet stops: PyAV takes any from 19 on, and is to be told so before."""
    if int(av.__version__.partition(".")[0]) >= TAKES_ANY_TITLE:
        return av.open
    return partial(av.open, metadata_errors="replace")


def _is_cover(stream: "av.VideoStream") -> bool:
    return bool(stream.disposition & stream.disposition.attached_pic)
