"""THE main loop: `train()` takes any loss, so teacher and student share it."""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from halfstep.training.checkpoint import CHECKPOINTS, TrainState, load_latest, save_checkpoint
from halfstep.training.ema import Ema
from halfstep.training.example import Example
from halfstep.training.learner import Learner
from halfstep.training.log import open_journal
from halfstep.training.sharding import whole
from halfstep.training.step_random import LossFn, StepRandom
from halfstep.training.stop import Stop
from halfstep.training.team import team
from halfstep.training.train_config import ANNEAL, TrainConfig

Progress: TypeAlias = Callable[[int, int, str], None]
"""(done, of, a line on how it goes)."""

Network = TypeVar("Network", bound=nn.Module)
Seen = TypeVar("Seen", bound=nn.Module, contravariant=True)


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
    everyone.largest(0.0)  # all have looked before the first one writes: to another its file would be half-written
    counts = {"skipped": 0, **counts}
    if first == 0:
        save_checkpoint(folder / CHECKPOINTS, 0, state, counts)  # a folder that cannot keep it is found out now

    def own(number: int) -> Example:
        return everyone.part.example(batches(number))

    if first < config.updates:
        learner.begin(folder, lambda: move(own(first), device))
    clock = Clock(config.seconds)
    with open_journal(folder, first) as journal, Stop() as stop, _ahead(own, first, config.updates, device) as upcoming:
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
                progress(max(done, first + round(share * (config.updates - first))), config.updates, line)
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

    def moved(part: Tensor) -> Tensor:
        return part.to(device, non_blocking=True)

    known = None if example.known is None else moved(example.known)
    return Example(x=moved(example.x), condition=example.condition.changed(moved), known=known)


@contextlib.contextmanager
def _ahead(
    batches: Callable[[int], Example], first: int, end: int, device: torch.device
) -> Generator[Iterator[Example], None, None]:
    """Batches first..end-1 in order, made a few ahead on a thread while the network works on `device`.

    On a processor the network has every core, so that the thread works without helpers there.
    """
    with _no_helpers() if device.type == "cpu" else contextlib.nullcontext(), ThreadPoolExecutor(1, "batches") as pool:

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


def _no_helpers() -> contextlib.AbstractContextManager[object]:
    """numpy's matrix products on the thread that asks for them: a BLAS's own threads spin on the cores of the network
    while they wait, and an update takes 1.6 times as long (docs/experiments/music-and-pace.md). A bare machine may have
    nothing that can say so to a BLAS.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return contextlib.nullcontext()
    return threadpool_limits(1, "blas")
