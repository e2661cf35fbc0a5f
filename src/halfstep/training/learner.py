"""Loss and gradients of one update: of a whole batch, or of this process's part of it, at once or part by part."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar, cast

import torch
from torch import Tensor, nn

from halfstep.arrays import Float
from halfstep.errors import InputError
from halfstep.nets.history import LossHistory
from halfstep.training.ema import Ema
from halfstep.training.example import Example
from halfstep.training.pace import AUTO, BF16, FP32, Pace, chosen_pace
from halfstep.training.sharding import plan_of, shard, whole_copy
from halfstep.training.step_random import LossFn, StepRandom
from halfstep.training.team import Learning, Part, replicated, team, unsynchronised
from halfstep.training.train_config import TrainConfig

Network = TypeVar("Network", bound=nn.Module)


class Learner(Generic[Network]):
    """A network at work: compiled, replicated or sharded as its settings say."""

    def __init__(
        self,
        network: Network,
        ema: Ema[Network],
        loss_fn: LossFn[Network],
        config: TrainConfig,
        device: torch.device,
        random: Callable[[int, Part], StepRandom],
    ) -> None:
        """random: of an update, for a part of its batch. InputError where a batch does not fall into the parts."""
        _expect_parts(network, config)
        self._config, self._device, self._random, self._ema = config, device, random, ema
        self._network, self._loss_fn = network, loss_fn
        self._sharded = config.shard and team().count > 1
        self._learning = Learning(network, loss_fn)
        if self._sharded:
            self._plan = plan_of(network)
            shard(self._learning)
            shard(ema.model)
        self._replicated = self._learning if self._sharded else replicated(self._learning)
        self._weights = [*network.parameters()]  # now: while a block works, it has others in place of its shards
        self._autocast = contextlib.nullcontext()

    def begin(self, folder: Path, example: Callable[[], Example]) -> None:
        """Choose the pace, on the first process. example: a batch on the device, for timing."""
        if self._sharded:
            pace = _unmeasured(self._config, self._device)
        else:
            pace = team().broadcast(self._timed(folder, example) if team().leads else None)
            assert pace is not None
        if pace.compile:
            self._learning.compiled()
        self._autocast = torch.autocast(self._device.type, torch.bfloat16, enabled=pace.precision == BF16)

    def gradients(self, example: Example, step: int) -> Float[Tensor, ""]:
        """The loss of the whole batch, a scalar; its gradients are on the network. example: this process's part."""
        count, total = self._config.accumulate, torch.zeros((), device=self._device)
        for index in range(count):
            part = Part(index, count)
            random = self._random(step, part.within(team().part))
            with unsynchronised(self._replicated, index < count - 1):
                with self._autocast:
                    loss = self._replicated(part.example(example), random)
                if index == 0:
                    for weight in self._weights:
                        weight.grad = None
                (loss / count).backward()
            total = loss.detach() if count == 1 else total + loss.detach() / count
        return team().mean(total)

    def average(self) -> Network:
        """The moving average; of shards, a whole copy. All processes have to call it."""
        return whole_copy(self._plan, self._ema.model) if self._sharded else self._ema.model

    def _timed(self, folder: Path, example: Callable[[], Example]) -> Pace:
        batch: list[Example] = []

        def loss(network: nn.Module) -> Float[Tensor, ""]:
            if not batch:
                batch.append(Part(0, self._config.accumulate).example(example()))
            part = Part(0, self._config.accumulate).within(team().part)
            return self._loss_fn(cast("Network", network), batch[0], self._random(0, part))

        return chosen_pace(folder, self._network, loss, self._config, self._device)


def _unmeasured(config: TrainConfig, device: torch.device) -> Pace:
    """Of a network that no single process can hold, and so time."""
    fast = device.type == "cuda" and torch.cuda.is_bf16_supported()
    precision = config.precision if config.precision != AUTO else BF16 if fast else FP32
    return Pace(precision=precision, compile=False, seconds={})


def _expect_parts(network: nn.Module, config: TrainConfig) -> None:
    """InputError unless a batch falls into equal parts: one a process, each in as many as are accumulated."""
    processes, accumulate = team().count, config.accumulate
    parts = processes * accumulate
    if config.batch_size % parts:
        raise InputError(
            f"the batch of {config.batch_size} is not a multiple of {parts} ({processes} processes, train.accumulate "
            f"{accumulate}); choose another batch_size, or another number of processes"
        )
    if parts > 1 and any(isinstance(module, LossHistory) for module in network.modules()):
        raise InputError(
            "diffusion.times=importance draws the times of a batch by the losses of all before it: it takes one "
            "process, and train.accumulate=1"
        )
