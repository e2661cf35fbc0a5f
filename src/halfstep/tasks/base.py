"""The contract between a task and everything around it: diffusion, training and distillation know no more than this."""

from typing import Protocol

import numpy as np

from halfstep.training.example import Example


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
