"""Is it learning? A plain answer from what a run's log holds of recordings that it never trained on."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

HELD_OUT = ("v_error/", "heldout/")
"""How the names of held-out errors begin, of music and of the learned vocoder."""
LEAST_MEASURES = 4
MOVES = 0.01
"""A change of an error by less than this share of it is none."""
WORSE = 0.05


@dataclass(frozen=True, kw_only=True)
class LearningVerdict:
    """learning: None where it is too early to say. said: one line."""

    learning: bool | None
    said: str


def verdict(lines: Sequence[Mapping[str, Any]]) -> LearningVerdict:
    """Of a run's log, in order; each measure is the mean of its held-out errors."""
    measures = [(line["step"], error) for line in lines if (error := _error(line)) is not None]
    if len(measures) < LEAST_MEASURES:
        return LearningVerdict(
            learning=None, said=f"is it learning? too early to say: measured {len(measures)} times so far"
        )
    errors = [error for _, error in measures]
    if not all(map(math.isfinite, errors)):
        return LearningVerdict(
            learning=False, said="it is not learning: the held-out error is no number; lower train.learning_rate"
        )
    begun, now, best = errors[0], errors[-1], min(errors)
    moved = f"held-out error {begun:.4g} at first, {now:.4g} now"
    if now > begun * (1 - MOVES):
        return LearningVerdict(
            learning=False,
            said=f"it is not learning: {moved}; lower train.learning_rate, or hear the music it has",
        )
    if now > best * (1 + WORSE):
        where = measures[errors.index(best)][0]
        said = f"it is no longer learning: {moved}, but {best:.4g} after {where} updates; more music would help"
        return LearningVerdict(learning=False, said=said)
    before = errors[-1 - max(1, len(errors) // 4)]
    if now < before * (1 - MOVES):
        return LearningVerdict(learning=True, said=f"it is learning: {moved}, and still falling")
    return LearningVerdict(
        learning=True, said=f"it has learned: {moved}, and hardly falling; more updates will change little"
    )


def _error(line: Mapping[str, Any]) -> float | None:
    """NaN where one of them was not finite, which a log holds as null."""
    errors = [value for name, value in line.items() if name.startswith(HELD_OUT)]
    return sum(math.nan if value is None else value for value in errors) / len(errors) if errors else None
