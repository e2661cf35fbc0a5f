"""Which music a listener wants, and the station that plays it."""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from halfstep.app.serve.limits import RETRY_SECONDS, Limits
from halfstep.app.serve.parameters import (
    AT,
    OVER,
    SEED,
    STEPS,
    TOWARD,
    VARIATION,
    Field,
    Value,
    asked_in,
    condition_fields,
    number,
    whole,
)
from halfstep.app.serve.refusals import BAD_REQUEST, NOT_FOUND, UNAVAILABLE, Refusal
from halfstep.app.serve.station import Station
from halfstep.errors import InputError
from halfstep.generation.model import Model
from halfstep.generation.requests import Piece, RequestError

TUNE_FIELDS = (SEED, STEPS, VARIATION, TOWARD, OVER, AT)
USUAL_DRIFT_SECONDS = 120.0
MOST_RANDOM_SEED = 1 << 32


@dataclass(frozen=True, kw_only=True)
class Tune:
    """An endless piece of a model, from `at` seconds on."""

    model: str
    seed: int
    steps: int
    variation: float | None = None
    toward: int | None = None
    over: float = USUAL_DRIFT_SECONDS
    at: float = 0.0
    asked: tuple[tuple[str, str], ...] = ()

    @property
    def piece(self) -> Piece:
        """As it is asked of the model."""
        return Piece(
            seconds=self.over, seed=self.seed, steps=self.steps, variation=self.variation, toward=self.toward,
            asked=dict(self.asked),
        )  # fmt: skip


class Stations:
    """For every model the one that all hear who ask for nothing else, and those of single pieces. For the event loop's
    thread.
    """

    def __init__(self, models: Mapping[str, Model], limits: Limits, seed: int | None = None) -> None:
        """seed: of the models' own stations; another at each start if None."""
        self._models, self._limits = models, limits
        seed = secrets.randbelow(MOST_RANDOM_SEED) if seed is None else seed
        self._own = {
            name: Tune(model=name, seed=seed, steps=model.manifest.default_steps) for name, model in models.items()
        }
        self._playing: dict[Tune, list[Station]] = {}
        self._asking = condition_fields(model.manifest for model in models.values())

    @property
    def fields(self) -> tuple[Field, ...]:
        """What an endless piece may be asked for."""
        return (*TUNE_FIELDS, *self._asking)

    @property
    def listeners(self) -> int:
        return sum(station.listeners for station in self._all())

    @property
    def running(self) -> int:
        """How many generators there are that make music now."""
        return sum(station.running for station in self._all())

    def tune(self, model: str, values: Mapping[str, Value]) -> Tune:
        """What a request asks for. Refusal for a model that is not served, or steps that it does not serve."""
        loaded = find(self._models, model)
        own = self._own[model]
        if not values:
            return own
        steps = whole(values, "steps") or own.steps
        check_steps(loaded, steps)
        seed = whole(values, "seed")
        return Tune(
            model=model, seed=own.seed if seed is None else seed, steps=steps, variation=number(values, "variation"),
            toward=whole(values, "toward"), over=number(values, "over") or USUAL_DRIFT_SECONDS,
            at=number(values, "at") or 0.0, asked=tuple(asked_in(values, self._asking, loaded.manifest).items()),
        )  # fmt: skip

    def is_own(self, tune: Tune) -> bool:
        """Whether it is what all hear who ask for nothing else."""
        return tune == self._own[tune.model]

    def station(self, tune: Tune) -> Station:
        """The one to join. Refusal where there are too many listeners, or pieces, already."""
        self.forget_idle()
        if self.listeners >= self._limits.listeners:
            raise Refusal(UNAVAILABLE, "as many listeners as this server takes; try again soon", RETRY_SECONDS)
        there = self._playing.get(tune, [])
        for station in there:
            # Who joins hears the last seconds first: of a piece that has just begun, all of it.
            if self.is_own(tune) or station.seconds <= self._limits.burst_seconds:
                return station
        if not self.is_own(tune):
            self._make_room()
        return self._new(tune)

    def forget_idle(self) -> None:
        """Pieces that nobody has listened to for a while are gone."""
        oldest = time.monotonic() - self._limits.idle_seconds
        for station in [station for station in self._pieces() if not station.listeners]:
            if station.idle_since <= oldest:
                self._forget(station)

    def forget_idle_later(self) -> None:
        """The same, once that while has passed."""
        asyncio.get_running_loop().call_later(self._limits.idle_seconds + 0.1, self.forget_idle)

    def end(self) -> None:
        """All listeners are sent away."""
        for station in self._all():
            station.end()

    def finish(self) -> None:
        """Wait until nothing is made any more; after `end`."""
        for station in self._all():
            station.finish()

    def _new(self, tune: Tune) -> Station:
        model = self._models[tune.model]
        first = round(tune.at * model.manifest.mel.frames_per_second)
        name = f"model {tune.model}, seed {tune.seed}, {tune.steps} steps"
        station = Station(
            name, lambda: model.passages(tune.piece, first), model.manifest.mel, self._limits, self._forget
        )
        self._playing.setdefault(tune, []).append(station)
        return station

    def _make_room(self) -> None:
        """For one more piece, in place of one that nobody listens to."""
        pieces = self._pieces()
        if len(pieces) < self._limits.pieces:
            return
        idle = [station for station in pieces if not station.listeners]
        if not idle:
            raise Refusal(
                UNAVAILABLE,
                "as many pieces at once as this server plays; try again soon",
                RETRY_SECONDS,
            )
        self._forget(min(idle, key=lambda station: station.idle_since))

    def _forget(self, station: Station) -> None:
        for tune, stations in list(self._playing.items()):
            if station in stations:
                stations.remove(station)
                if not stations:
                    del self._playing[tune]

    def _pieces(self) -> list[Station]:
        return [one for tune, stations in self._playing.items() if not self.is_own(tune) for one in stations]

    def _all(self) -> list[Station]:
        return [station for stations in self._playing.values() for station in stations]


def find(models: Mapping[str, Model], name: str) -> Model:
    """One of the models that are served. Refusal for another."""
    if name not in models:
        raise Refusal(NOT_FOUND, f"no such model; these are served: {', '.join(models)}")
    return models[name]


def check_steps(model: Model, steps: int) -> None:
    """Refusal for a number that the model does not serve."""
    served = model.manifest.steps
    if steps not in served:
        raise Refusal(BAD_REQUEST, f"steps: {' or '.join(map(str, served))} was expected")


def said(error: InputError, models: Mapping[str, Model]) -> str:
    """The line of an error without the paths of this machine."""
    text = error.named({}) if isinstance(error, RequestError) else str(error)
    for name, model in models.items():
        text = text.replace(str(model.folder.path), name)
    return text


Clean = Callable[[InputError], str]
