"""What a stranger's network may take while it runs. A file of a few bytes can ask for tensors of any size and for
hours of work (Expand, ConstantOfShape, Range, Tile, Resize, a Concat of itself again and again): its shapes are not
known before it runs, so that memory and time are bounded there.
"""

import atexit
import functools
import itertools
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import onnxruntime

from halfstep.processes import AwakeSeconds

MOST_BYTES = 2 << 30
"""For all that the networks of a process compute, together and at any moment; their stored weights are not counted. A
window of the largest model here takes a hundredth of it."""
MOST_SECONDS = 120.0
"""Of one call, and of loading, while this process runs; one of the largest model here takes a tenth of a second."""
LOOKS_EVERY_SECONDS = 0.5
LEFT_SECONDS = 20.0
"""How long the process waits at its end for a loading that was given up."""
BEYOND = "bfc_arena"
"""What ONNX Runtime says where a network asks for more than MOST_BYTES."""
ENDED = "terminate flag"
"""What it says of a call that was ended."""


Result = TypeVar("Result")


@functools.cache
def bounded_memory() -> str:
    """Make sure that there is memory of MOST_BYTES for networks; the setting by which a session takes it."""
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    as_asked = 1  # the room that is taken grows by what is asked for, not in powers of two
    settings = onnxruntime.OrtArenaCfg({"max_mem": MOST_BYTES, "arena_extend_strategy": as_asked})
    onnxruntime.create_and_register_allocator(memory, settings)
    return "session.use_env_allocators"


def within_time(work: Callable[[], Result], give_up: Callable[[], None]) -> Result:
    """What `work` gives or raises, done in a thread, so that signals are heard meanwhile.

    TimeoutError after MOST_SECONDS: ONNX Runtime works out what is constant in a network as it loads it, and does not
    listen there; then `give_up` is called, and the thread ends with the process, if not sooner.
    """
    results: list[Result] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(work())
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="loading a network", daemon=True)
    spent = AwakeSeconds()
    thread.start()
    while thread.is_alive() and spent.passed() < MOST_SECONDS:
        thread.join(LOOKS_EVERY_SECONDS)
    if thread.is_alive():
        give_up()
        # A thread that comes back from ONNX Runtime while Python ends takes the process down with it.
        atexit.register(thread.join, LEFT_SECONDS)
        raise TimeoutError
    if errors:
        raise errors[0]
    return results[0]


class Watch:
    """Ends calls that take too long, between two of their operators: one thread for all networks."""

    def __init__(self) -> None:
        self._calls: dict[int, tuple[AwakeSeconds, Callable[[], None]]] = {}
        self._count = itertools.count()
        self._busy = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Generator[None, None, None]:
        """`end` is called, again and again, where the block takes more than MOST_SECONDS."""
        number = next(self._count)
        with self._lock:
            self._calls[number] = AwakeSeconds(), end
            if self._thread is None or not self._thread.is_alive():  # none survives a fork
                self._thread = threading.Thread(target=self._look, name="network watch", daemon=True)
                self._thread.start()
        self._busy.set()
        try:
            yield
        finally:
            with self._lock:
                del self._calls[number]
                if not self._calls:
                    self._busy.clear()

    def _look(self) -> None:
        while True:
            self._busy.wait()
            time.sleep(LOOKS_EVERY_SECONDS)
            with self._lock:
                late = [end for spent, end in self._calls.values() if spent.passed() > MOST_SECONDS]
            for end in late:
                end()


WATCH = Watch()
