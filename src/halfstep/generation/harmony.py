"""Chords that lead music along in a key: passages of two phrases, each phrase from the tonic on, drawn from a seed.
Browsers lay the same (`app/page/site/harmony.js`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.chord_names import KINDS, Chord
from halfstep.audio.chroma import CLASSES, KEYS, NOTES
from halfstep.audio.files.midi import Note
from halfstep.audio.guide import chords, smoothing_reach
from halfstep.audio.mel import MelConfig
from halfstep.audio.tones import tone_bands

CHORD_SECONDS, CHORD_BEATS = 2.5, 4
"""How long one stands, without a tempo and with one."""
PHRASE, PASSAGE, PLAYED = 4, 8, 2
"""Chords of a phrase and of a passage, and how often a passage comes before the next."""
SLOWEST, FASTEST = 70.0, 110.0
"""Of the tempi that a seed draws, in beats a minute."""
LOW_A = 45
"""The bass of the chord that is measured."""


@dataclass(frozen=True)
class Mode:
    """Chords of a key, the tonic first: semitones from the tonic to the root, and the kind; how likely each follows
    each; and how likely each ends a passage, so that it leads back to the tonic. Our own, of common practice.
    """

    chords: tuple[tuple[int, str], ...]
    follow: tuple[tuple[float, ...], ...]
    last: tuple[float, ...]


MAJOR = Mode(  # I ii iii IV V vi
    chords=((0, ""), (2, "m"), (4, "m"), (5, ""), (7, ""), (9, "m")),
    follow=(
        (0, 0.15, 0.05, 0.3, 0.25, 0.25), (0, 0, 0, 0.25, 0.75, 0), (0, 0, 0, 0.4, 0, 0.6),
        (0.2, 0.2, 0, 0, 0.4, 0.2), (0.4, 0, 0, 0.2, 0, 0.4), (0, 0.3, 0.1, 0.4, 0.2, 0),
    ),
    last=(0, 0, 0, 0.3, 0.7, 0),
)  # fmt: skip
MINOR = Mode(  # i III iv V VI VII
    chords=((0, "m"), (3, ""), (5, "m"), (7, ""), (8, ""), (10, "")),
    follow=(
        (0, 0.1, 0.3, 0.1, 0.3, 0.2), (0, 0, 0.3, 0, 0.4, 0.3), (0.25, 0, 0, 0.4, 0.15, 0.2),
        (0.6, 0, 0, 0, 0.4, 0), (0, 0.25, 0.25, 0.2, 0, 0.3), (0.35, 0.35, 0, 0, 0.3, 0),
    ),
    last=(0, 0, 0.25, 0.6, 0, 0.15),
)  # fmt: skip


class Progression:
    """Chords without end: number -> chord. key: one of KEYS, or None for the one that the seed draws. tempo: what the
    seed draws, in beats a minute.
    """

    def __init__(self, key: str | None, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        drawn = KEYS[int(len(KEYS) * self._rng.random())]  # in any case: the same passages in every key
        self.tempo = float(SLOWEST * (FASTEST / SLOWEST) ** self._rng.random())
        self.key = drawn if key is None else key
        self._tonic = NOTES.index(self.key.removesuffix("m"))
        self._mode = MINOR if self.key.endswith("m") else MAJOR
        self._passages: list[list[int]] = []

    def __call__(self, number: int) -> Chord:
        passage, place = number // (PASSAGE * PLAYED), number % PASSAGE
        while len(self._passages) <= passage:
            self._passages.append(self._passage())
        root, kind = self._mode.chords[self._passages[passage][place]]
        return Chord((self._tonic + root) % CLASSES, kind)

    def _passage(self) -> list[int]:
        drawn: list[int] = []
        for place in range(PASSAGE):
            if place % PHRASE == 0:
                drawn.append(0)
            else:
                drawn.append(self._one(self._mode.last if place == PASSAGE - 1 else self._mode.follow[drawn[-1]]))
        return drawn

    def _one(self, chances: tuple[float, ...]) -> int:
        """A chord by its chances."""
        rest = self._rng.random()
        for which, chance in enumerate(chances):
            rest -= chance
            if rest < 0:
                return which
        return max(which for which, chance in enumerate(chances) if chance)  # the chances add up to 1, but for rounding


@cache
def chord_shapes(mel: MelConfig) -> dict[str, Float64[np.ndarray, "12"]]:
    """Kind of a chord -> how much of each pitch class sounds in the one on A, as a guide has it: of struck tones."""
    shapes: dict[str, Float64[np.ndarray, "12"]] = {}
    for kind, notes in KINDS.items():
        pitches = (LOW_A, *(LOW_A + CLASSES + note for note in notes))
        struck = [Note(start=0, end=CHORD_SECONDS, pitch=pitch, velocity=90, drum=False) for pitch in pitches]
        rows = chords(tone_bands(struck, CHORD_SECONDS, mel), mel)
        quarter = rows.shape[1] // 4
        shape = rows[:, quarter:-quarter].mean(axis=1, dtype=np.float64)
        shapes[kind] = shape / shape.max()
    return shapes


def chord_rows(
    chord_at: Callable[[int], Chord],
    places: Float64[np.ndarray, "places"],
    chord_frames: float,
    mel: MelConfig,
    count: int | None = None,
) -> Float32[np.ndarray, "12 places"]:
    """What sounds at places among the frames of a piece, 0 and later, of chords by number, each for so many frames;
    after `count` of them the first comes again. One passes into the next as a guide's chords do, under Hann's bell.
    """
    shapes, reach = chord_shapes(mel), smoothing_reach(mel)
    number = np.floor(places / chord_frames).astype(np.int64)
    past = places - number * chord_frames
    left = chord_frames - past
    near = np.clip(np.minimum(past, left) / reach, 0, 1)
    share = 0.5 + near / 2 + np.sin(np.pi * near) / (2 * np.pi)
    other = np.where(past < left, number - 1, number + 1)
    if count is None:
        other = np.maximum(other, 0)  # before the first there is none
    else:
        number, other = number % count, other % count

    def shape_of(numbers: np.ndarray) -> Float64[np.ndarray, "12 places"]:
        known, which = np.unique(numbers, return_inverse=True)
        rows = [np.roll(shapes[chord.kind], chord.root) for chord in map(chord_at, known.tolist())]
        return np.stack(rows, axis=1)[:, which]

    rows = share * shape_of(number) + (1 - share) * shape_of(other)
    return (rows / rows.max(axis=0)).astype(np.float32)
