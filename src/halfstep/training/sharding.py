"""Networks that do not fit one device: weights, gradients, averages and optimizer in shards, one a process (FSDP2).

A checkpoint holds whole tensors all the same, so it is read by any number of processes, sharded or not.
"""

import copy
from typing import TypeVar, cast

from torch import Tensor, nn

from halfstep.arrays import Shaped

Network = TypeVar("Network", bound=nn.Module)


def shard(module: nn.Module) -> None:
    """Split the module's weights among the processes, in place; those of a block are whole while it works."""
    from torch.distributed.fsdp import fully_shard

    for lists in [one for one in module.modules() if isinstance(one, nn.ModuleList)]:
        for block in lists:
            if not isinstance(block, nn.ModuleList) and any(True for _ in block.parameters()):
                fully_shard(block)
    fully_shard(module)


def whole(tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """The tensor itself, or of a shard the whole, on every process. All of them have to call it."""
    full = getattr(tensor, "full_tensor", None)
    return tensor if full is None else cast("Tensor", full())


def split_like(tensor: Shaped[Tensor, "*shape"], other: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """A whole tensor, split as `other` is: every process has it, and keeps its own shard."""
    if not hasattr(other, "full_tensor"):
        return tensor
    from torch.distributed.tensor import DTensor, distribute_tensor

    assert isinstance(other, DTensor)
    return distribute_tensor(tensor.to(other.device), other.device_mesh, other.placements, src_data_rank=None)


def plan_of(network: Network) -> Network:
    """A copy without weights, for `whole_copy`."""
    return copy.deepcopy(network).to("meta")


def whole_copy(plan: Network, sharded: nn.Module) -> Network:
    """The module `sharded` with its weights whole, in eval(). All processes have to call it."""
    device = next(sharded.parameters()).device
    copied = copy.deepcopy(plan).to_empty(device=device)
    copied.load_state_dict({name: whole(tensor) for name, tensor in sharded.state_dict().items()})
    return copied.eval().requires_grad_(False)
