"""The ladder on two Gaussians at +-2 with a small network: both modes survive to the last rung."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halfstep.diffusion.forms import noised, v_from_x
from halfstep.diffusion.process import Sampling
from halfstep.diffusion.rates import cosine_rates
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.training.example import Example
from halfstep.training.loop import train
from halfstep.training.loss import weighted_loss
from halfstep.training.observe import sample_like
from halfstep.training.step_random import LossFn, StepRandom
from halfstep.training.train_config import TrainConfig

MU, VARIANCE = 2.0, 0.01
START_STEPS = 8
BATCH = 128
DEVICE = torch.device("cpu")


def rates_of(log_snr: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(log_snr).sqrt()[:, None, None], torch.sigmoid(-log_snr).sqrt()[:, None, None]


class Analytic(nn.Module):
    """The best v for the two Gaussians (distillation.md)."""

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        alpha, sigma = rates_of(log_snr)
        total = alpha**2 * VARIANCE + sigma**2
        pull = MU * sigma**2 / total * torch.tanh(alpha * MU * z_t / total)
        return (alpha * z_t - alpha * VARIANCE * z_t / total - pull) / sigma


class Small(nn.Module):
    """A few thousand weights: (z, alpha, sigma) -> v."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        alpha, sigma = rates_of(log_snr)
        seen = torch.cat([z_t, alpha.expand_as(z_t), sigma.expand_as(z_t)], dim=2)
        return self.layers(seen)


def draw(rng: np.random.Generator) -> Tensor:
    """[BATCH, 1, 1] of the data."""
    modes = MU * rng.choice([-1.0, 1.0], BATCH) + VARIANCE**0.5 * rng.standard_normal(BATCH)
    return torch.from_numpy(modes.astype(np.float32))[:, None, None]


def fitting_loss(teacher: Denoiser) -> LossFn:
    """The student's v against the analytic one, at the times the ladder's first rung will ask for."""

    def loss(student: Denoiser, example: Example, random: StepRandom) -> Tensor:
        times = random.rng.integers(1, START_STEPS + 1, len(example.x)) / START_STEPS
        at_t = rates_like(cosine_rates(times), example.x)
        z_t = noised(example.x, random.noise_like(example.x), at_t)
        wanted = teacher(z_t, at_t, example.condition)
        return weighted_loss(student(z_t, at_t, example.condition), wanted, at_t, "snr+1")

    return loss


@pytest.fixture(scope="module")
def fitted(tmp_path_factory) -> Denoiser:
    """A small network fitted to the analytic teacher by the real training loop."""
    torch.manual_seed(0)
    config = TrainConfig(steps=400, batch_size=BATCH, learning_rate=1e-2, warmup_steps=20, log_every=100,
                         measure_every=10**6, sample_every=10**6, save_seconds=1e9)  # fmt: skip

    class Quiet:
        def measure(self, denoiser: Denoiser) -> dict[str, float]:
            return {}

        def sample(self, denoiser: Denoiser, step: int) -> None:
            return None

    return train(
        Denoiser(Small(), "v"), fitting_loss(Denoiser(Analytic(), "v")),
        lambda number: Example(x=draw(np.random.default_rng(number)), condition=Condition()),
        tmp_path_factory.mktemp("fit"), config, Quiet(), DEVICE, lambda *_: None,
    )  # fmt: skip


@torch.no_grad()
def shares(denoiser: Denoiser, num_steps: int) -> list[float]:
    """Share of samples nearer to each mode than to the middle; noise and its negative, so that chance is even."""
    half = torch.randn(2000, 1, 1, generator=torch.Generator().manual_seed(7))
    noise = torch.cat([half, -half])
    samples = sample_like(denoiser, Example(x=noise, condition=Condition()), noise, num_steps, Sampling())
    return [((samples - mode).abs() < MU / 2).float().mean().item() for mode in (-MU, MU)]


def keeps_both_modes(denoiser: Denoiser, num_steps: int) -> bool:
    return all(0.45 <= share <= 0.55 for share in shares(denoiser, num_steps))


def test_analytic_teacher_has_the_known_predictions():
    z = torch.ones(4, 1, 1)
    times = np.array([0.25, 0.5, 0.75, 1.0])
    at_t = rates_like(cosine_rates(times), z)
    v = Denoiser(Analytic(), "v")(z, at_t, Condition())
    x_hat = torch.tensor([1.9494633876, 1.9796213755, 1.4298836189, 0.0])[:, None, None]
    torch.testing.assert_close(v, v_from_x(x_hat, z, at_t), atol=1e-3, rtol=1e-3)


def test_both_modes_survive_every_rung(ladder: Callable, fitted: Denoiser):
    assert keeps_both_modes(Denoiser(Analytic(), "v"), START_STEPS)
    assert keeps_both_modes(fitted, START_STEPS)
    assert not keeps_both_modes(fitted, 2)
    assert not keeps_both_modes(fitted, 1)
    climbing = ladder(draw, start_steps=START_STEPS, updates=150, batch_size=BATCH, learning_rate=1e-2, weight="snr+1")
    climbing.climb(fitted)
    result = {n: shares(student, n) for n, student in climbing.students.items()}
    assert list(result) == [4, 2, 1]
    for num_steps, student in climbing.students.items():
        assert keeps_both_modes(student, num_steps), result
