"""The parameters that the API takes, each with its bounds: what reads a request is what documents it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from halfstep.app.serve.refusals import BAD_REQUEST, Refusal
from halfstep.bundle import Manifest
from halfstep.conditioning import NAME, TEMPO
from halfstep.errors import NamedError
from halfstep.generation.noise import SEEDS
from halfstep.generation.requests import USUAL_STRENGTH

Value = int | float | bool | str
LONGEST_VALUE, LONGEST_ASKED = 64, 1024
"""Characters of a value; of what is asked of a model, which may be a mixture of many labels."""
TRUE, FALSE = ("1", "true", "on"), ("0", "false", "off")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A parameter of an address. `kind` is integer, number, boolean or string, as OpenAPI has it; a string without
    choices is read by the model.
    """

    name: str
    kind: str
    about: str
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    longest: int = LONGEST_VALUE

    def read(self, text: str) -> Value:
        """The value. Refusal, with what was expected, for another."""
        if len(text) > self.longest:
            raise self._refusal()
        match self.kind:
            case "boolean":
                return self._boolean(text.lower())
            case "string":
                if self.choices and text not in self.choices:
                    raise self._refusal()
                return text
            case _:
                return self._number(text)

    def schema(self) -> dict[str, Any]:
        """As OpenAPI describes it."""
        schema: dict[str, Any] = {"type": self.kind}
        if self.choices:
            schema["enum"] = list(self.choices)
        for key, bound in (("minimum", self.least), ("maximum", self.most)):
            if bound is not None:
                schema[key] = int(bound) if self.kind == "integer" else bound
        return schema

    def _boolean(self, text: str) -> bool:
        if text not in (*TRUE, *FALSE):
            raise self._refusal()
        return text in TRUE

    def _number(self, text: str) -> int | float:
        try:
            value = int(text) if self.kind == "integer" else float(text)
        except ValueError:
            raise self._refusal() from None
        least, most = self.least, self.most
        in_range = math.isfinite(value) and (least is None or value >= least) and (most is None or value <= most)
        if not in_range or "_" in text:
            raise self._refusal()
        return value

    def _refusal(self) -> Refusal:
        if self.kind == "boolean":
            wanted = "true or false"
        elif self.choices:
            wanted = " or ".join(self.choices)
        elif self.kind == "string":
            wanted = f"at most {self.longest} characters"
        else:
            wanted = "a whole number" if self.kind == "integer" else "a number"
            wanted += f" from {self.least:g} to {self.most:.20g}" if self.least is not None else ""
        return Refusal(BAD_REQUEST, f"{self.name}: {wanted} was expected")


def read_fields(fields: Sequence[Field], given: Sequence[tuple[str, str]]) -> dict[str, Value]:
    """The values that a query names. Refusal for one that is unknown, there twice, or out of range."""
    known = {field.name: field for field in fields}
    values: dict[str, Value] = {}
    for name, text in given:
        if name not in known:
            raise Refusal(BAD_REQUEST, _unknown(name, known))
        if name in values:
            raise Refusal(BAD_REQUEST, f"{name}: given twice")
        values[name] = known[name].read(text)
    return values


def _unknown(name: str, known: Iterable[str]) -> str:
    """Said of a parameter that is none; only a name that a control could have is repeated."""
    named = f"{name}: " if NAME.fullmatch(name) else ""
    has = ", ".join(known) or "none"
    return f"{named}a parameter that is not known, and no control that a model here has; these are: {has}"


def model_field(models: Iterable[str]) -> Field:
    """Which model, of those that are served."""
    return Field(name="model", kind="string", choices=tuple(models), about="The first one if not given.")


def condition_fields(manifests: Iterable[Manifest]) -> tuple[Field, ...]:
    """A parameter for every condition that one of the models has."""
    about: dict[str, list[str]] = {}
    for manifest in manifests:
        for condition in manifest.asks.all:
            drifts = "" if condition in manifest.asks.guided else "; A..B drifts"
            about.setdefault(condition.name, []).append(f"{manifest.id}: {condition.kind} {condition.about}{drifts}")
    return tuple(
        Field(name=name, kind="string", about=f"{'. '.join(said)}.", longest=LONGEST_ASKED)
        for name, said in about.items()
    )


def with_tempo(values: Mapping[str, Value], manifest: Manifest, guided: bool) -> Mapping[str, Value]:
    """Music in bars is asked for at their tempo, of a model that knows tempo, as on the command line."""
    if "bpm" not in values or TEMPO in values or not manifest.asks_tempo_of_bars(guided):
        return values
    return {**values, TEMPO: f"{values['bpm']:g}"}


def asked_in(values: Mapping[str, Value], fields: Sequence[Field], manifest: Manifest) -> dict[str, str]:
    """Of the values those that are asked of a model's conditions. Refusal for what it has not."""
    asked = {field.name: str(values[field.name]) for field in fields if field.name in values}
    try:
        manifest.asks.course(asked, manifest.id)
    except NamedError as error:
        raise Refusal(BAD_REQUEST, error.named({})) from error
    return asked


def number(values: Mapping[str, Value], name: str) -> float | None:
    """A number that may not be given."""
    value = values.get(name)
    return None if value is None else float(value)


def whole(values: Mapping[str, Value], name: str) -> int | None:
    """A whole number that may not be given."""
    value = values.get(name)
    return None if value is None else int(value)


MOST_SEED = SEEDS - 1
SEED = Field(name="seed", kind="integer", least=0, most=MOST_SEED, about="Which piece; all of it follows from this.")
STEPS = Field(name="steps", kind="integer", least=1, most=1024, about="Sampling steps, of those that the model serves.")
VARIATION = Field(
    name="variation", kind="number", least=0, most=1, about="How far from the seed's own piece: 0 is itself."
)
TOWARD = Field(
    name="toward", kind="integer", least=0, most=MOST_SEED,
    about="Another seed: where a variation lies, or, without one, where the music drifts to.",
)  # fmt: skip
STRENGTH = Field(
    name="strength", kind="number", least=0, most=1,
    about=f"How much noise the recording is given: 0 is itself, 1 nothing of it; {USUAL_STRENGTH:g} if not given.",
)  # fmt: skip
OVER = Field(name="over", kind="number", least=1, most=86_400, about="Seconds that a drift takes; 120 if not given.")
AT = Field(name="at", kind="number", least=0, most=86_400, about="Seconds into the piece, where to begin.")
