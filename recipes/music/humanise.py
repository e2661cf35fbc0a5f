"""Play a quantised MIDI score as a pianist might: tempo that breathes, voicing, uneven touch, pedal.

`read_score` (MIDI to arrays in beats) -> `perform` (arrays in seconds, from a generator) -> `write_midi`.
`adapt_midi` is for files that are expressive already. Needs numpy and mido; used by render_piano.py.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import mido
import numpy as np
from numpy.typing import NDArray
from score import FloatArray, IntArray, Score

PHRASE_BARS = 4
LEAD_IN_SECONDS = 0.3
JITTER_SECONDS = 0.007
MELODY_LEAD_SECONDS = 0.012
PEDAL_CHANGE_SECONDS = 0.07
SHORTEST_PEDAL_SECONDS = 0.35
PIANO_PITCHES = range(21, 109)


@dataclass(frozen=True, kw_only=True)
class Performance:
    """Notes [n], times in seconds; `pedal` holds (seconds, whether the foot is down)."""

    start: FloatArray
    end: FloatArray
    pitch: IntArray
    velocity: IntArray
    pedal: list[tuple[float, bool]]


class _Note(NamedTuple):
    onset: int
    end: int
    pitch: int
    loudness: float


def _track_notes(track: mido.MidiTrack) -> list[_Note]:
    """The notes of one track, in ticks; loudness is velocity times channel volume, as LilyPond writes it."""
    notes, tick = [], 0
    sounding: dict[tuple[int, int], tuple[int, float]] = {}
    volume: defaultdict[int, int] = defaultdict(lambda: 100)
    for message in track:
        tick += message.time
        if message.type == "control_change" and message.control == 7:
            volume[message.channel] = max(message.value, 1)
        if message.type not in ("note_on", "note_off"):
            continue
        started = sounding.pop((message.channel, message.note), None)
        if started is not None and tick > started[0]:
            notes.append(_Note(started[0], tick, message.note, started[1]))
        if message.type == "note_on" and message.velocity > 0:
            sounding[message.channel, message.note] = tick, message.velocity * volume[message.channel]
    return notes


def _meta(midi: mido.MidiFile, kind: str) -> list[tuple[int, Any]]:
    """(tick, message) for each meta message of one kind in any track, in order of time; mido gives messages their
    attributes at run time.
    """
    result: list[tuple[int, Any]] = []
    for track in midi.tracks:
        tick = 0
        for message in track:
            tick += message.time
            if message.type == kind:
                result.append((tick, message))
    return sorted(result, key=lambda item: item[0])


def read_score(path: Path, quarter_bpm: float | None = None) -> Score:
    """The score in a MIDI file, at `quarter_bpm` or else its own tempo; ValueError where no note is."""
    midi = mido.MidiFile(path)
    longest: dict[tuple[int, int], _Note] = {}
    for note in (note for track in midi.tracks for note in _track_notes(track)):
        other = longest.setdefault((note.onset, note.pitch), note)
        if note.end > other.end:
            longest[note.onset, note.pitch] = note
    if not longest:
        raise ValueError(f"{path.name}: no notes")
    notes = sorted(longest.values())
    beats = float(midi.ticks_per_beat)
    changes = [(tick / beats, message.tempo / 1e6) for tick, message in _meta(midi, "set_tempo")] or [(0.0, 0.5)]
    meters = Counter(4 * m.numerator / m.denominator for _, m in _meta(midi, "time_signature"))
    loudness = np.array([note.loudness for note in notes])
    return Score(
        onset=np.array([note.onset for note in notes]) / beats,
        end=np.array([note.end for note in notes]) / beats,
        pitch=np.array([note.pitch for note in notes]),
        loudness=loudness / np.median(loudness),
        tempo=np.array(changes if quarter_bpm is None else [(0.0, 60 / quarter_bpm)]),
        bar_beats=meters.most_common(1)[0][0] if meters else 4.0,
    )


def slow_curve(beats: FloatArray, period_beats: float, rng: np.random.Generator) -> FloatArray:
    """A wandering line through N(0, 1) values `period_beats` apart, read at `beats`; within +-2."""
    knots = np.arange(0.0, beats.max() + 2 * period_beats, period_beats)
    return np.interp(beats, knots, np.clip(rng.standard_normal(len(knots)), -2, 2))


def phrase_arch(beats: FloatArray, bar_beats: float) -> FloatArray:
    """0 at the ends of each phrase of `PHRASE_BARS` bars and 1 in its middle."""
    position = (beats / (PHRASE_BARS * bar_beats)) % 1.0
    return 4 * position * (1 - position)


def clock(score: Score, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """(beats, seconds) [g]: when each point of a fine grid of beats is played; interpolate between."""
    last = float(score.end.max())
    grid = np.arange(0.0, last + 1.0, 0.125)
    written = score.tempo[np.maximum(np.searchsorted(score.tempo[:, 0], grid, side="right") - 1, 0), 1]
    ritardando = np.clip((grid - last) / (2 * score.bar_beats) + 1, 0, 1) ** 2
    pace = 1 + 0.025 * slow_curve(grid, 4 * score.bar_beats, rng) - 0.06 * (phrase_arch(grid, score.bar_beats) - 0.5)
    seconds = 0.125 * written * pace * (1 + 0.6 * ritardando)
    return grid, LEAD_IN_SECONDS + np.concatenate([[0.0], np.cumsum(seconds[:-1])])


def outer_voices(score: Score) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(melody, bass) [n]: whether a note is the highest, the lowest, of all that sound when it begins."""
    melody, bass = np.zeros(len(score.pitch), bool), np.zeros(len(score.pitch), bool)
    for index, (onset, pitch) in enumerate(zip(score.onset, score.pitch, strict=True)):
        sounding = score.pitch[(score.onset <= onset) & (score.end > onset)]
        melody[index], bass[index] = pitch == sounding.max(), pitch == sounding.min()
    return melody, bass


def touch(score: Score, melody: NDArray[np.bool_], bass: NDArray[np.bool_], rng: np.random.Generator) -> IntArray:
    """MIDI velocities [n]: written dynamics, arched by phrase, accented by bar, voiced, a little uneven."""
    on_bar = np.isclose(score.onset % score.bar_beats, 0)
    velocity = (
        62
        + 18 * np.log2(score.loudness)
        + 8 * (phrase_arch(score.onset, score.bar_beats) - 0.5)
        + 6 * slow_curve(score.onset, 6 * score.bar_beats, rng)
        + 3 * on_bar
        + np.where(melody, 9, np.where(bass, 1, -6))
        + rng.normal(0, 2.5, len(score.pitch))
    )
    return np.clip(np.rint(velocity), 18, 115).astype(np.int64)


def is_chord(pitches: set[int]) -> bool:
    """Whether notes may ring under one pedal: at most four pitch classes, no two a semitone apart."""
    classes = {pitch % 12 for pitch in pitches}
    return len(classes) <= 4 and not any((each + 1) % 12 in classes for each in classes)


def pedalling(score: Score, seconds: FloatArray) -> list[tuple[float, bool]]:
    """(seconds, down): the pedal holds while what it catches is a chord, and is renewed just after the next.

    Args:
        seconds: when each note [n] of the score is played.
    """
    moments: dict[float, tuple[float, set[int]]] = {}
    for onset, when, pitch in zip(score.onset, seconds, score.pitch, strict=True):
        moments.setdefault(float(onset), (float(when), set()))[1].add(int(pitch))
    pedal: list[tuple[float, bool]] = []
    began, held = LEAD_IN_SECONDS, set[int]()
    for when, pitches in [*moments.values(), (float(seconds.max()) + 2.0, set(range(12)))]:
        if is_chord(held | pitches):
            held |= pitches
            continue
        if when - began >= SHORTEST_PEDAL_SECONDS:  # Over quicker harmony the foot stays up: dry, but clear.
            pedal += [(began + PEDAL_CHANGE_SECONDS, True), (when, False)]
        began, held = when, set(pitches)
    return pedal


def release(start: FloatArray, end: FloatArray, pitch: IntArray) -> FloatArray:
    """`end` [n], cut where the same key is struck again: a key must rise before it can fall."""
    end = end.copy()
    order = np.lexsort((start, pitch))
    for first, second in pairwise(order):
        if pitch[first] == pitch[second]:
            end[first] = max(min(end[first], start[second] - 0.015), start[first] + 0.01)
    return end


def perform(score: Score, rng: np.random.Generator) -> Performance:
    """One performance of `score`; the same generator state gives the same one."""
    beats, clock_seconds = clock(score, rng)
    melody, bass = outer_voices(score)
    written = np.interp(score.onset, beats, clock_seconds)
    length = np.interp(score.end, beats, clock_seconds) - written
    jitter = np.clip(rng.normal(0, JITTER_SECONDS, len(written)), -3 * JITTER_SECONDS, 3 * JITTER_SECONDS)
    start = written + jitter - MELODY_LEAD_SECONDS * melody
    end = start + np.maximum(length * np.where(melody, 0.98, 0.9), 0.05)
    return Performance(
        start=start,
        end=release(start, end, score.pitch),
        pitch=score.pitch,
        velocity=touch(score, melody, bass, rng),
        pedal=pedalling(score, written),
    )


def write_midi(performance: Performance, path: Path, semitones: int = 0, speed: float = 1.0) -> None:
    """Write `performance` as a MIDI file of one grand-piano track, transposed and `speed` times as fast.

    Notes that leave the keyboard are dropped.
    """
    events: list[tuple[float, int, mido.Message]] = [(0.0, 0, mido.Message("program_change", program=0))]
    for seconds, down in performance.pedal:
        events.append((seconds, 1, mido.Message("control_change", control=64, value=127 if down else 0)))
    columns = (performance.start, performance.end, performance.pitch + semitones, performance.velocity)
    for start, end, pitch, velocity in zip(*(column.tolist() for column in columns), strict=True):
        if pitch in PIANO_PITCHES:
            events.append((end, 0, mido.Message("note_off", note=pitch)))
            events.append((start, 2, mido.Message("note_on", note=pitch, velocity=velocity)))
    midi = mido.MidiFile(ticks_per_beat=5000)  # At MIDI's default of half a second a beat: 10 000 ticks a second.
    track = midi.add_track()
    previous = 0
    for seconds, _, message in sorted(events, key=lambda event: event[:2]):
        tick = round(max(seconds, 0.0) / speed * 10_000)
        track.append(message.copy(time=tick - previous))
        previous = tick
    midi.save(path)


def adapt_midi(source: Path, path: Path, semitones: int = 0, speed: float = 1.0) -> None:
    """Write an expressive MIDI file as it is, but on a grand piano, transposed and `speed` times as fast.

    Bank changes go, and channel 10, which would be drums, becomes channel 1.
    """
    midi = mido.MidiFile(source)
    for track in midi.tracks:
        kept, waiting = [], 0
        for message in track:
            changes = {"time": message.time + waiting}
            if message.type == "control_change" and message.control in (0, 32):
                waiting += message.time
                continue
            waiting = 0
            if message.type in ("note_on", "note_off"):
                changes["note"] = min(max(message.note + semitones, PIANO_PITCHES[0]), PIANO_PITCHES[-1])
            if message.type == "program_change":
                changes["program"] = 0
            if message.type == "set_tempo":
                changes["tempo"] = round(message.tempo / speed)
            if not message.is_meta and getattr(message, "channel", None) == 9:
                changes["channel"] = 0
            kept.append(message.copy(**changes))
        track[:] = kept
    midi.save(path)
