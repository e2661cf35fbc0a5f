"""A station: one generator of music that feeds every listener in every format, and makes nothing for nobody.

The generator runs in a thread of its own, which there is only while somebody listens. It is ahead of the clock by the
burst, no more: whoever joins is sent the last seconds at once and then what is made, as it is made.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from halfstep.app.serve.formats import Encoder, encoder
from halfstep.app.serve.limits import Limits
from halfstep.app.serve.listening import Channel, Chunk, Listener
from halfstep.audio.mel import MelConfig
from halfstep.bundle.bounds import MOST_SECONDS
from halfstep.generation.passages import Passage

LOG = logging.getLogger("halfstep.serve")
LONGEST_WAIT = 0.1
"""Seconds after which the thread looks again whether anybody listens."""
LAST_SECONDS = MOST_SECONDS
"""That a thread has to come to its end: networks at work as Python ends bring the process down."""


class Station:
    """Its public members are for the event loop's thread."""

    def __init__(
        self,
        name: str,
        source: Callable[[], Iterator[Passage]],
        mel: MelConfig,
        limits: Limits,
        when_broken: Callable[["Station"], None],
    ) -> None:
        """source: what begins the music; it is called, in the station's thread, when the first listener comes."""
        self.name = name
        self._source, self._mel, self._limits, self._when_broken = source, mel, limits, when_broken
        self._lock = threading.Lock()
        self._channels: dict[str, Channel] = {}
        self._encoders: dict[Channel, Encoder] = {}  # the thread's
        self._music: Iterator[Passage] | None = None
        self._recent: deque[Passage] = deque()
        self._recent_seconds = self._made_seconds = 0.0
        self._thread: threading.Thread | None = None
        self.idle_since = time.monotonic()

    @property
    def listeners(self) -> int:
        return sum(len(channel.listeners) for channel in self._channels.values())

    @property
    def seconds(self) -> float:
        """Of music made so far."""
        return self._made_seconds

    @property
    def running(self) -> bool:
        return self._thread is not None

    def join(self, kind: str) -> Listener:
        """One more listener to a format; the first of all starts the music."""
        loop = asyncio.get_running_loop()
        with self._lock:
            channel = self._channels.setdefault(kind, Channel(self._limits))
            listener = channel.join()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, args=(loop,), name=f"station {self.name}", daemon=True
                )
                self._thread.start()
        return listener

    def leave(self, kind: str, listener: Listener) -> None:
        """One less; after the last one the music stands still."""
        with self._lock:
            channel = self._channels.get(kind)
            if channel is None:
                return
            channel.listeners.discard(listener)
            if not channel.listeners:
                del self._channels[kind]
            self.idle_since = time.monotonic()

    def end(self) -> None:
        """All listeners are sent away."""
        with self._lock:
            for channel in self._channels.values():
                channel.end()
            self._channels.clear()

    def finish(self) -> None:
        """Wait until nothing is made any more; once nobody listens."""
        thread = self._thread
        if thread is not None:
            thread.join(LAST_SECONDS)

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            self._play(loop)
        except Exception as error:  # whatever it is, nobody is to be left in silence
            LOG.error("%s: %s: %s", self.name, type(error).__name__, " ".join(str(error).split()))
            with self._lock:
                self._thread = None
            _call(loop, self._broken)

    def _broken(self) -> None:
        self.end()
        self._when_broken(self)

    def _play(self, loop: asyncio.AbstractEventLoop) -> None:
        ahead = self._limits.burst_seconds
        # Whoever woke it up was sent a burst: it is ahead by that already.
        began = time.monotonic() - max(0.0, self._made_seconds - ahead)
        while True:
            channels = self._wanted()
            if channels is None:
                return
            self._begin_encoders(loop, channels)
            spare = self._made_seconds - ahead - (time.monotonic() - began)
            if spare > 0:
                time.sleep(min(spare, LONGEST_WAIT))
                continue
            if self._music is None:
                self._music = self._source()
            passage = next(self._music)
            self._remember(passage)
            for channel in channels.values():
                self._encode(loop, channel, passage)

    def _wanted(self) -> dict[str, Channel] | None:
        """The channels as they are now; None, and the thread is done, where there are none."""
        with self._lock:
            if not self._channels:
                self._thread = None
                self._encoders.clear()
                return None
            return dict(self._channels)

    def _begin_encoders(self, loop: asyncio.AbstractEventLoop, channels: dict[str, Channel]) -> None:
        """For every new channel, which is brought the last seconds first."""
        for gone in self._encoders.keys() - set(channels.values()):
            del self._encoders[gone]
        for kind, channel in channels.items():
            if channel not in self._encoders:
                self._encoders[channel] = encoder(kind, self._mel, self._mel.channels)
                for passage in self._recent:
                    self._encode(loop, channel, passage)

    def _encode(self, loop: asyncio.AbstractEventLoop, channel: Channel, passage: Passage) -> None:
        made = self._encoders[channel]
        data = made.push(passage)
        _call(loop, channel.deliver, made.head, Chunk(data, self._seconds_of(passage)))

    def _remember(self, passage: Passage) -> None:
        self._made_seconds += self._seconds_of(passage)
        self._recent.append(passage)
        self._recent_seconds += self._seconds_of(passage)
        while self._recent_seconds - self._seconds_of(self._recent[0]) >= self._limits.burst_seconds:
            self._recent_seconds -= self._seconds_of(self._recent.popleft())

    def _seconds_of(self, passage: Passage) -> float:
        return passage.samples.shape[1] / self._mel.sample_rate


def _call(loop: asyncio.AbstractEventLoop, what: Callable[..., None], *arguments: object) -> None:
    """In the event loop's thread, soon; nowhere, once that has ended."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(what, *arguments)
