"""The contract between a task and everything around it: diffusion, training and distillation know no more than this."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor

from halfstep.diffusion.condition import Condition
from halfstep.generation.sampler import Rates, Signal, hold_known


@dataclass(frozen=True, kw_only=True)
class Example:
    """A batch as the network is to see it.

    x: [B, C, L], the signal to model, unit variance a channel. condition: what is given beside z_t.
    known: 1 where x is given, shaped to broadcast against x, or None where nothing ever is.
    """

    x: Tensor
    condition: Condition
    known: Tensor | None = None

    @property
    def counted(self) -> Tensor | None:
        """1 where the loss counts: what is not given."""
        return None if self.known is None else 1 - self.known

    def hold(self, v: Signal, z_t: Signal, at_t: Rates) -> Signal:
        """The v that keeps the given part of x as it is (`hold_known`)."""
        return v if self.known is None else hold_known(v, z_t, self.x, self.known, at_t)


class TaskConfig(Protocol):
    """What an experiment must know of a task before there is data."""

    @property
    def n_mels(self) -> int:
        """Bands of the mel it works with."""
        ...

    @property
    def clip_frames(self) -> int:
        """Frames of a clip as the data set gives it."""
        ...

    @property
    def length(self) -> int:
        """L of x."""
        ...


class Task(Protocol):
    """How a batch of clips becomes an Example; the network's input sizes follow from it."""

    @property
    def channels(self) -> int:
        """C of x."""
        ...

    @property
    def aligned(self) -> int:
        """Channels of condition.aligned; 0 for none."""
        ...

    def example(self, clips: np.ndarray, rng: np.random.Generator) -> Example:
        """A training example from clips as the data set gives them; `rng` decides what is given."""
        ...

    def free(self, clips: np.ndarray) -> Example:
        """The same with nothing given but what always is: unconditional music, the true mel of a vocoder."""
        ...
