"""A plan: what new music follows where nothing else leads it, made by a small network of the model's own.

Its windows are sampled, laid and joined as those of music are: a plan flows on, goes round in a loop, and drifts with
what is asked for (decision 48).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.chroma import CLASSES, KEYS, NOTES, key_fits
from halfstep.audio.guide import CHORDS, RHYTHM, from_plan, rows_of_kind
from halfstep.audio.mel import MelConfig
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.leaders import Guide, Leader
from halfstep.generation.loops import mel_loop
from halfstep.generation.noise import PLAN, piece_noise
from halfstep.generation.requests import Loop, Timed
from halfstep.generation.strokes import laid, reach_of, unit_shapes

if TYPE_CHECKING:
    from halfstep.generation.engine import Engine

PARTS = 4
"""Of a beat: sixteenths."""
SOFTEST, LOUDER = 0.15, 2.0
"""Planned onsets below the first are none; what is above it is so many times as strong, 1 at most."""
KEPT_FRAMES = 16384
"""Of a plan, before the frames that are asked for: more than any window reaches back."""
MOST_TRIED = 6
"""Plans of a seed, where a key is asked for."""
SOFTENED = 0.3
"""So strong are onsets between the beats that are struck."""
PLAIN = 0.9
"""How well pitch classes fit a key that they are plainly in."""


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
class OnSixteenths:
    """A leader with a rhythm, whose onsets are moved to the nearest sixteenth of a tempo in beats a minute, as a
    sequencer does: what a plan lacks is a pulse (docs/experiments/plans.md).

    guide: a key of GUIDES. struck: every beat is, and what lies between them is SOFTENED: whoever asks for a tempo is
    to hear it.
    """

    leader: Leader
    guide: str
    tempo: float
    mel: MelConfig
    struck: bool = False

    def __call__(self, start: int, stop: int) -> Float32[np.ndarray, "rows frames"]:
        """As a `Leader`."""
        return self.at(np.arange(start, stop, dtype=np.float64))

    def at(self, places: Float64[np.ndarray, "places"]) -> Float32[np.ndarray, "rows places"]:
        """As a `Leader`."""
        rows, frames = self.leader.at(places), np.floor(places).astype(np.int64)
        if frames.max(initial=-1) < 0:
            return rows
        at, first = rows_of_kind(RHYTHM, self.guide), max(0, int(frames.min()))
        rhythm = self._rhythm(first, int(frames.max()) + 1)
        rows = rows.copy()
        rows[at.start : at.stop - 1] = np.where(frames >= 0, rhythm[:, np.maximum(frames, first) - first], 0)
        return rows

    def _rhythm(self, start: int, stop: int) -> Float32[np.ndarray, "groups frames"]:
        """That of frames from `start` on, 0 or later."""
        shapes, reach = unit_shapes(self.mel), reach_of(self.mel)
        slot = 60 / self.tempo / PARTS * self.mel.frames_per_second
        first, last = max(0, int((start - reach) / slot)), int((stop + reach) / slot) + 1
        begin = max(0, int((first - 0.5) * slot))
        at = rows_of_kind(RHYTHM, self.guide)
        planned = self.leader(begin, int((last + 0.5) * slot) + 1)[at.start : at.stop - 1]
        rhythm = np.zeros((len(planned), stop - start))
        for number in range(first, last + 1):
            left, right = (max(0, round((number + half) * slot) - begin) for half in (-0.5, 0.5))
            strength = np.clip(LOUDER * (planned[:, left:right].max(axis=1) - SOFTEST), 0, 1)
            if self.struck:
                strength = np.ones_like(strength) if number % PARTS == 0 else SOFTENED * strength
            phase, own, there = laid(number * slot, start, stop, reach)
            rhythm[:, there] = np.maximum(rhythm[:, there], strength[:, None] * shapes[phase][:, own])
        return rhythm.astype(np.float32)


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
    first = rows_of_kind(CHORDS, guide).start
    return slice(first, first + CLASSES)


def planned(planner: "Engine", request: Timed, guide: str, key: str | None) -> Leader:
    """The plan of the request's seed, by the model of plans; in a key of KEYS where one is given, of a guide that has
    chords. guide: of the music, a key of GUIDES.

    A plan has a key of its own, plain or not. The first of the seed's plans that is plainly in the key once it is
    turned there is taken, or of MOST_TRIED the one that is most so.
    """
    if key is None:
        return _plan(planner, request, guide, PLAN)
    best, plainest = None, -math.inf
    for attempt in range(MOST_TRIED):
        leader = _plan(planner, request, guide, PLAN + attempt)
        fits = key_fits(leader(0, planner.manifest.frames)[classes_of(guide)].sum(axis=1, dtype=np.float64))
        own = max((name for name in KEYS if _minor(name) == _minor(key)), key=lambda name: fits[name])
        if best is None or fits[own] > plainest:
            best, plainest = Turned(leader, guide, (_tonic(key) - _tonic(own)) % CLASSES), fits[own]
        if plainest >= PLAIN:
            break
    assert best is not None, "at least one is tried"
    return best


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
