"""A batch as the network is to see it: all that training knows of a task."""

from dataclasses import dataclass

from torch import Tensor

from halfstep.arrays import Float
from halfstep.diffusion.forms import hold_known
from halfstep.diffusion.rates import Rates, Signal
from halfstep.nets.condition import Condition


@dataclass(frozen=True, kw_only=True)
class Example:
    """A batch as the network is to see it.

    x: [B, C, L], the signal to model, unit variance a channel. condition: what is given beside z_t.
    known: 1 where x is given, shaped to broadcast against x, or None where nothing ever is.
    """

    x: Float[Tensor, "batch *shape"]
    condition: Condition
    known: Float[Tensor, "#batch ..."] | None = None

    @property
    def counted(self) -> Float[Tensor, "..."] | None:
        """1 where the loss counts: what is not given."""
        return None if self.known is None else 1 - self.known

    def hold(self, v: Signal, z_t: Signal, at_t: Rates) -> Signal:
        """The v that keeps the given part of x as it is (`hold_known`)."""
        return v if self.known is None else hold_known(v, z_t, self.x, self.known, at_t)
