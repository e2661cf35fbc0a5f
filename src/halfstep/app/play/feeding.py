"""Music for the plugin (`plugin/`). Orders come in as lines of JSON, samples go out as records."""

import json
import struct
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.downmix import with_channels
from halfstep.audio.files.sound import HIGHEST_RATE, LOWEST_RATE
from halfstep.audio.limiter import limit
from halfstep.audio.resampling import resampled
from halfstep.errors import InputError
from halfstep.generation.model import Model

BLOCK_SECONDS = 0.25
HEAD = struct.Struct("<II")
"""Of a record: its order's number, and how many float32 samples follow."""
MOST_PERMILLE = 1000


@dataclass(frozen=True, kw_only=True)
class FeedOrder:
    """A piece from its beginning on. permille: its variation, in thousandths. sample_rate: Hz."""

    order: int
    seed: int
    permille: int
    sample_rate: int

    @classmethod
    def of(cls, line: bytes) -> "FeedOrder":
        """InputError for what is none."""
        try:
            values: Any = json.loads(line)
            order = cls(**values)
        except (TypeError, ValueError) as error:
            raise InputError(f"feed: {line[:80]!r} is no order") from error
        if not all(type(value) is int and 0 <= value < 1 << 32 for value in vars(order).values()):
            raise InputError(f"feed: {line[:80]!r}: whole numbers from 0 to 4294967295 were expected")
        if order.permille > MOST_PERMILLE:
            raise InputError(f"feed: permille {order.permille}: at most {MOST_PERMILLE} was expected")
        if not LOWEST_RATE <= order.sample_rate <= HIGHEST_RATE:
            raise InputError(f"feed: {order.sample_rate} Hz: {LOWEST_RATE} to {HIGHEST_RATE} were expected")
        return order


class Inbox:
    """The newest order, heard in a thread of its own."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._changed = threading.Condition()
        self._newest: FeedOrder | None = None
        self._ended, self._failure = False, None
        threading.Thread(target=self._hear, args=(lines,), daemon=True).start()

    def after(self, order: FeedOrder | None) -> FeedOrder | None:
        """The newest, waited for while it is `order`; None once there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._newest is not order)
            return self._given()

    def stands(self, order: FeedOrder) -> bool:
        """Whether it is still the one to follow."""
        with self._changed:
            return self._given() is order

    def _given(self) -> FeedOrder | None:
        if self._failure is not None:
            raise self._failure
        return None if self._ended else self._newest

    def _hear(self, lines: Iterable[bytes]) -> None:
        failure = None
        try:
            for line in lines:
                order = FeedOrder.of(line)
                with self._changed:
                    self._newest = order
                    self._changed.notify()
        except InputError as error:
            failure = error
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify()


def follow(model: Model, lines: Iterable[bytes], out: BinaryIO) -> None:
    """Follow the newest order until there are no more, a block at a time. InputError for what is no order."""
    orders, order = Inbox(lines), None
    while (order := orders.after(order)) is not None:
        for samples in sound(model, order):
            if not orders.stands(order):
                break
            out.write(HEAD.pack(order.order, len(samples)) + samples.tobytes())
            out.flush()


def sound(model: Model, order: FeedOrder) -> Iterator[Float32[np.ndarray, "samples"]]:
    """The piece without end, at the order's rate; of two channels the mid, which is what the plugin plays."""
    stream = model.stream(order.seed, block_seconds=BLOCK_SECONDS, variation=order.permille / MOST_PERMILLE or None)
    blocks = (block.samples for block in stream)
    if order.sample_rate != model.sample_rate:
        blocks = (limit(block, gain=1) for block in resampled(blocks, model.sample_rate, order.sample_rate))
    return (with_channels(block, 1)[0].astype("<f4") for block in blocks)
