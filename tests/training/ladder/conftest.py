"""What the oracles share: a ladder whose data and teacher are known in closed form."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.training.example import Example
from halfstep.training.ladder import DistillConfig, climb
from halfstep.training.train_config import TrainConfig


class Quiet:
    """An observer that looks at nothing."""

    def measure(self, denoiser: Denoiser) -> dict[str, float]:
        return {}

    def sample(self, denoiser: Denoiser, step: int) -> None:
        return None


@dataclass
class Ladder:
    """Climbs in `folder` with the real training loop; `students` holds each rung's network by its steps."""

    folder: Path
    draw: Callable[[np.random.Generator], Tensor]
    config: DistillConfig
    save_seconds: float = 1e9
    seen: Callable[[int, int, str], None] = lambda done, of, line: None
    students: dict[int, Denoiser] = field(default_factory=dict)

    def climb(self, teacher: Denoiser, to: int = 1) -> Denoiser:
        base = TrainConfig(
            steps=1, log_every=4, measure_every=10**6, sample_every=10**6, save_seconds=self.save_seconds
        )  # fmt: skip
        return climb(
            teacher, self.config.rungs(to), self.config, base, lambda num_steps: self.batch, self.folder,
            lambda num_steps: Quiet(), torch.device("cpu"), self.seen, self._landed,
        )  # fmt: skip

    def batch(self, number: int) -> Example:
        return Example(x=self.draw(np.random.default_rng(number)), condition=Condition())

    def _landed(self, num_steps: int, student: Denoiser, its_teacher: Denoiser) -> None:
        self.students[num_steps] = student


@pytest.fixture
def ladder(tmp_path: Path):
    """ladder(draw, start_steps=8, updates=300, ...) -> Ladder in a folder of its own."""

    def make(draw: Callable[[np.random.Generator], Tensor], **config) -> Ladder:
        return Ladder(tmp_path / "ladder", draw, DistillConfig(**config))

    return make
