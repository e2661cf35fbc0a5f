"""MIDI files: their notes in seconds, every change of tempo honoured. Read by mido, the extra `midi`."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from halfstep.errors import InputError
from halfstep.fields import open_regular

MAGIC = b"MThd"
SUFFIXES = (".mid", ".midi")
MOST_BYTES = 4 << 20
MOST_SECONDS = 900.0
MOST_NOTES = 100_000
MOST_SOUNDING_SECONDS = 20_000.0
"""Of all notes together: a quarter of an hour of 22 voices."""
PERCUSSION = 9
"""The channel that has drums, counted from 0."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """start, end: seconds. pitch: MIDI's number, 69 is the A of 440 Hz; of a drum, which one. velocity: 1 to 127."""

    start: float
    end: float
    pitch: int
    velocity: int
    drum: bool


@dataclass(frozen=True, kw_only=True)
class Score:
    """Notes in the order in which they begin, and how long the whole is: to the end of its longest track."""

    notes: tuple[Note, ...]
    seconds: float


def is_midi(path: Path) -> bool:
    """By its name, or its first bytes. InputError for what is no file; OSError where it cannot be read."""
    if path.suffix.lower() in SUFFIXES:
        return True
    with open_regular(path) as file:
        return file.read(len(MAGIC)) == MAGIC


def read_midi(path: Path) -> Score:
    """InputError for a file that is no MIDI, has no notes, or too much of anything; OSError where it cannot be read."""
    with open_regular(path) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(f"{path}: more than {MOST_BYTES >> 20} MB of MIDI; cut it")
    try:
        messages = _messages(data)
    except ImportError:
        raise
    except Exception as fault:  # mido raises a dozen kinds for a file that is none
        reason = " ".join(str(fault).split())[:100] or type(fault).__name__
        raise InputError(f"{path}: not a MIDI file that can be read ({reason})") from None
    score = _score(messages, path)
    if not score.notes:
        raise InputError(f"{path}: no notes in it")
    if sum(note.end - note.start for note in score.notes) > MOST_SOUNDING_SECONDS:
        raise InputError(f"{path}: its notes last {MOST_SOUNDING_SECONDS:g} s and more, all together; cut it")
    return score


def _messages(data: bytes) -> list[tuple[float, Any]]:
    """Seconds from the beginning -> message, for all of them."""
    import mido

    if data[: len(MAGIC)] != MAGIC:
        raise ValueError(f"it does not begin with {MAGIC.decode()}")
    file = mido.MidiFile(file=io.BytesIO(data), clip=True)
    if file.ticks_per_beat <= 0:
        raise ValueError("its time is counted in frames of film, not in beats")
    now, messages = 0.0, list[tuple[float, Any]]()
    for message in file:  # merged, its times in seconds since the one before
        now += message.time
        messages.append((now, message))
    return messages


def _score(messages: list[tuple[float, Any]], path: Path) -> Score:
    seconds = messages[-1][0] if messages else 0.0
    if not seconds <= MOST_SECONDS:
        raise InputError(f"{path}: {seconds:.0f} s of MIDI, at most {MOST_SECONDS:g} can be followed; cut it")
    sounding: dict[tuple[int, int], tuple[float, int]] = {}
    notes: list[Note] = []

    def ended(key: tuple[int, int], at: float) -> None:
        if key in sounding:
            (channel, pitch), (start, velocity) = key, sounding.pop(key)
            notes.append(
                Note(start=start, end=at, pitch=pitch, velocity=velocity, drum=channel == PERCUSSION)
            )  # fmt: skip

    for at, message in messages:
        if message.type not in ("note_on", "note_off"):
            continue
        key = (message.channel, message.note)
        ended(key, at)
        if message.type == "note_on" and message.velocity:
            sounding[key] = (at, message.velocity)
        if len(notes) > MOST_NOTES:
            raise InputError(f"{path}: more than {MOST_NOTES} notes; cut it")
    for key in list(sounding):
        ended(key, seconds)
    return Score(notes=tuple(sorted(notes, key=lambda note: (note.start, note.pitch))), seconds=seconds)
