"""What a run can be asked for: named conditions, fitted to its data set, and given with every batch it trains on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from halfstep.arrays import Float32
from halfstep.atomic import write_json
from halfstep.conditioning import (
    MOST_CONDITIONS,
    MOST_VALUES,
    Conditions,
    LabelCondition,
    condition_from,
    condition_members,
)
from halfstep.data.dataset import Library, Track
from halfstep.errors import NamedError
from halfstep.fields import Fields, read_json
from halfstep.training.example import Example

FILE_NAME = "conditions.json"
FORMAT = 1
RESTORE = "restore it, or train anew"


@dataclass(frozen=True, kw_only=True)
class ConditionsConfig:
    """names: what the model can be asked for, each a name that the data set labels its tracks with.

    dropout: how often a clip comes without any, so that the network knows all music too, which guidance needs
    (Ho & Salimans 2022, arXiv:2207.12598, algorithm 1). dropout_each: how often one of several is left out, so that
    each can be asked for alone.
    """

    names: tuple[str, ...] = ()
    dropout: float = 0.1
    dropout_each: float = 0.25

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names) or len(self.names) > MOST_CONDITIONS:
            raise ValueError(f"names is {self.names}: at most {MOST_CONDITIONS} different ones were expected")
        for name in ("dropout", "dropout_each"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: 0 up to, not including, 1 was expected")


def fitted_conditions(config: ConditionsConfig, library: Library, folder: Path) -> Conditions:
    """What a run in `folder` can be asked for: as it was fitted before, or else fitted now and kept there.

    InputError for a name that the data set has not.
    """
    if not config.names:
        return Conditions()
    path = folder / FILE_NAME
    if path.exists():
        return _read(path)
    conditions = Conditions(tuple(_labels(name, library) for name in config.names))
    if folder.is_dir():
        write_json(path, {"format": FORMAT, "conditions": [condition_members(one) for one in conditions.named]})
    return conditions


def _labels(name: str, library: Library) -> LabelCondition:
    values = library.labels(name)
    if not 2 <= len(values) <= MOST_VALUES:
        has = ", ".join(sorted({name for track in library.tracks for name in track.labels})) or "nothing"
        raise NamedError(
            f"{{settings}} conditions.names: {name} labels the training tracks with {len(values)} values, 2 to "
            f"{MOST_VALUES} were expected (they are labelled with {has}); prepare the data set with {{label}} "
            f"{name}=folders"
        )
    return LabelCondition(name=name, values=values)


def _read(path: Path) -> Conditions:
    fields = Fields(str(path), read_json(path, RESTORE), RESTORE)
    fields.format_number(FORMAT)
    conditions = Conditions(tuple(condition_from(one) for one in fields.objects("conditions", MOST_CONDITIONS)))
    fields.done()
    return conditions


class Conditioning:
    """Gives clips what they can be asked for by."""

    def __init__(self, conditions: Conditions, config: ConditionsConfig) -> None:
        self.conditions, self._config = conditions, config

    def of(self, tracks: Sequence[Track]) -> Float32[np.ndarray, "batch features"]:
        """The vector of each clip, by the track it is of."""
        return np.stack([self._vector(track) for track in tracks])

    def given(self, example: Example, tracks: Sequence[Track], rng: np.random.Generator) -> Example:
        """The example with the vector of every clip as its pooled condition, some of it left out by `rng`."""
        vectors, named = self.of(tracks), self.conditions.named
        kept = rng.random((len(tracks), 1)) >= self._config.dropout
        each = rng.random((len(tracks), len(named))) >= (self._config.dropout_each if len(named) > 1 else 0)
        features = np.repeat(kept & each, [len(one.values) for one in named], axis=1)
        pooled = torch.from_numpy(np.where(features, vectors, np.float32(0)))
        return replace(example, condition=replace(example.condition, pooled=pooled))

    def _vector(self, track: Track) -> Float32[np.ndarray, "features"]:
        return self.conditions.vector(
            {one.name: one.of_labels(track.labels.get(one.name, ())) for one in self.conditions.named
             if isinstance(one, LabelCondition)}
        )  # fmt: skip
