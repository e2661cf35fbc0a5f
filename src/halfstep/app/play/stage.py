"""Music that follows a stage: OSC messages and a MIDI clock change what `halfstep play` plays while it plays."""

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.files.io import Audio
from halfstep.errors import InputError
from halfstep.generation.model import Model

TICKS_A_BEAT = 24
"""Of a MIDI clock."""
SAME_TEMPO = 0.01
"""A clock wavers: a change of tempo by less than this share of it is none."""
FADE_SECONDS = 0.1
SLOWEST, FASTEST = 20.0, 400.0
"""Beats a minute."""
ADDRESS = "/halfstep"
VIRTUAL = "virtual"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the stage asks for now. gain_db: above the usual level. bpm: None follows no clock. asked: of the model's
    conditions.
    """

    seed: int = 0
    steps: int | None = None
    gain_db: float = 0.0
    paused: bool = False
    bpm: float | None = None
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Stage:
    """What is wanted now, changed by any thread."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted, self._lock = wanted, threading.Lock()

    @property
    def wanted(self) -> Wanted:
        with self._lock:
            return self._wanted

    def change(self, **values: Any) -> None:
        with self._lock:
            self._wanted = replace(self._wanted, **values)


class MidiClock:
    """Ticks of a MIDI clock become a tempo; start, stop and continue pause and go on."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._times: deque[float] = deque(maxlen=TICKS_A_BEAT + 1)

    def hear(self, kind: str, seconds: float) -> None:
        """A message by mido's name for it, at a time of any clock that runs evenly."""
        if kind in ("start", "continue", "stop"):
            self._times.clear()
            self._stage.change(paused=kind == "stop")
        elif kind == "clock":
            self._times.append(seconds)
            if (bpm := self.bpm) is not None and self._differs(bpm):
                self._stage.change(bpm=bpm)

    @property
    def bpm(self) -> float | None:
        """Of the last beat, by the median distance of its ticks; None before a whole beat, or for an absurd one."""
        if len(self._times) <= TICKS_A_BEAT:
            return None
        apart = statistics.median(b - a for a, b in zip(self._times, list(self._times)[1:], strict=False))
        bpm = 60 / (TICKS_A_BEAT * apart) if apart > 0 else 0
        return bpm if SLOWEST <= bpm <= FASTEST else None

    def _differs(self, bpm: float) -> bool:
        now = self._stage.wanted.bpm
        return now is None or abs(bpm - now) > SAME_TEMPO * now


def staged(model: Model, stage: Stage, block_seconds: float, bars: int = 4, beats: int = 4) -> Iterator[Audio]:
    """Blocks without end of what the stage wants: the stream of a seed, or, at a tempo, loops of so many bars.

    Another seed is crossfaded into at the same moment of its piece; another tempo begins with the next bar.
    """
    size = round(block_seconds * model.sample_rate)
    source: _Source | None = None
    gain = 0.0
    while True:
        wanted = stage.wanted
        goal = 0.0 if wanted.paused else 10 ** (wanted.gain_db / 20)
        if wanted.paused and gain == 0:
            yield Audio(np.zeros((model.manifest.mel.channels, size), np.float32), model.sample_rate)
            continue
        parts: list[Float32[np.ndarray, "channels samples"]] = []
        left = size
        while left:
            if source is None or not (room := source.room(wanted, left)):
                source = _source(model, wanted, bars, beats, source)
                room = left
            parts.append(source.take(room))
            left -= room
        ramp = np.linspace(gain, goal, size, dtype=np.float32)
        gain = goal
        yield Audio(np.clip(np.concatenate(parts, axis=1) * ramp, -1, 1), model.sample_rate)


class _Source:
    """Samples of one seed at one tempo, one after another."""

    def __init__(
        self,
        wanted: Wanted,
        next_samples: Callable[[], Float32[np.ndarray, "channels samples"]],
        bar: int,
        channels: int,
    ) -> None:
        self.wanted, self._next, self._bar = wanted, next_samples, bar
        self._held = np.zeros((channels, 0), np.float32)
        self.place = 0

    def room(self, wanted: Wanted, most: int) -> int:
        """How many samples it still gives for what is wanted, `most` at most: at another tempo those of its bar."""
        if (wanted.seed, wanted.bpm) == (self.wanted.seed, self.wanted.bpm):
            return most
        if not self._bar or wanted.seed != self.wanted.seed:
            return 0
        return min(most, -self.place % self._bar)

    def take(self, size: int) -> Float32[np.ndarray, "channels {size}"]:
        """The next samples."""
        while self._held.shape[1] < size:
            self._held = np.concatenate([self._held, self._next()], axis=1)
        out, self._held = self._held[:, :size], self._held[:, size:]
        self.place += size
        return out

    def faded_into(self, other: "_Source", rate: int) -> None:
        """What was to come here passes into what comes there."""
        length = round(FADE_SECONDS * rate)
        mine, its = self.take(length), other.take(length)
        share = np.linspace(0, 1, length, dtype=np.float32)
        other.hold(mine * np.cos(share * np.pi / 2) + its * np.sin(share * np.pi / 2))

    def hold(self, samples: Float32[np.ndarray, "channels samples"]) -> None:
        """Samples to give before all others."""
        self._held = np.concatenate([samples.astype(np.float32), self._held], axis=1)
        self.place -= samples.shape[1]


def _source(model: Model, wanted: Wanted, bars: int, beats: int, before: _Source | None) -> _Source:
    channels = model.manifest.mel.channels
    if wanted.bpm is None:
        start = 0.0 if before is None else before.place / model.sample_rate
        stream = model.stream(wanted.seed, wanted.steps, start=start, **wanted.asked)
        source = _Source(wanted, lambda: next(stream).samples, 0, channels)
        source.place = round(start * model.sample_rate)
    else:
        seconds = bars * beats * 60 / wanted.bpm
        loop = model.generate(seconds, seed=wanted.seed, steps=wanted.steps, loop=True, **wanted.asked).samples
        source = _Source(wanted, lambda: loop, round(loop.shape[1] / bars), channels)
    if before is not None:
        before.faded_into(source, model.sample_rate)
    return source


def listen_osc(stage: Stage, port: int) -> Callable[[], None]:
    """Hear /halfstep/seed N, /gain DB, /pause 0|1 and /bpm BPM (0: none) on this machine's `port`; what ends it."""
    from pythonosc.dispatcher import Dispatcher
    from pythonosc.osc_server import ThreadingOSCUDPServer

    def bpm(value: float) -> float | None:
        return min(FASTEST, max(SLOWEST, value)) if value > 0 else None

    means: dict[str, Callable[[Any], dict[str, Any]]] = {
        "seed": lambda value: {"seed": max(0, int(value))},
        "gain": lambda value: {"gain_db": min(12.0, max(-60.0, float(value)))},
        "pause": lambda value: {"paused": bool(value)},
        "bpm": lambda value: {"bpm": bpm(float(value))},
    }
    dispatcher = Dispatcher()
    for name, meaning in means.items():

        def hear(_: str, *values: Any, meaning: Callable[[Any], dict[str, Any]] = meaning) -> None:
            if len(values) == 1 and isinstance(values[0], int | float):  # others mean nothing here
                stage.change(**meaning(values[0]))

        dispatcher.map(f"{ADDRESS}/{name}", hear)
    server = ThreadingOSCUDPServer(("127.0.0.1", port), dispatcher)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def end() -> None:
        server.shutdown()
        server.server_close()

    return end


def listen_midi(clock: MidiClock, name: str) -> Callable[[], None]:
    """Hear the MIDI input `name`, or a new one of that kind that others connect to; what ends it.

    InputError where there is none of that name.
    """
    import mido

    def hear(message: Any) -> None:
        clock.hear(message.type, time.monotonic())

    virtual = name == VIRTUAL
    try:
        port = mido.open_input(  # pyright: ignore[reportAttributeAccessIssue]  made as mido loads
            "halfstep" if virtual else name, virtual=virtual,
            callback=hear,
        )  # fmt: skip
    except (OSError, ImportError) as fault:
        raise InputError(f"--midi-clock {name}: cannot be opened ({fault}); name an input, or {VIRTUAL}") from fault
    return port.close
