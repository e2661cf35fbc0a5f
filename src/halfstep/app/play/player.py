"""Sound as it is made, to this machine's speakers; what it lacks for that is said in one line."""

import contextlib
import queue
import threading
from collections.abc import Iterator
from types import ModuleType

import numpy as np

from halfstep.audio.downmix import with_channels
from halfstep.audio.files.io import Audio
from halfstep.errors import InputError

BLOCK_SECONDS = 0.25
AHEAD_BLOCKS = 16
"""Made before they are heard, at most: four seconds for a machine that is busy now and then."""
START_BLOCKS = 4
"""Waiting before the first is heard, and before sound goes on after a gap."""
PORTAUDIO = "install it (Debian, Ubuntu: apt install libportaudio2; Fedora: dnf install portaudio)"
INSTEAD = "or write a file: halfstep generate out.wav"


class Player:
    """Plays blocks on the usual output; counts their seconds, and the gaps where they did not come in time."""

    def __init__(self, sample_rate: int, channels: int = 1) -> None:
        """InputError if the machine has no library, no PortAudio or no output for it."""
        self._sound = sound_library()
        self.gaps, self.seconds, self._channels = 0, 0.0, channels
        try:
            self._output = self._sound.OutputStream(
                samplerate=sample_rate, channels=channels, dtype="float32", latency="high"
            )
        except (self._sound.PortAudioError, ValueError) as error:
            raise _no_output(error) from error

    def play(self, blocks: Iterator[Audio]) -> None:
        """Until they end or the listener interrupts; what the maker of the blocks raises is raised here.

        InputError if the output goes away.
        """
        ahead = _Ahead(blocks)
        try:
            with self._output:
                ahead.wait()
                while (block := ahead.next()) is not None:
                    late = self._output.write(np.ascontiguousarray(with_channels(block.samples, self._channels).T))
                    self.seconds += block.seconds
                    if late:
                        self.gaps += 1
                        ahead.wait()
        except self._sound.PortAudioError as error:
            raise _no_output(error) from error
        finally:
            ahead.stop()


def sound_library() -> ModuleType:
    """The module `sounddevice`. InputError without PortAudio; ModuleNotFoundError without the extra `play`."""
    try:
        import sounddevice
    except OSError as error:
        raise InputError(f"play: the library PortAudio is not on this machine; {PORTAUDIO}, {INSTEAD}") from error
    return sounddevice


def _no_output(error: Exception) -> InputError:
    said = " ".join(str(error).split()).rstrip(".")
    return InputError(f"play: this machine has no sound output to use ({said}); connect one, {INSTEAD}")


class _Ahead:
    """Blocks made in a thread of their own, a few before they are asked for."""

    def __init__(self, blocks: Iterator[Audio]) -> None:
        self._waiting: queue.Queue[Audio | None] = queue.Queue(AHEAD_BLOCKS)
        self._stopped = threading.Event()
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._make, args=(blocks,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until enough blocks wait, or there will be no more."""
        self._ready.clear()
        while self._waiting.qsize() < START_BLOCKS and self._thread.is_alive():
            self._ready.wait(0.05)

    def next(self) -> Audio | None:
        """The next block; None after the last. What making it raised is raised here."""
        block = self._waiting.get()
        if block is None and self._failure is not None:
            raise self._failure
        return block

    def stop(self) -> None:
        """Make no more."""
        self._stopped.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.get_nowait()
        self._thread.join()

    def _make(self, blocks: Iterator[Audio]) -> None:
        try:
            for block in blocks:
                self._put(block)
                if self._stopped.is_set():
                    return
        except BaseException as error:  # whatever it is, the listener's thread is to hear of it
            self._failure = error
        self._put(None)

    def _put(self, block: Audio | None) -> None:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self._waiting.put(block, timeout=0.1)
                self._ready.set()
                return
