"""Controls of the measures of music: each is made worse on purpose by what it should hear, and left alone by the rest.

The judges' controls ask whether a distance grows (`metrics/controls.py`); here every kind of damage says which measure
must fall or rise, by how much at least, against the same windows undamaged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.metrics.controls import FIRST_SEED, HALVES, REPEATED, Spoil, Verdict
from halfstep.metrics.judge import Figure, change

DETUNED_CENTS, DETUNED_SECONDS = 50.0, 0.5
VIBRATO_CENTS, VIBRATO_HZ = 60.0, 5.0
SHUFFLED_SECONDS = (0.1, 0.4)
FADE_SECONDS = 0.005
CLUSTER_SEMITONES = (0, 1, 2, 3)


def detuned(samples: Float32[np.ndarray, "..."], sample_rate: int, numbers: range) -> Float32[np.ndarray, "..."]:
    """Every half second off by another interval of up to half a semitone up or down: a tape that is pulled."""

    def cents(number: int, size: int) -> Float64[np.ndarray, "..."]:
        steps = int(size / sample_rate / DETUNED_SECONDS) + 1
        drawn = np.random.default_rng([FIRST_SEED, number]).uniform(-DETUNED_CENTS, DETUNED_CENTS, steps)
        return np.repeat(drawn, round(DETUNED_SECONDS * sample_rate))[:size]

    return _at_speed(samples, cents, numbers)


def wavering(samples: Float32[np.ndarray, "..."], sample_rate: int, numbers: range) -> Float32[np.ndarray, "..."]:
    """Vibrato of more than half a semitone up and down, five times a second."""

    def cents(number: int, size: int) -> Float64[np.ndarray, "..."]:
        return VIBRATO_CENTS * np.sin(2 * np.pi * VIBRATO_HZ * np.arange(size) / sample_rate)

    return _at_speed(samples, cents, numbers)


def _at_speed(
    samples: Float32[np.ndarray, "..."], cents: Callable[[int, int], Float64[np.ndarray, "..."]], numbers: range
) -> Float32[np.ndarray, "..."]:
    """Read at a speed that differs by `cents(number, size)` [size]; linear between samples, around at the end."""
    size = samples.shape[1]
    spoilt = [
        np.interp(np.cumsum(2 ** (cents(number, size) / 1200)), np.arange(size), one, period=size)
        for one, number in zip(samples, numbers, strict=True)
    ]
    return np.stack(spoilt).astype(np.float32)


def time_shuffled(samples: Float32[np.ndarray, "..."], sample_rate: int, numbers: range) -> Float32[np.ndarray, "..."]:
    """Cut into pieces of .1 to .4 s, drawn for each, which are played in another order."""

    def shuffled(one: Float32[np.ndarray, "..."], number: int) -> Float32[np.ndarray, "..."]:
        rng = np.random.default_rng([FIRST_SEED, number])
        lengths = rng.uniform(*SHUFFLED_SECONDS, int(len(one) / sample_rate / SHUFFLED_SECONDS[0]) + 1)
        pieces = np.split(one, np.unique(np.minimum(np.cumsum(lengths) * sample_rate, len(one)).astype(int))[:-1])
        return np.concatenate([_faded(pieces[k], sample_rate) for k in rng.permutation(len(pieces))])

    return np.stack([shuffled(one, number) for one, number in zip(samples, numbers, strict=True)])


def _faded(piece: Float32[np.ndarray, "..."], sample_rate: int) -> Float32[np.ndarray, "..."]:
    """Silent at its ends: a click is no onset of the music."""
    at = np.minimum(np.arange(len(piece)), np.arange(len(piece))[::-1]) / (FADE_SECONDS * sample_rate)
    return (piece * np.minimum(at, 1)).astype(np.float32)


def backwards(samples: Float32[np.ndarray, "..."], sample_rate: int, numbers: range) -> Float32[np.ndarray, "..."]:
    """The end first: what died away swells."""
    return np.ascontiguousarray(samples[:, ::-1])


def clusters(samples: Float32[np.ndarray, "..."], sample_rate: int, numbers: range) -> Float32[np.ndarray, "..."]:
    """Played at four speeds a semitone apart at once: in tune, and in no key."""
    at = np.arange(samples.shape[1])
    layers = [
        np.stack([np.interp(at * 2 ** (k / 12), at, one, period=len(one)) for one in samples])
        for k in CLUSTER_SEMITONES
    ]
    return (np.sum(layers, axis=0) / len(layers)).astype(np.float32)


MUSIC_SPOILT: dict[str, Spoil] = {
    "detuned": detuned, "wavering": wavering, "time-shuffled": time_shuffled, "backwards": backwards,
    "clusters": clusters,
}  # fmt: skip
FALLS, RISES, STAYS = "falls", "rises", "stays"


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a measure must do: fall or rise by `least` (stay: move by no more)."""

    measure: str
    does: str
    least: float


EXPECTED: dict[str, tuple[Expected, ...]] = {
    "detuned": (
        Expected(measure="tuning", does=FALLS, least=0.3),
        Expected(measure="pulse", does=STAYS, least=0.1),
    ),
    "wavering": (Expected(measure="held_share", does=FALLS, least=0.5),),
    "time-shuffled": (
        Expected(measure="pulse", does=FALLS, least=0.05),
        Expected(measure="held_share", does=FALLS, least=0.1),
        Expected(measure="durations", does=RISES, least=0.1),
        Expected(measure="tuning", does=STAYS, least=0.1),
    ),
    "backwards": (
        Expected(measure="decay_db_per_second", does=RISES, least=3.0),
        Expected(measure="tuning", does=STAYS, least=0.02),
        Expected(measure="held_share", does=STAYS, least=0.05),
        Expected(measure="pitch_class_entropy", does=STAYS, least=0.02),
    ),
    "clusters": (
        Expected(measure="pitch_class_entropy", does=RISES, least=0.1),
        Expected(measure="intervals", does=RISES, least=0.1),
    ),
    "white noise": (
        Expected(measure="tuning", does=FALLS, least=0.4),
        Expected(measure="held_share", does=FALLS, least=0.5),
        Expected(measure="pitch_class_entropy", does=RISES, least=0.1),
        Expected(measure="pulse", does=FALLS, least=0.05),
        Expected(measure="notes_per_second", does=FALLS, least=0.5),
        Expected(measure="polyphony", does=FALLS, least=0.2),
        Expected(measure="intervals", does=RISES, least=0.1),
        Expected(measure="durations", does=RISES, least=0.2),
    ),
    "low-pass 4 kHz": (
        Expected(measure="tuning", does=STAYS, least=0.02),
        Expected(measure="held_share", does=STAYS, least=0.02),
        Expected(measure="decay_db_per_second", does=STAYS, least=1.0),
        Expected(measure="pitch_class_entropy", does=STAYS, least=0.02),
    ),
    REPEATED: (Expected(measure="pitch_class_entropy", does=FALLS, least=0.1),),
}
"""By row of the controls: what is asked of which measure. What is not named here is not claimed."""


def music_verdicts(figures: Mapping[str, Mapping[str, Figure]]) -> list[Verdict]:
    """Of `figures[row][measure]`, rows HALVES and those of EXPECTED, judged with one seed.

    A measure falls or rises if it moves by `least`, and the interval of its change, window by window, does not hold 0;
    it stays if it moves by no more than `least`. A measure with no value in the damaged music, because there is nothing
    left to measure, has fallen.
    """
    return [
        Verdict(control=row, measure=one.measure, passed=not (why := _failing(one, figures, row)), why=why)
        for row, asked in EXPECTED.items()
        for one in asked
    ]


def _failing(asked: Expected, figures: Mapping[str, Mapping[str, Figure]], row: str) -> str:
    before, after = figures[HALVES][asked.measure], figures[row][asked.measure]
    said = f"{before.value:.3g} before, {after.value:.3g} after"
    if not np.isfinite(before.value):
        return "the music itself has none"
    if not np.isfinite(after.value):
        return f"{said}: it should stay" if asked.does == STAYS else ""
    moved = change(before, after)
    if asked.does == STAYS:
        return "" if abs(moved.value) <= asked.least else f"{said}: it should move by {asked.least:g} at most"
    way = 1 if asked.does == RISES else -1
    clear = way * ((moved.low if way > 0 else moved.high) or 0) > 0
    enough = way * moved.value >= asked.least
    wanted = f"{said}: it should {'rise' if way > 0 else 'fall'} by {asked.least:g} at least"
    return "" if clear and enough else wanted + ("" if clear else ", by more than chance")
