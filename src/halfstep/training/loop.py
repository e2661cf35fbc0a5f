"""THE main loop: `train()` takes any loss, so teacher and student share it."""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.training.checkpoint import CHECKPOINTS, TrainState, load_latest, save_checkpoint
from halfstep.training.ema import Ema
from halfstep.training.example import Example
from halfstep.training.learner import Learner
from halfstep.training.log import open_journal
from halfstep.training.pace import AUTO, COMPILE, OFF, ON, PRECISION
from halfstep.training.sharding import whole
from halfstep.training.stop import Stop
from halfstep.training.team import WHOLE, Part, team


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training, whole: `steps` updates of Adam on batches of `batch_size`, or as many as `epochs` take, or the
    fewer of the two.

    seconds: end after so much time if the updates are not done by then; the rate is annealed by whichever of the two is
    farther on. What such a training gives depends on the machine's speed, so it cannot be had again bit for bit; one
    that goes on after a stop has the whole time once more.
    anneal: "cosine" or "linear" to 0 over all steps, after `warmup_steps` of linear rise, or after half the steps if
    that is sooner. ema_decay 0 is off, and so is clip_norm 0, the largest norm of a gradient.
    precision: "fp32", "bf16" (the network under autocast, loss and form in float32), or "auto", the faster as timed.
    compile: torch.compile, "on", "off" (or true, false), or "auto", where it is timed to pay back (`pace`).
    accumulate: in how many parts, one after another, a process takes its share of a batch. shard: whether the weights
    are split among the processes (`sharding`). batch_size is all processes' together.
    nonfinite_allowed: updates with a non-finite loss or gradient to skip and count before stopping.
    The `_every` are in steps; save_seconds is the longest time between two checkpoints.
    """

    steps: int | None = None
    epochs: int | None = None
    seconds: float | None = None
    batch_size: int = 32
    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 100
    anneal: str = "cosine"
    ema_decay: float = 0.999
    clip_norm: float = 1.0
    nonfinite_allowed: int = 0
    precision: str = "auto"
    compile: str | bool = AUTO
    accumulate: int = 1
    shard: bool = False
    seed: int = 0
    log_every: int = 50
    measure_every: int = 500
    sample_every: int = 2000
    save_seconds: float = 120.0

    def __post_init__(self) -> None:
        if isinstance(self.compile, bool):
            object.__setattr__(self, "compile", ON if self.compile else OFF)
        wanted = [count for count in (self.steps, self.epochs) if count is not None]
        if not wanted or not all(isinstance(count, int) and count >= 1 for count in wanted):
            raise ValueError(f"steps is {self.steps}, epochs {self.epochs}: a whole number from 1 on was expected")
        if self.seconds is not None and not 0 < self.seconds < math.inf:
            raise ValueError(f"seconds is {self.seconds}: a number above 0 or null was expected")
        for name, least in LEAST.items():
            if not getattr(self, name) >= least:
                raise ValueError(f"{name} is {getattr(self, name)}: at least {least} was expected")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate}: a number above 0 was expected")
        if not 0 <= self.clip_norm < math.inf:
            raise ValueError(f"clip_norm is {self.clip_norm}: 0 (off) or a number above it was expected")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas is {self.betas}: two numbers of 0 up to, not including, 1 were expected")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"ema_decay is {self.ema_decay}: 0 (off) up to, not including, 1 was expected")
        for name, table in (("anneal", ANNEAL), ("precision", PRECISION), ("compile", COMPILE)):
            if getattr(self, name) not in table:
                raise ValueError(f"{name} is {getattr(self, name)!r}: one of {', '.join(table)} was expected")

    @property
    def updates(self) -> int:
        """`steps`, once `epochs` have become steps (`total_steps`)."""
        assert self.steps is not None and self.epochs is None
        return self.steps

    @property
    def warmup(self) -> int:
        """Updates of linear rise: however few there are in all, half of them are left to anneal."""
        return min(self.warmup_steps, self.updates // 2)

    def total_steps(self, windows: int) -> int:
        """Updates in all on a data set of `windows` whole windows."""
        in_epochs = None if self.epochs is None else -(-self.epochs * windows // self.batch_size)
        return min(count for count in (self.steps, in_epochs) if count is not None)


LEAST = {
    "batch_size": 1, "log_every": 1, "measure_every": 1, "sample_every": 1, "save_seconds": 0, "warmup_steps": 0,
    "nonfinite_allowed": 0, "seed": 0, "accumulate": 1,
}  # fmt: skip
ANNEAL: dict[str, Callable[[float], float]] = {
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "linear": lambda share: 1 - share,
}


class StepRandom:
    """All randomness of one update, a function of (seed, step): a resumed run draws what the straight one drew.

    Of a part of the batch it is that of these rows, drawn with the whole.
    """

    def __init__(self, seed: int, step: int, device: torch.device, part: Part = WHOLE) -> None:
        self.part = part
        self.rng = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 2, step]))
        self._torch = torch.Generator(device).manual_seed(int(self.rng.integers(2**62)))
        self._device = device

    def noise_like(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Unit Gaussian noise of x's shape and dtype."""
        shape = (self.count(x), *x.shape[1:])
        return self.part.own(torch.randn(shape, generator=self._torch, device=self._device, dtype=x.dtype))

    def count(self, x: Tensor) -> int:
        """Clips of the whole batch of which x is this part: how many of whatever else is drawn there are."""
        return len(x) * self.part.of


Progress: TypeAlias = Callable[[int, int, str], None]
"""(done, of, a line on how it goes)."""

Network = TypeVar("Network", bound=nn.Module)
Seen = TypeVar("Seen", bound=nn.Module, contravariant=True)
LossFn: TypeAlias = Callable[[Network, Example, StepRandom], Tensor]


class Observer(Protocol[Seen]):
    """Looks at the network on the way: figures for the log, samples for the eye and ear."""

    def measure(self, network: Seen, /) -> dict[str, float]:
        """Figures on held-out data."""
        ...

    def sample(self, network: Seen, step: int, /) -> None:
        """Write samples somewhere."""
        ...


class NoObserver:
    """An `Observer` that looks at nothing: while a clock runs, or where the end alone counts."""

    def measure(self, network: nn.Module) -> dict[str, float]:
        return {}

    def sample(self, network: nn.Module, step: int) -> None:
        return None


class NonFiniteLoss(RuntimeError):
    """The loss or a gradient was not finite; the last good checkpoint stands."""


def learning_rate(config: TrainConfig, step: int, share: float = 0.0) -> float:
    """Of update `step` (from 0): linear warm-up, then annealed to 0 at the last, or as `share` of the time is up."""
    warmup = config.warmup
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    rest = max(1, config.updates - warmup)
    return config.learning_rate * ANNEAL[config.anneal](min(1.0, max((step - warmup) / rest, share)))


class Clock:
    """How much of a training's time is up: 0 to 1, always 0 for one without a limit."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds, self._begun = seconds, time.monotonic()

    @property
    def share(self) -> float:
        if self._seconds is None:
            return 0.0
        return team().broadcast(min(1.0, (time.monotonic() - self._begun) / self._seconds))


def train(
    network: Network,
    loss_fn: LossFn[Network],
    batches: Callable[[int], Example],
    folder: Path,
    config: TrainConfig,
    observer: Observer[Network],
    device: torch.device,
    progress: Progress,
) -> Network:
    """Train `network` in place and return its moving average (its own weights with ema_decay 0).

    batches: number -> Example on the CPU, a pure function. The same call again goes on from the last checkpoint in
    `folder` to the same weights, bit for bit on one machine. SIGTERM and Ctrl-C save first, then raise SystemExit(143)
    or KeyboardInterrupt. NonFiniteLoss before an update that would spoil the weights. progress(done, of, line).
    On every process of a `team` the same call, which takes its part of each batch; the first one alone observes,
    writes, and tells of its progress.
    """
    everyone = team()
    observer = observer if everyone.leads else NoObserver()
    network.to(device).train()
    ema = Ema(network, config.ema_decay)
    learner = Learner(
        network, ema, loss_fn, config, device, lambda step, part: StepRandom(config.seed, step, device, part)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, betas=config.betas, fused=True)
    state = TrainState(network, cast("Ema[nn.Module]", ema), optimizer)
    first, counts = everyone.in_turn(lambda: load_latest(folder / CHECKPOINTS, state))
    counts = {"skipped": 0, **counts}
    if first == 0:
        save_checkpoint(folder / CHECKPOINTS, 0, state, counts)  # a folder that cannot keep it is found out now

    def own(number: int) -> Example:
        return everyone.part.example(batches(number))

    if first < config.updates:
        learner.begin(folder, lambda: move(own(first), device))
    clock = Clock(config.seconds)
    with open_journal(folder, first) as journal, Stop() as stop, _ahead(own, first, config.updates) as upcoming:
        saved, saved_at = first, time.monotonic()
        last_log, line = saved_at, f"going on from update {first}" if first else ""
        if everyone.leads:
            progress(first, config.updates, line)
        for step in range(first, config.updates):
            example = move(next(upcoming), device)
            share = clock.share
            rate = learning_rate(config, step, share)
            for group in optimizer.param_groups:
                group["lr"] = rate

            # Loss and gradient
            buffers = [buffer.clone() for buffer in network.buffers()]
            loss = learner.gradients(example, step)
            norm = whole(nn.utils.clip_grad_norm_(network.parameters(), config.clip_norm or math.inf))

            # Update, unless it would spoil the weights
            if bool(torch.isfinite(loss) & torch.isfinite(norm)):
                optimizer.step()
                ema.update(network, step + 1)
            else:
                for buffer, before in zip(network.buffers(), buffers, strict=True):
                    buffer.copy_(before)  # running statistics have seen the bad batch
                counts["skipped"] += 1
                if counts["skipped"] > config.nonfinite_allowed:
                    raise NonFiniteLoss(
                        f"{folder}: loss {loss.item()}, gradient norm {norm.item()} on batch {step}; "
                        f"the checkpoint of step {saved} is kept"
                    )

            # What is seen of it
            done = step + 1
            last = done == config.updates or share == 1
            if done % config.log_every == 0 or last:
                now = time.monotonic()
                speed = config.batch_size * (done - max(first, journal.last_logged)) / (now - last_log)
                journal.log(
                    done,
                    loss=loss.item(),
                    gradient_norm=norm.item(),
                    learning_rate=rate,
                    skipped=counts["skipped"],
                    windows_per_second=speed,
                )
                last_log = now
                line = f"loss {loss.item():.4f}, {speed:.0f} windows/s"
            if everyone.leads:
                progress(max(done, round(share * config.updates)), config.updates, line)
            if done % config.measure_every == 0 or last:
                journal.log(done, **observer.measure(learner.average()))
            if done % config.sample_every == 0 or last:
                observer.sample(learner.average(), done)
                journal.show(done)

            # What is kept of it
            due = time.monotonic() - saved_at > config.save_seconds
            stop.signal, due = (int(value) for value in everyone.largest(stop.signal, due))
            if stop.signal or last or due:
                journal.flush()
                save_checkpoint(folder / CHECKPOINTS, done, state, counts)
                saved, saved_at = done, time.monotonic()
            stop.raise_if_asked()
            if last:
                break
    return learner.average()


def move(example: Example, device: torch.device) -> Example:
    """The example on `device`."""
    condition = example.condition
    parts = {name: getattr(condition, name) for name in ("aligned", "pooled", "tokens")}
    on = {name: None if part is None else part.to(device, non_blocking=True) for name, part in parts.items()}
    known = None if example.known is None else example.known.to(device, non_blocking=True)
    return Example(x=example.x.to(device, non_blocking=True), condition=type(condition)(**on), known=known)


@contextlib.contextmanager
def _ahead(batches: Callable[[int], Example], first: int, end: int) -> Generator[Iterator[Example], None, None]:
    """Batches first..end-1 in order, made a few ahead on a thread while the network works."""
    with ThreadPoolExecutor(1, "batches") as pool:

        def ordered() -> Generator[Example, None, None]:
            waiting = [pool.submit(batches, number) for number in range(first, min(first + 3, end))]
            for number in range(first, end):
                yield waiting.pop(0).result()
                if number + 3 < end:
                    waiting.append(pool.submit(batches, number + 3))

        try:
            yield ordered()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
