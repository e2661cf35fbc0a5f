"""The settings of one training."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from halfstep.training.pace import AUTO, COMPILE, OFF, ON, PRECISION


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
