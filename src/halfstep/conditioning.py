"""What a model can be asked for beside a seed: named conditions, labels or numbers, and what a network sees of them.

Every condition is a row of values and what is asked of it a weight a value: labels as they are asked for, a number
between the two values next to it. Nothing asked is no weight at all. The network sees all weights as one vector, so a
mixture of labels, a drift from one to another and a number are all the same to it.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.chord_names import Chord, read_chords
from halfstep.audio.guide import CHORDS
from halfstep.errors import InputError, NamedError, unbraced
from halfstep.fields import Fields

Asked: TypeAlias = str | float | Mapping[str, float]
"""Of one condition: NAME[:weight],... or a number as text, or what that means; text may drift, from..to or further."""
Weights: TypeAlias = Float32[np.ndarray, "features"]

LABEL, NUMBER = "label", "number"
TEMPO, DENSITY, KEY = "tempo", "density", "key"
"""Conditions that say how many beats there are in a minute, how many onsets in a second, and which notes are at home.
"""
DRIFT, AMONG, WEIGHT = "..", ",", ":"
MOST_CONDITIONS, MOST_VALUES, LONGEST_LABEL = 16, 256, 64
LARGEST_VALUE = 1e9
LEAST_SHARE = 0.05
MOST_FEATURES = 1024
NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
"""Of a condition: it is an argument in Python, and an option where `-` stands for `_`."""
RESERVED = frozenset(
    {"seconds", "seed", "steps", "context", "into", "loop", "variation", "toward", "vocoder", "sampler", "respacing"}
    | {"loudness", "progress", "recording", "start", "stop", "block_seconds", "over_seconds", "self", "strength"}
    | {"guide"}
)
"""Names that say something else already to `Model.generate`, `stream`, `mend` and `restyle`."""
NOT_IN_LABELS = re.compile(rf"[{AMONG}{WEIGHT}]|\.\.+|[^ -~\w]")


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """By which the labels of a condition are told apart: a logit each, weights @ features + bias, where the features
    are `audio.timbre` of a window. weights: a row a label.
    """

    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float, ...]

    def shares(self, features: Float64[np.ndarray, "windows features"]) -> Float64[np.ndarray, "labels"]:
        """How much of windows is of each label, [labels], 1 together: the mean of what each window says."""
        logits = features @ np.asarray(self.weights).T + np.asarray(self.bias)
        likely = np.exp(logits - logits.max(axis=1, keepdims=True))
        return (likely / likely.sum(axis=1, keepdims=True)).mean(axis=0)


@dataclass(frozen=True, kw_only=True)
class LabelCondition:
    """One or several of `values`, each with a weight above 0; together they weigh 1."""

    name: str
    kind: str = field(default=LABEL, init=False)
    values: tuple[str, ...]
    likeness: Likeness | None = None
    """None where nobody measured what its labels sound like."""

    @property
    def about(self) -> str:
        """What can be asked, in a few words."""
        return f"of {', '.join(self.values)}"

    def weights(self, asked: Asked) -> Weights:
        """A weight a value. InputError for a label that is none of them, or a weight that is not above 0."""
        weights = np.zeros(len(self.values), np.float32)
        for label, weight in self._shares(asked).items():
            if label not in self.values:
                raise refused(self.name, repr(label), f"not known; it is {self.about}")
            if not 0 < weight < math.inf:
                raise refused(self.name, f"{label}:{weight:g}", "a weight above 0 was expected")
            weights[self.values.index(label)] += weight
        return weights / weights.sum()

    def label(self, asked: Asked) -> str:
        """The one that is asked for. InputError as for `weights`, and for several."""
        weights = self.weights(asked)
        if np.count_nonzero(weights) != 1:
            raise refused(self.name, str(asked), "one of its values was expected, no mixture")
        return self.values[int(weights.argmax())]

    def _shares(self, asked: Asked) -> dict[str, float]:
        if isinstance(asked, Mapping) and asked:
            return {str(label): float(weight) for label, weight in asked.items()}
        if not isinstance(asked, str) or not asked.strip():
            raise refused(self.name, repr(asked), f"NAME or NAME:weight,... was expected, {self.about}")
        shares: dict[str, float] = {}
        for part in asked.split(AMONG):
            label, weighted, weight = part.partition(WEIGHT)
            shares[label.strip()] = shares.get(label.strip(), 0.0) + (_number(self.name, weight) if weighted else 1.0)
        return shares

    def known_likeness(self) -> Likeness:
        """InputError where nobody measured what the labels sound like."""
        if self.likeness is None:
            why = "the model does not know what its labels sound like; export it anew, or ask for them by name"
            raise refused(self.name, "", why)
        return self.likeness

    def mixture(self, shares: Float64[np.ndarray, "labels"]) -> dict[str, float]:
        """Label -> its share, 1 together; less than LEAST_SHARE is left out."""
        kept = np.where(shares >= min(LEAST_SHARE, shares.max()), shares, 0)
        mixed = zip(self.values, kept / kept.sum(), strict=True)
        return {label: round(float(share), 2) for label, share in mixed if share > 0}

    def of_labels(self, labels: Sequence[str]) -> Weights:
        """Those of a track, each alike; none that is known is nothing asked."""
        known = [label for label in labels if label in self.values]
        return self.weights(dict.fromkeys(known, 1.0)) if known else np.zeros(len(self.values), np.float32)


@dataclass(frozen=True, kw_only=True)
class NumberCondition:
    """A number from the first to the last of `values`, which rise: its weight is shared by the two next to it."""

    name: str
    kind: str = field(default=NUMBER, init=False)
    values: tuple[float, ...]
    unit: str = ""

    @property
    def about(self) -> str:
        """What can be asked, in a few words."""
        return f"from {self.values[0]:g} to {self.values[-1]:g} {self.unit}".rstrip()

    def weights(self, asked: Asked) -> Weights:
        """A weight a value. InputError for what is no number, or beyond them."""
        return self.of_number(self.number(asked))

    def number(self, asked: Asked) -> float:
        """What is asked for. InputError as for `weights`."""
        if isinstance(asked, Mapping):
            raise refused(self.name, repr(asked), f"a number {self.about} was expected")
        number = _number(self.name, asked)
        if not self.values[0] <= number <= self.values[-1]:
            raise refused(self.name, f"{number:g}", f"a number {self.about} was expected")
        return number

    def of_number(self, number: float) -> Weights:
        """The same of what was measured: beyond the values it counts as the last of them, and NaN as nothing asked."""
        if math.isnan(number):
            return np.zeros(len(self.values), np.float32)
        own = np.eye(len(self.values), dtype=np.float32)
        return np.array([np.interp(number, self.values, row) for row in own], np.float32)


@dataclass(frozen=True, kw_only=True)
class ChordsCondition:
    """Chords by their names, one after the other and again: what leads the music, no network sees it."""

    name: str = CHORDS
    kind: str = field(default=CHORDS, init=False)
    values: tuple[str, ...] = ()
    unit: str = ""

    @property
    def about(self) -> str:
        """What can be asked, in a few words."""
        return "by name, such as Am F C G"

    def chords(self, asked: Asked) -> tuple[Chord, ...]:
        """InputError for what is not of chords."""
        if not isinstance(asked, str):
            raise refused(self.name, repr(asked), "names were expected, such as Am F C G")
        try:
            return read_chords(asked)
        except InputError as fault:
            raise refused(self.name, "", str(fault)) from None

    def weights(self, asked: Asked) -> Weights:
        """None. InputError as for `chords`."""
        self.chords(asked)
        return np.zeros(0, np.float32)


NamedCondition: TypeAlias = LabelCondition | NumberCondition
GuidedCondition: TypeAlias = NamedCondition | ChordsCondition


@dataclass(frozen=True)
class Conditions:
    """All that a model can be asked for; the network sees the weights of those `named` one after another."""

    named: tuple[NamedCondition, ...] = ()
    guided: tuple[GuidedCondition, ...] = ()
    """Those that the network does not see: what leads the music obeys them (`generation.guiding`)."""

    @property
    def all(self) -> tuple[GuidedCondition, ...]:
        """Whatever obeys."""
        return self.named + self.guided

    def has(self, name: str) -> bool:
        """Whether there is one of this name."""
        return any(one.name == name for one in self.all)

    @property
    def width(self) -> int:
        """Of the vector."""
        return sum(len(one.values) for one in self.named)

    @property
    def columns(self) -> tuple[tuple[str, str], ...]:
        """Of every number of the vector: the name of its condition, and the label, or the place among the values of a
        number, which other data spaces otherwise.
        """
        return tuple(
            (one.name, value if isinstance(value, str) else str(place))
            for one in self.named
            for place, value in enumerate(one.values)
        )

    def vector(self, weights: Mapping[str, Weights]) -> Weights:
        """[width]: the weights of each condition, 0 for one that is not among them."""
        parts = [weights.get(one.name, np.zeros(len(one.values), np.float32)) for one in self.named]
        return np.concatenate([np.zeros(0, np.float32), *parts])

    def condition(self, name: str, model: str) -> GuidedCondition:
        """The one of this name. InputError where `model` has none."""
        known = {one.name: one for one in self.all}
        if name not in known:
            has = ", ".join(known) or "none"
            raise refused(name, "", f"model {model} has no such control (it has {has}); leave it out")
        return known[name]

    def course(self, asked: Mapping[str, Asked], model: str) -> "Course":
        """What is asked for as a vector, along a drift where there is one. InputError for a condition that `model` has
        not, a value that it does not know, or a drift of what leads it.
        """
        stops: dict[str, list[Weights]] = {}
        for name, what in asked.items():
            known = self.condition(name, model)
            parts = what.split(DRIFT) if isinstance(what, str) else [what]
            if len(parts) > 1 and known in self.guided:
                why = f"model {model} is led to it by strokes or chords, which do not drift; give one"
                raise refused(name, str(what), why)
            stops[name] = [known.weights(part) for part in parts]
        return Course(self, stops)


@dataclass(frozen=True)
class Course:
    """What is asked of every condition: one row of weights, or several that it drifts along, evenly."""

    conditions: Conditions
    stops: Mapping[str, Sequence[Weights]]

    @property
    def drifts(self) -> bool:
        """Whether anything changes along the way."""
        return any(len(stops) > 1 for stops in self.stops.values())

    def at(self, share: float) -> Weights:
        """The vector [width] at a share of the way, 0 to 1; what is beyond an end is as at that end."""
        return self.conditions.vector({name: _along(stops, share) for name, stops in self.stops.items()})


Along: TypeAlias = Callable[[float], Weights]
"""Frame of a piece -> the vector that is asked for there."""


def _along(stops: Sequence[Weights], share: float) -> Weights:
    place = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    first = min(int(place), max(0, len(stops) - 2))
    rest = np.float32(place - first)
    return stops[first] if len(stops) == 1 else (1 - rest) * stops[first] + rest * stops[first + 1]


def _number(name: str, value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        raise refused(name, repr(value), "a number was expected") from None


def refused(name: str, asked: str, why: str) -> NamedError:
    """What to raise for something asked of the condition `name`."""
    return NamedError(f"{{{name}}}{' ' if asked else ''}{unbraced(asked)}: {unbraced(why)}")


def plain_label(text: str) -> str:
    """A label as it can be asked for: what parts labels, or cannot be printed, is a `-`."""
    return NOT_IN_LABELS.sub("-", " ".join(text.split()))[:LONGEST_LABEL].strip()


def condition_from(fields: Fields) -> NamedCondition:
    """A condition as JSON has it, every value checked. InputError as of `Fields`."""
    kind = fields.choice("kind", READERS)
    name = fields.text("name", 32)
    if not NAME.fullmatch(name) or name in RESERVED:
        raise fields.fail("name", name, "lower-case letters, digits and _, and no argument's name")
    condition = READERS[kind](fields, name)
    fields.done()
    return condition


def _label_from(fields: Fields, name: str) -> LabelCondition:
    values = fields.texts("values", MOST_VALUES, LONGEST_LABEL)
    if len(set(values)) != len(values) or any(plain_label(value) != value or not value for value in values):
        raise fields.fail("values", values, "different labels")
    likeness = _likeness_from(fields, len(values)) if fields.has("likeness") else None
    return LabelCondition(name=name, values=values, likeness=likeness)


def _likeness_from(outer: Fields, labels: int) -> Likeness:
    fields = outer.inside("likeness")
    bias = fields.numbers("bias", labels, -LARGEST_VALUE, LARGEST_VALUE)
    rows = fields.number_rows("weights", labels, MOST_FEATURES, -LARGEST_VALUE, LARGEST_VALUE)
    fields.done()
    return Likeness(weights=rows, bias=bias)


def condition_members(condition: NamedCondition) -> dict[str, object]:
    """A condition for JSON, as `condition_from` reads it."""
    members: dict[str, object] = asdict(condition)
    if members.get("likeness", 0) is None:
        del members["likeness"]  # older versions read it then
    return members


def shown(condition: GuidedCondition) -> dict[str, object]:
    """What a user may know of it: all but the numbers by which a recording is compared with its labels."""
    return {name: value for name, value in asdict(condition).items() if name != "likeness"}


def _number_from(fields: Fields, name: str) -> NumberCondition:
    values = fields.number_list("values", MOST_VALUES, -LARGEST_VALUE, LARGEST_VALUE)
    if len(values) < 2 or any(after <= before for before, after in pairwise(values)):
        raise fields.fail("values", values, "two or more numbers that rise")
    return NumberCondition(name=name, values=values, unit=fields.text("unit", 32))


READERS: dict[str, Callable[[Fields, str], NamedCondition]] = {LABEL: _label_from, NUMBER: _number_from}
