"""What a run can be asked for: named conditions, fitted to its data set, and given with every batch it trains on."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from halfstep.arrays import Bool, Float, Float32
from halfstep.atomic import write_json
from halfstep.conditioning import (
    MOST_CONDITIONS,
    MOST_VALUES,
    WEIGHT,
    Conditions,
    LabelCondition,
    NamedCondition,
    NumberCondition,
    Weights,
    condition_from,
    condition_members,
)
from halfstep.data.dataset import Library, Track
from halfstep.data.measured import MEASURES
from halfstep.data.stores import LOG_MEL
from halfstep.data.windows import Windows
from halfstep.errors import NamedError, unbraced
from halfstep.fields import Fields, read_json
from halfstep.training.example import Example

FILE_NAME = "conditions.json"
FORMAT = 1
RESTORE = "restore it, or train again"
FITTED_WINDOWS = 256
"""By which the values of what is measured are chosen."""
WEIGHED = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?")
QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)


@dataclass(frozen=True, kw_only=True)
class ConditionsConfig:
    """names: what the model can be asked for, each a name that the data set labels its tracks with, or else one of
    MEASURES, which is measured of every window.

    dropout: how often a clip comes without any, so that the network knows all music too, which guidance needs
    (Ho & Salimans 2022, arXiv:2207.12598, algorithm 1). dropout_each: how often one of several is left out, so that
    each can be asked for alone.

    weights: LABEL:weight, for labels of the tracks: how many times likelier than by its length alone a track with it is
    drawn in training, so that a small kind of music is not drowned by a large one.
    """

    names: tuple[str, ...] = ()
    dropout: float = 0.1
    dropout_each: float = 0.25
    weights: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or len(self.names) > MOST_CONDITIONS:
            raise ValueError(f"names is {self.names}: at most {MOST_CONDITIONS} different ones were expected")
        for name in ("dropout", "dropout_each"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 up to, not including, 1 was expected")
        for text in self.weights:
            label, _, weight = text.rpartition(WEIGHT)
            if not (label and WEIGHED.fullmatch(weight) and float(weight) > 0):
                raise ValueError(f"weights is {self.weights}: LABEL:weight was expected, each weight above 0")

    def weigh(self, library: Library) -> Callable[[Track], float] | None:
        """What each track weighs in the draw; None: by its length alone. InputError for a label that no track has."""
        weights = {label: float(weight) for label, _, weight in (text.rpartition(WEIGHT) for text in self.weights)}

        def labels(track: Track) -> list[str]:
            return [label for name in self.names for label in track.labels.get(name, ())]

        known = {label for track in library.tracks for label in labels(track)}
        if unknown := sorted(weights.keys() - known):
            raise NamedError(
                f"{{settings}} conditions.weights: {unbraced(', '.join(unknown))} is no label by conditions.names; "
                f"tracks have {unbraced(', '.join(sorted(known)) or 'none')}"
            )
        return (lambda track: math.prod(weights.get(label, 1.0) for label in labels(track))) if weights else None


def fitted_conditions(config: ConditionsConfig, library: Library, folder: Path, frames: int) -> Conditions:
    """What a run in `folder` can be asked for: as it was fitted before, or else fitted now, to windows of `frames`, and
    kept there.

    InputError for a name that the data set has not.
    """
    if not config.names:
        return Conditions()
    path = folder / FILE_NAME
    if path.exists():
        return _read(path)
    conditions = Conditions(tuple(_fitted(name, library, frames) for name in config.names))
    if folder.is_dir():
        write_json(path, {"format": FORMAT, "conditions": [condition_members(one) for one in conditions.named]})
    return conditions


def _fitted(name: str, library: Library, frames: int) -> NamedCondition:
    if name in MEASURES and not library.labels(name):
        return _measured(name, library, frames)
    values = library.labels(name)
    if not 2 <= len(values) <= MOST_VALUES:
        has = ", ".join(sorted({name for track in library.tracks for name in track.labels})) or "nothing"
        raise NamedError(
            f"{{settings}} conditions.names: {name} labels the training tracks with {len(values)} values, 2 to "
            f"{MOST_VALUES} were expected (they are labelled with {has}); prepare the data set with {{label}} "
            f"{name}=folders"
        )
    return LabelCondition(name=name, values=values)


def _measured(name: str, library: Library, frames: int) -> NamedCondition:
    """Its values: all labels that occur, or numbers between which equally many windows lie."""
    if library.stores != LOG_MEL or library.width != library.mel.rows:
        raise NamedError(
            f"{{settings}} conditions.names: {name} is measured of log bands; what is learned here has none"
        )
    windows = Windows(library, "train", frames)
    clips = windows.evenly(min(FITTED_WINDOWS, windows.count * 4))
    measured = [measured_of(name, clip, library) for clip in clips]
    labels = sorted({one for one in measured if isinstance(one, str) and one})
    numbers = np.array([one for one in measured if not isinstance(one, str) and np.isfinite(one)])
    knots = np.unique(np.round(np.quantile(numbers, QUANTILES), 2)) if len(numbers) else numbers
    if max(len(labels), len(knots)) < 2:
        raise NamedError(
            f"{{settings}} conditions.names: {name} is the same in all windows, or cannot be measured; leave it out"
        )
    if labels:
        return LabelCondition(name=name, values=tuple(labels))
    return NumberCondition(name=name, values=tuple(map(float, knots)), unit=MEASURES[name].unit or "")


def measured_of(name: str, clip: Float32[np.ndarray, "bands frames"], library: Library) -> str | float:
    """One of MEASURES of a standardised window [n_mels, frames]."""
    bands = clip * library.band_std[:, None] + library.band_mean[:, None]
    return MEASURES[name].of(bands[: library.mel.n_mels], library.mel)


def _read(path: Path) -> Conditions:
    fields = Fields(str(path), read_json(path, RESTORE), RESTORE)
    fields.format_number(FORMAT)
    conditions = Conditions(tuple(condition_from(one) for one in fields.objects("conditions", MOST_CONDITIONS)))
    fields.done()
    return conditions


class Conditioning:
    """Gives clips what they can be asked for by."""

    def __init__(self, conditions: Conditions, config: ConditionsConfig, library: Library) -> None:
        self.conditions, self._config, self._library = conditions, config, library

    def of(
        self, clips: Float[np.ndarray, "batch ..."], tracks: Sequence[Track]
    ) -> Float32[np.ndarray, "batch features"]:
        """The vector of each clip [n_mels, frames], by the track it is of and what is measured of it."""
        return self._vectors(clips, tracks, np.ones((len(tracks), len(self.conditions.named)), np.bool_))

    def given(
        self, example: Example, clips: Float[np.ndarray, "batch ..."], tracks: Sequence[Track], rng: np.random.Generator
    ) -> Example:
        """The example with the vector of every clip as its pooled condition, some of it left out by `rng`."""
        named = self.conditions.named
        kept = rng.random((len(tracks), 1)) >= self._config.dropout
        each = rng.random((len(tracks), len(named))) >= (self._config.dropout_each if len(named) > 1 else 0)
        pooled = torch.from_numpy(self._vectors(clips, tracks, kept & each))
        return replace(example, condition=replace(example.condition, pooled=pooled))

    def _vectors(
        self,
        clips: Float[np.ndarray, "batch ..."],
        tracks: Sequence[Track],
        asked: Bool[np.ndarray, "batch conditions"],
    ) -> Float32[np.ndarray, "batch features"]:
        """The vector of each clip, with those conditions in it that are asked for; only they are measured."""
        vectors: list[Weights] = []
        for clip, track, wanted in zip(clips, tracks, asked, strict=True):
            chosen = [one for one, is_wanted in zip(self.conditions.named, wanted, strict=True) if is_wanted]
            vectors.append(self.conditions.vector({one.name: self._weights(one, clip, track) for one in chosen}))
        return np.stack(vectors)

    def _weights(self, one: NamedCondition, clip: np.ndarray, track: Track) -> Weights:
        if one.name in track.labels or one.name not in MEASURES:
            assert isinstance(one, LabelCondition), "tracks have labels"
            return one.of_labels(track.labels.get(one.name, ()))
        measured = measured_of(one.name, clip, self._library)
        if isinstance(one, LabelCondition):
            return one.of_labels([str(measured)])
        return one.of_number(float(measured))
