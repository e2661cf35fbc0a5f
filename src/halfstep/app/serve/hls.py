"""A model's own stream as HLS: segments of MP3 and a list of the last ones, for any web server or CDN to carry.

RFC 8216 allows plain MP3 as segments, each with its time in an ID3 tag (3.4). A segment is written aside, renamed, and
only then listed; one is removed when players can no longer be at it.
"""

import asyncio
import logging
import re
import struct
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from halfstep.app.serve.refusals import Refusal
from halfstep.app.serve.tunes import Stations
from halfstep.atomic import replacing
from halfstep.audio.files.mpeg import frame_bytes, samples_a_frame
from halfstep.own_folder import STREAM, enter

LOG = logging.getLogger("halfstep.serve")
KIND = "mp3"
SEGMENT_SECONDS = 6.0
LISTED, KEPT = 8, 16
TARGET_SECONDS = 7
AGAIN_SECONDS = 2.0
LIST_NAME = "stream.m3u8"
SEGMENT = re.compile(r"segment-\d{10}\.mp3")
OWNER = b"com.apple.streaming.transportStreamTimestamp\0"
CLOCK_HZ, CLOCK_BITS = 90_000, 33


@dataclass(frozen=True)
class Segment:
    """One that is listed. begins: no timeline leads to it from the one before."""

    name: str
    seconds: float
    begins: bool


class HlsFolder:
    """Writes segments into a folder, and their list."""

    def __init__(self, folder: Path, sample_rate: int) -> None:
        """The folder is made if it is not there, and segments of an earlier run in it are removed.

        OSError; InputError where it is somebody else's.
        """
        self._folder, self._sample_rate = folder, sample_rate
        self._frame_samples = samples_a_frame(sample_rate)
        enter(folder, STREAM, _is_stream)
        for old in folder.iterdir():
            if SEGMENT.fullmatch(old.name):
                old.unlink()
        # Players go by numbers that only grow, over restarts too.
        self._number = int(time.time() / SEGMENT_SECONDS)
        self._segments: deque[Segment] = deque()
        self._frames: list[bytes] = []
        self._written_frames = 0
        self._begins = True

    def begin(self) -> None:
        """What follows is not the continuation of what was."""
        self._begins, self._frames = True, []

    def push(self, frames: bytes) -> None:
        """Whole frames of MP3. OSError where they cannot be written."""
        place = 0
        while place < len(frames):
            size = frame_bytes(frames[place : place + 4])
            assert size is not None, "our own encoder writes frame after frame"
            self._frames.append(frames[place : place + size])
            place += size
            if len(self._frames) * self._frame_samples >= SEGMENT_SECONDS * self._sample_rate:
                self._write()

    def _write(self) -> None:
        seconds = len(self._frames) * self._frame_samples / self._sample_rate
        name = f"segment-{self._number:010d}.mp3"
        clock = round(self._written_frames * self._frame_samples * CLOCK_HZ / self._sample_rate)
        with replacing(self._folder / name) as partial:
            partial.write_bytes(timestamp_tag(clock) + b"".join(self._frames))
        self._segments.append(Segment(name, seconds, self._begins))
        self._number += 1
        self._written_frames += len(self._frames)
        self._frames, self._begins = [], False
        with replacing(self._folder / LIST_NAME) as partial:
            partial.write_text(self._list(), encoding="ascii")
        while len(self._segments) > KEPT:
            gone = self._segments.popleft()
            (self._folder / gone.name).unlink(missing_ok=True)

    def _list(self) -> str:
        listed = list(self._segments)[-LISTED:]
        lines = [
            "#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{TARGET_SECONDS}",
            f"#EXT-X-MEDIA-SEQUENCE:{self._number - len(listed)}",
        ]  # fmt: skip
        for segment in listed:
            lines += ["#EXT-X-DISCONTINUITY"] if segment.begins else []
            lines += [f"#EXTINF:{segment.seconds:.5f},", segment.name]
        return "\n".join([*lines, ""])


def _is_stream(folder: Path) -> bool:
    """Whether a folder without a mark is one nevertheless: they had none once."""
    names = {path.name for path in folder.iterdir()}
    return all(name == LIST_NAME or SEGMENT.fullmatch(name) for name in names)


async def write_hls(folder: HlsFolder, stations: Stations, model: str) -> None:
    """For ever: the model's own stream into the folder. It goes on after a failure, and says so once."""
    tune = stations.tune(model, {})
    loop = asyncio.get_running_loop()
    while True:
        try:
            station = stations.station(tune)
            listener = station.join(KIND)
            try:
                folder.begin()
                async for chunk in listener.chunks():
                    await loop.run_in_executor(None, folder.push, chunk)
            finally:
                station.leave(KIND, listener)
        except (OSError, Refusal) as error:
            LOG.error("HLS: %s", error)
        await asyncio.sleep(AGAIN_SECONDS)


def timestamp_tag(clock: int) -> bytes:
    """The ID3 tag that says when a segment begins, on a clock of 90 kHz and 33 bits (RFC 8216, 3.4)."""
    payload = OWNER + struct.pack(">Q", clock % (1 << CLOCK_BITS))
    frame = b"PRIV" + struct.pack(">IH", len(payload), 0) + payload
    return b"ID3\4\0\0" + bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0)) + frame
