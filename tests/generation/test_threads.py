"""What another number of threads may change: the last bits of a sum, and nothing that is heard."""

import numpy as np
import pytest

from halfstep.bundle import load_folder
from halfstep.generation.model import Model

TOLERANCE = 1e-3
"""Of full scale, for any number of threads and any processor: docs/architecture.md states it."""


@pytest.mark.slow
def test_two_threads_play_what_one_plays():
    folder = load_folder()
    one, two = (Model(folder, threads=threads).generate(3, seed=5, steps=1).samples for threads in (1, 2))
    assert np.abs(one).max() > 0.05
    assert np.abs(one - two).max() < TOLERANCE
