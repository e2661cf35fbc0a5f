"""One who listens, and the channel that brings one format of a station to all of them.

All in this file runs in the event loop's thread.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass

from halfstep.app.serve.limits import Limits


@dataclass(frozen=True)
class Chunk:
    """Bytes of a format, and how many seconds of music they are."""

    data: bytes
    seconds: float


class Listener:
    """A queue that is bounded in seconds: whoever does not keep up is dropped, the others never wait."""

    def __init__(self, most_seconds: float) -> None:
        self._waiting: deque[Chunk] = deque()
        self._seconds = 0.0
        self._most_seconds = most_seconds
        self._changed = asyncio.Event()
        self.ended = asyncio.Event()
        """There will be no more: the station ended, or this listener was too slow."""
        self.too_slow = False

    def put(self, chunk: Chunk) -> None:
        """One more to send; beyond the bound it is the last straw."""
        self._seconds += chunk.seconds
        if self._seconds > self._most_seconds:
            self.too_slow = True
            self.end()
            return
        self._waiting.append(chunk)
        self._changed.set()

    def end(self) -> None:
        """Nothing more is sent, not even what waits."""
        self._waiting.clear()
        self.ended.set()
        self._changed.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """What to send, in order, until it ends."""
        while not self.ended.is_set():
            if not self._waiting:
                self._changed.clear()
                await self._changed.wait()
                continue
            chunk = self._waiting.popleft()
            self._seconds -= chunk.seconds
            yield chunk.data


class Channel:
    """One format of one station: the last seconds of it, and who listens."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._burst: deque[Chunk] = deque()
        self._burst_seconds = 0.0
        self.head = b""
        """Sent first to every listener; known once the first chunk is."""
        self.listeners: set[Listener] = set()

    def join(self) -> Listener:
        """A new listener, whose queue begins with the last seconds."""
        listener = Listener(self._limits.burst_seconds + self._limits.queue_seconds)
        if self._burst:
            listener.put(Chunk(self.head, 0))
            for chunk in self._burst:
                listener.put(chunk)
        self.listeners.add(listener)
        return listener

    def deliver(self, head: bytes, chunk: Chunk) -> None:
        """To everybody, and to those who will join."""
        if head and not self.head:
            self.head = head
            for listener in self.listeners:
                listener.put(Chunk(head, 0))
        self._burst.append(chunk)
        self._burst_seconds += chunk.seconds
        while self._burst_seconds - self._burst[0].seconds >= self._limits.burst_seconds:
            self._burst_seconds -= self._burst.popleft().seconds
        for listener in self.listeners:
            listener.put(chunk)

    def end(self) -> None:
        """For all of them."""
        for listener in self.listeners:
            listener.end()
