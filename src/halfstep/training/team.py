"""One training on many processes: who this process is, its part of every batch, and what all of them agree on.

`torchrun` starts the processes and says in the environment which of them each one is. Every process draws the
randomness of the whole batch and takes its own rows of it, so a training is the same function of (seed, step) on any
number of processes, but for the order in which sums are taken.
"""

import os
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Protocol, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from halfstep.arrays import Float
from halfstep.training.example import Example

Given = TypeVar("Given")
Rows = TypeVar("Rows", bound="Sliceable")
Network = TypeVar("Network", bound=nn.Module)

PATIENCE = timedelta(minutes=30)
"""How long the others wait while the first process measures, samples, or writes a checkpoint."""
LOST = ("gloo", "NCCL", "ProcessGroup", "TCPStore", "Connection", "peer")
"""In what torch says when another process is gone."""


class Sliceable(Protocol):
    """Clips of a batch, whatever is known of them: an array, a tensor."""

    def __len__(self) -> int: ...

    def __getitem__(self: Given, rows: slice, /) -> Given: ...


@dataclass(frozen=True)
class Part:
    """The `index`-th of `of` equal parts of a batch."""

    index: int = 0
    of: int = 1

    def own(self, whole: Rows) -> Rows:
        """Its rows of what the whole batch has."""
        rows = len(whole) // self.of
        return whole[self.index * rows : (self.index + 1) * rows]

    def within(self, other: "Part") -> "Part":
        """This part of the part `other`."""
        return Part(other.index * self.of + self.index, other.of * self.of)

    def example(self, whole: Example) -> Example:
        """Its rows of an example."""
        if self.of == 1:
            return whole
        known = whole.known
        if known is not None and len(known) == len(whole.x):
            known = self.own(known)
        return Example(x=self.own(whole.x), condition=whole.condition.changed(self.own), known=known)


WHOLE = Part()


@dataclass(frozen=True)
class Team:
    """The processes of one training. `rank` counts them from 0; the first one alone writes and speaks."""

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        return self.rank == 0

    @property
    def part(self) -> Part:
        """Of every batch."""
        return Part(self.rank, self.count)

    def mean(self, value: Float[Tensor, ""]) -> Float[Tensor, ""]:
        """Of every process's `value`, a scalar."""
        if self.count == 1:
            return value
        summed = value.detach().clone()
        dist.all_reduce(summed)
        return summed / self.count

    def largest(self, *values: float) -> list[float]:
        """Of every process's numbers, place by place."""
        if self.count == 1:
            return [*values]
        everyones = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(everyones, dist.ReduceOp.MAX)
        return [float(value) for value in everyones]

    def broadcast(self, value: Given) -> Given:
        """What the first process has for `value`."""
        if self.count == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, 0)
        return box[0]

    def in_turn(self, work: Callable[[], Given]) -> Given:
        """What `work` gives: the first process does it, then the others, unless it failed there.

        The first process says why; the others leave with exit code 2 and no word.
        """
        if self.count == 1:
            return work()
        if not self.leads:
            if not self.broadcast(False):
                raise SystemExit(2)
            return work()
        try:
            given = work()
        except BaseException:
            self.broadcast(False)
            raise
        self.broadcast(True)
        return given


ALONE = Team()


def team() -> Team:
    """Of this process, as `joined` has it."""
    if not (dist.is_available() and dist.is_initialized()):
        return ALONE
    return Team(dist.get_rank(), dist.get_world_size())


@contextmanager
def joined(device: torch.device) -> Generator[Team, None, None]:
    """The team that `torchrun` started this process for; alone without it.

    ConnectionError when another process of the team is gone.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or dist.is_initialized():
        yield team()
        return
    backend = "gloo" if device.type != "cuda" else "cpu:gloo,cuda:nccl"
    try:
        dist.init_process_group(backend, timeout=PATIENCE)
        yield team()
    except RuntimeError as fault:
        torchs_own = type(fault) is RuntimeError or isinstance(fault, dist.DistError)
        if not (torchs_own and any(word in str(fault) for word in LOST)):
            raise
        raise ConnectionError(
            f"process {os.environ.get('RANK')} of {count}: another process of this training is gone; the same command "
            f"again goes on from the last checkpoint ({' '.join(str(fault).split())[:120]})"
        ) from None
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


class Learning(nn.Module, Generic[Network]):
    """A network and its loss as one module, whose forward is the loss: what is to be done before the network works, and
    after its gradients are there, is then done however the loss calls the network.
    """

    def __init__(self, network: Network, loss_fn: Callable[..., Float[Tensor, ""]]) -> None:
        super().__init__()
        self.network = network
        self._run: list[nn.Module] = [network]  # in a list, since its weights are the network's
        self._loss_fn = loss_fn

    def compiled(self) -> None:
        """From now on the network works compiled."""
        self._run = [cast("nn.Module", torch.compile(self.network))]

    def forward(self, *given: object) -> Float[Tensor, ""]:
        return self._loss_fn(self._run[0], *given)


def replicated(learning: nn.Module) -> nn.Module:
    """The same module, its gradients the mean over the team's processes (DDP)."""
    return learning if team().count == 1 else DistributedDataParallel(learning)


def unsynchronised(learning: nn.Module, wanted: bool) -> AbstractContextManager[None]:
    """While entered, and if it is wanted, gradients stay this process's own."""
    if wanted and isinstance(learning, DistributedDataParallel):
        return learning.no_sync()
    return nullcontext()
