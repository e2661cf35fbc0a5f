"""In which precision a training runs, and whether compiled: timed on this processor with the network itself.

No table can say: on one processor an update in bfloat16 takes .6 of the time of float32, on another 1.3 times as long,
and where bfloat16 is emulated, more than 25 times (docs/experiments/diffusion-vocoder.md).
"""

import copy
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol, cast

import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.atomic import write_json
from halfstep.fields import Fields, read_json
from halfstep.machine import processor

AUTO, ON, OFF = "auto", "on", "off"
FP32, BF16 = "fp32", "bf16"
PRECISION: dict[str, bool | None] = {FP32: False, BF16: True, AUTO: None}
COMPILE: dict[str, bool | None] = {ON: True, OFF: False, AUTO: None}
RECORD = "pace.json"
"""In the folder of a training: what was chosen, so that it goes on so."""

SECONDS_TO_TIME = 1.0
WORTH_TIMING, WORTH_COMPILING = 60.0, 1200.0
"""Seconds that a training must take, as its first update tells, before either is tried at all."""
SLOWER_AT_ONCE = 3.0
GAIN = 0.95
"""Of the time in float32: what is no faster than that is not taken."""


class Plan(Protocol):
    """What of a training's settings decides."""

    @property
    def precision(self) -> str: ...

    @property
    def compile(self) -> str | bool: ...

    @property
    def updates(self) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Pace:
    """precision: fp32 or bf16. seconds: of one update, by what was timed; empty where nothing was."""

    precision: str
    compile: bool
    seconds: dict[str, float]


def chosen_pace(
    folder: Path, network: nn.Module, loss: Callable[[nn.Module], Float[Tensor, ""]], plan: Plan, device: torch.device
) -> Pace:
    """As `plan` says; where it says "auto", as the record in `folder` says, or as is timed now and then recorded.

    loss: of a training batch, through the network or a copy of it. InputError for a record that is none.
    """
    precision = None if plan.precision == AUTO else plan.precision
    compiled = COMPILE[str(plan.compile)]
    if precision is not None and compiled is not None:
        return Pace(precision=precision, compile=compiled, seconds={})
    path = folder / RECORD
    if path.exists():
        recorded = _recorded(path)
    else:
        recorded = _timed(network, loss, plan, device)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(path, {**asdict(recorded), "torch": torch.__version__, "processor": processor()})
    return Pace(
        precision=precision or recorded.precision,
        compile=recorded.compile if compiled is None else compiled,
        seconds=recorded.seconds,
    )


def _recorded(path: Path) -> Pace:
    remedy = "remove it, and it is timed again"
    fields = Fields(str(path), read_json(path, remedy), remedy)
    precision, compiled = fields.choice("precision", {FP32: 0, BF16: 0}), fields.flag("compile")
    seconds = fields.inside("seconds")
    return Pace(
        precision=precision, compile=compiled, seconds={name: seconds.number(name, 0, 1e9) for name in seconds.names()}
    )


def _timed(
    network: nn.Module, loss: Callable[[nn.Module], Float[Tensor, ""]], plan: Plan, device: torch.device
) -> Pace:
    trial = copy.deepcopy(network)

    def update(run: nn.Module, precision: str) -> float:
        """Seconds of one; the weights stay."""
        _wait_for(device)
        begun = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == BF16):
            value = loss(run)
        value.backward()
        _wait_for(device)
        return time.perf_counter() - begun

    def best(run: nn.Module, precision: str) -> float:
        """Of as many as fit the time."""
        taken, begun = [update(run, precision)], time.perf_counter()
        while time.perf_counter() - begun < SECONDS_TO_TIME and len(taken) < 10:
            taken.append(update(run, precision))
        return min(taken)

    first = update(trial, FP32)
    if min(first, update(trial, FP32)) * plan.updates < WORTH_TIMING:
        precision = FP32 if plan.precision == AUTO else plan.precision
        return Pace(precision=precision, compile=False, seconds={})
    seconds: dict[str, float] = {}
    if plan.precision == AUTO:
        seconds[FP32], slow = best(trial, FP32), update(trial, BF16)
        seconds[BF16] = slow if slow > SLOWER_AT_ONCE * seconds[FP32] else best(trial, BF16)
        precision = BF16 if seconds[BF16] < GAIN * seconds[FP32] else FP32
    else:
        precision = plan.precision
        seconds[precision] = best(trial, precision)
    plain, compiled = seconds[precision], False
    if COMPILE[str(plan.compile)] is None and plain * plan.updates >= WORTH_COMPILING:
        begun = time.perf_counter()
        try:
            run = cast("nn.Module", torch.compile(trial))
            update(run, precision)
            seconds["compiling"] = time.perf_counter() - begun
            seconds[f"{precision}, compiled"] = best(run, precision)
        except Exception:  # no compiler here, or one that cannot: whatever it raises, training needs none
            seconds.pop("compiling", None)
        else:
            saved = plan.updates * (plain - seconds[f"{precision}, compiled"])
            compiled = saved > seconds["compiling"]
    return Pace(precision=precision, compile=compiled, seconds=seconds)


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
