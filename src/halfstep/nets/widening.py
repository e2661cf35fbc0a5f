"""The weights of a network as those of one that makes more channels, is given more, or can be asked for other things.

What the other does not know weighs nothing at first: it begins as the network that it came from.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor

Asks: TypeAlias = Sequence[tuple[str, str]]
"""Of every number of the pooled condition: the name of what is asked for, and which of its values it weighs."""

POOLED = "net.pooled.weight"
"""[embedding, features] of what a network can be asked for by name; one that cannot be asked has none."""
ENTER = "net.enter.weight"
DEVIATION, ALIGNED_DEVIATION = "net.precondition.deviation", "net.precondition.aligned_deviation"
LEAVE = ("net.leave.weight", "net.leave.bias", "net.direct.weight", "net.direct.bias")


def widened(
    tensors: Mapping[str, Tensor], own: Mapping[str, Tensor], channels: int, context: bool, asks: tuple[Asks, Asks]
) -> dict[str, Tensor]:
    """`tensors` of a `UNet1d` for another of so many channels, whose untrained weights are `own`.

    Channels of x that are new stand after those that are known, in what goes in, in the context and in what comes out;
    what else is given beside x, such as a guide, stands last. context: whether x under a mask is what is given first.
    asks: of the old network and of the new one; a value that both know is asked for by the weights it had. Tensors that
    are of no such network come back as they are.
    """
    wide = _asked(dict(tensors), own, *asks)
    if not all(name in some for name in (ENTER, LEAVE[0]) for some in (tensors, own)):
        return wide
    heads = len(own[LEAVE[0]]) // channels
    before = len(tensors[LEAVE[0]]) // heads
    if before > channels:
        return wide
    given = len(tensors[ALIGNED_DEVIATION]) if ALIGNED_DEVIATION in tensors else tensors[ENTER].shape[1] - before
    if context and 0 < given <= before:  # a guide and no context: what would have to go where is not known
        return wide
    known = before if context and given else 0
    x = torch.arange(before)
    aligned = torch.cat([x[:known], torch.arange(given - known) + (channels if context else 0)])
    leaving = (channels * torch.arange(heads)[:, None] + x).flatten()
    places = {
        ENTER: (1, torch.cat([x, channels + aligned])), DEVIATION: (0, x), ALIGNED_DEVIATION: (0, aligned),
        **dict.fromkeys(LEAVE, (0, leaving)),
    }  # fmt: skip
    for name, (axis, at) in places.items():
        if name in wide and name in own and wide[name].shape != own[name].shape:
            # Deviations are measured, and stay as they are where they are new.
            wide[name] = _placed(wide[name], own[name], axis, at, keep=name in (DEVIATION, ALIGNED_DEVIATION))
    return wide


def _placed(old: Tensor, own: Tensor, axis: int, at: Tensor, keep: bool) -> Tensor:
    """`old` at the places `at` of `own` along `axis`, and elsewhere nothing, or what `own` has; `old` where it does not
    fit there.
    """
    others = own.shape[:axis] + own.shape[axis + 1 :]
    fits = old.dim() == own.dim() and old.shape[:axis] + old.shape[axis + 1 :] == others
    if not fits or len(at) != old.shape[axis] or int(at.max()) >= own.shape[axis]:
        return old
    new = own.clone() if keep else torch.zeros_like(own)
    return new.index_copy_(axis, at.to(own.device), old.to(own))


def _asked(wide: dict[str, Tensor], own: Mapping[str, Tensor], old: Asks, new: Asks) -> dict[str, Tensor]:
    if POOLED not in own:
        return {name: value for name, value in wide.items() if name != POOLED}
    columns = torch.zeros_like(own[POOLED])
    if (known := wide.get(POOLED)) is not None:
        if known.dim() != 2 or known.shape != (len(columns), len(old)):
            return wide
        for place, ask in enumerate(new):
            if ask in old:
                columns[:, place] = known[:, list(old).index(ask)]
    return wide | {POOLED: columns}
