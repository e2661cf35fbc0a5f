"""A plan: what new music follows where nothing else leads it, made by a small network of the model's own.

Its windows are sampled, laid and joined as those of music are: a plan flows on, goes round in a loop, and drifts with
what is asked for (decision 48).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.chroma import CLASSES, NOTES, key_of
from halfstep.audio.guide import CHORDS, from_plan
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.leaders import Guide, Leader, rows_of
from halfstep.generation.loops import mel_loop
from halfstep.generation.noise import PLAN, piece_noise
from halfstep.generation.requests import Loop, Timed

if TYPE_CHECKING:
    from halfstep.generation.engine import Engine

KEPT_FRAMES = 16384
"""Of a plan, before the frames that are asked for: more than any window reaches back."""
MOST_TRIED = 6
"""Plans of a seed, of which the first in the mode of the key that is asked for is taken."""
RELATIVE = 3
"""Semitones from a minor key up to the major one of the same notes."""


class EndlessPlan:
    """A plan without end, made as far as its frames are asked for; KEPT_FRAMES of its past are kept."""

    def __init__(self, blocks: Iterator[Float32[np.ndarray, "rows frames"]]) -> None:
        self._blocks = blocks
        self._rows = next(blocks)
        self._first = 0

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """As a `Leader`."""
        return self.at(np.arange(start, stop, dtype=np.float64))

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """As a `Leader`. ValueError for what is no longer kept."""
        frames = np.maximum(places, 0).astype(np.int64)
        while self._first + self._rows.shape[1] <= frames.max(initial=0):
            forgotten = max(0, self._rows.shape[1] - KEPT_FRAMES)
            self._first += forgotten
            self._rows = np.concatenate([self._rows[:, forgotten:], next(self._blocks)], axis=1)
        if frames.min(initial=self._first) < self._first:
            raise ValueError(f"a plan is asked for in order: it is kept from frame {self._first} on")
        return np.where(places >= 0, self._rows[:, frames - self._first], np.float32(0))


@dataclass(frozen=True, eq=False)
class Turned:
    """A leader with chords, all of them so many semitones up. guide: a key of GUIDES."""

    leader: Leader
    guide: str
    semitones: int

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """As a `Leader`."""
        return self._turned(self.leader(start, stop))

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """As a `Leader`."""
        return self._turned(self.leader.at(places))

    def _turned(self, rows: Float32[np.ndarray, "rows places"]) -> Float32[np.ndarray, "rows places"]:
        turned = rows.copy()
        turned[classes_of(self.guide)] = np.roll(rows[classes_of(self.guide)], self.semitones, axis=0)
        return turned


def classes_of(guide: str) -> slice:
    """The rows of the twelve pitch classes in a guide that has chords."""
    first = rows_of(CHORDS, guide).start
    return slice(first, first + CLASSES)


def planned(planner: "Engine", request: Timed, guide: str, key: str | None) -> Leader:
    """The plan of the request's seed, by the model of plans; in a key of KEYS where one is given, of a guide that has
    chords. guide: of the music, a key of GUIDES.

    A plan has a key of its own. It is turned into the one that is asked for: another plan of the seed where this one is
    in the other mode, and where all are, into the key of the other mode that has the same notes.
    """
    leader, own = _plan(planner, request, guide, PLAN), ""
    if key is None:
        return leader
    for attempt in range(MOST_TRIED):
        leader = leader if attempt == 0 else _plan(planner, request, guide, PLAN + attempt)
        own = key_of(leader(0, planner.manifest.frames)[classes_of(guide)].sum(axis=1, dtype=np.float64))
        if own and _minor(own) == _minor(key):
            break
    if not own:
        return leader
    apart = RELATIVE * (_minor(key) - _minor(own))
    return Turned(leader, guide, (_tonic(key) + apart - _tonic(own)) % CLASSES)


def _plan(planner: "Engine", request: Timed, guide: str, stream: int) -> Leader:
    manifest = planner.manifest
    asked = {name: value for name, value in request.asked.items() if manifest.asks.has(name)}
    course = manifest.asks.course(asked, manifest.id)
    frames = request.samples(manifest.mel) / manifest.mel.hop_length
    noise = piece_noise(manifest.mel.rows, request.seed, request.toward, request.variation, frames, stream)
    sampler = planner.sampler()
    if isinstance(request, Loop):
        values = mel_loop(sampler.asked(course.at(0)), noise, max(1, round(frames)))
        return Guide(from_plan(guide, values), frames)
    canvas = Canvas(init_noise=noise, asked=lambda frame: course.at(frame / max(1.0, frames)))
    return EndlessPlan(from_plan(guide, block) for block in mel_stream(sampler, canvas))


def _minor(key: str) -> bool:
    return key.endswith("m")


def _tonic(key: str) -> int:
    return NOTES.index(key.removesuffix("m"))
