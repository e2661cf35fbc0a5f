"""Chords by their names: `Am F C G7`."""

import re
from dataclasses import dataclass

from halfstep.audio.chroma import CLASSES, NOTES
from halfstep.errors import InputError

KINDS: dict[str, tuple[int, ...]] = {
    "": (0, 4, 7), "m": (0, 3, 7), "7": (0, 4, 7, 10), "m7": (0, 3, 7, 10), "maj7": (0, 4, 7, 11), "dim": (0, 3, 6),
    "aug": (0, 4, 8), "sus2": (0, 2, 7), "sus4": (0, 5, 7),
}  # fmt: skip
"""What is behind the root -> the notes, in semitones above it."""
CHORD = re.compile(rf"([A-G])([#b]?)({'|'.join(KINDS)})")
BETWEEN = re.compile(r"[\s,|-]+")
MOST_CHORDS = 256


@dataclass(frozen=True)
class Chord:
    """root: a pitch class, from A up. kind: a key of KINDS."""

    root: int
    kind: str


def read_chords(text: str) -> tuple[Chord, ...]:
    """Names between spaces, commas, bars or dashes. InputError for one that is none, for none and for too many."""
    names = [name for name in BETWEEN.split(text) if name]
    if not 1 <= len(names) <= MOST_CHORDS:
        raise InputError(f"{len(names)} chords: 1 to {MOST_CHORDS} were expected, such as Am F C G")
    return tuple(map(_chord, names))


def _chord(name: str) -> Chord:
    parts = CHORD.fullmatch(name)
    if parts is None:
        kinds = ", ".join(kind for kind in KINDS if kind)
        raise InputError(f"{ascii(name)[:20]} is no chord: A to G, with # or b, then nothing or {kinds}")
    note, sign, kind = parts.groups()
    return Chord((NOTES.index(note) + {"#": 1, "b": -1, "": 0}[sign]) % CLASSES, kind)
