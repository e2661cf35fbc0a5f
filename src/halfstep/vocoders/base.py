"""What a vocoder is: log-mel in blocks to samples, as a stream."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np

from halfstep.arrays import Float32


class Vocoder(Protocol):
    """Turns log-mel into samples as it comes; how it is cut into blocks changes nothing. One is for one piece.

    Samples are [n], or [2, n] where the rows below the bands are an image.
    """

    def push(self, log_mel: Float32[np.ndarray, "bands frames"], /) -> Float32[np.ndarray, "*channels samples"]:
        """[n_mels, k] -> the samples [n] that are settled by now; n may be 0."""
        ...

    def finish(self) -> Float32[np.ndarray, "*channels samples"]:
        """The samples that are left, [n]."""
        ...

    def loop(self, log_mel: Float32[np.ndarray, "bands frames"], /) -> Float32[np.ndarray, "*channels samples"]:
        """[n_mels, F] that repeats -> one period [F * hop]: its phases close over the wrap too."""
        ...


MakeVocoder: TypeAlias = Callable[[int], Vocoder]
"""From a seed, 0 or more, to a vocoder for one piece."""


GRIFFIN_LIM = "griffin-lim"
"""The vocoder that every model has, by name."""
