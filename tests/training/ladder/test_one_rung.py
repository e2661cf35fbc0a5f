"""What a rung asks of its student, by known answers; what its settings may be; what it hands on to the training."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halfstep.diffusion.forms import noised, v_from_x
from halfstep.diffusion.rates import Rates
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.training import ladder as under_test
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.example import Example
from halfstep.training.ladder import DistillConfig, distillation_loss
from halfstep.training.step_random import StepRandom
from halfstep.training.train_config import TrainConfig

SHIFTED = DiffusionConfig(schedule="shifted", shift=0.5)
"""Its steps turn by angles that differ, unlike those of the cosine schedule."""
CLIPS = 64


def v_of_teacher(z_t: Tensor, sigma: Tensor) -> Tensor:
    """No data has it as its best answer; it depends on z and on the time."""
    return torch.sin(2 * z_t) + sigma


class Teacher(nn.Module):
    """A network that predicts v, and notes the rates it is asked at and whether it runs in a lower precision."""

    def __init__(self) -> None:
        super().__init__()
        self.sigmas: list[Tensor] = []
        self.lower: list[bool] = []

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        sigma = torch.sigmoid(-log_snr).sqrt()
        self.sigmas.append(sigma)
        self.lower.append(torch.is_autocast_enabled("cpu"))
        return v_of_teacher(z_t, sigma[:, None, None])


class TwoAtOnce(nn.Module):
    """The one v with which a step over 1/N lands where two of the teacher's land, by x and eps alone; from the time
    `jump` down the teacher's v. It notes its times.
    """

    def __init__(self, num_steps: int, diffusion: DiffusionConfig, jump: float = 0.0) -> None:
        super().__init__()
        self.num_steps, self.schedule, self.jump = num_steps, diffusion.process.noise, jump
        self.times: list[float] = []

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        grid = np.arange(1, self.num_steps + 1) / self.num_steps
        sigmas = torch.from_numpy(self.schedule.rates(grid).sigma).float()
        place = (torch.sigmoid(-log_snr).sqrt()[:, None] - sigmas).abs().argmin(dim=1).numpy()
        t = grid[place]
        self.times += t.tolist()
        v = [self._v(z, float(time)) for z, time in zip(z_t.double(), t, strict=True)]
        return torch.stack(v).to(z_t)

    def _v(self, z_t: Tensor, t: float) -> Tensor:
        if t <= self.jump:
            return v_of_teacher(z_t, self._at(t).sigma)
        between, after = self._at(t - 0.5 / self.num_steps), self._at(t - 1 / self.num_steps)
        landed = stepped(stepped(z_t, self._at(t), between), between, after)
        # z_s = alpha_s x + sigma_s eps and z_t = alpha_t x + sigma_t eps, solved for x.
        at_t = self._at(t)
        x = (at_t.sigma * landed - after.sigma * z_t) / (at_t.sigma * after.alpha - after.sigma * at_t.alpha)
        return v_from_x(x, z_t, at_t)

    def _at(self, t: float) -> Rates:
        alpha, sigma = self.schedule.rates(np.array([t]))
        return Rates(torch.from_numpy(alpha), torch.from_numpy(sigma))


def stepped(z_t: Tensor, at_t: Rates, at_s: Rates) -> Tensor:
    v = v_of_teacher(z_t, at_t.sigma)
    x, eps = at_t.alpha * z_t - at_t.sigma * v, at_t.sigma * z_t + at_t.alpha * v
    return at_s.alpha * x + at_s.sigma * eps


def batch(**more: Any) -> Example:
    x = torch.randn(CLIPS, 2, 5, generator=torch.Generator().manual_seed(3))
    return Example(x=x, condition=Condition(), **more)


def random() -> StepRandom:
    return StepRandom(0, 1, torch.device("cpu"))


@pytest.mark.parametrize("diffusion", [DiffusionConfig(), SHIFTED])
@pytest.mark.parametrize(("num_steps", "jump"), [(1, 0.0), (2, 0.0), (8, 0.0), (4, 0.5), (2, 0.5)])
def test_the_loss_is_none_for_two_of_the_teachers_steps_at_once(
    num_steps: int, jump: float, diffusion: DiffusionConfig
):
    """And at a jumping rung, for the teacher's mean at its last time; below that nothing is asked."""
    student, teacher = TwoAtOnce(num_steps, diffusion, jump), Teacher()
    loss = distillation_loss(Denoiser(teacher, "v"), num_steps, "snr+1", diffusion, jump=jump)
    assert loss(Denoiser(student, "v"), batch(), random()).item() < 1e-10
    assert set(student.times) == {i / num_steps for i in range(1, num_steps + 1) if i / num_steps >= jump}
    other = distillation_loss(Denoiser(teacher, "v"), num_steps, "snr+1", diffusion, jump=0.5 - jump)
    if num_steps > 1:
        assert other(Denoiser(student, "v"), batch(), random()).item() > 1e-6


def test_a_times_error_weighs_what_the_weight_says():
    """Against the teacher N(0, I) has, v = 0, a student that says 0 errs by tan(pi / 4N) / 2 z_t."""
    example, half = batch(), math.pi / 16
    loss = distillation_loss(Denoiser(Zero(), "v"), 4, "truncated-snr")
    alike, draws = random(), random()
    t = draws.rng.integers(1, 5, CLIPS) / 4
    at_t = rates_like(DiffusionConfig().process.noise.rates(t), example.x)
    z_t = noised(example.x, draws.noise_like(example.x), at_t)
    weights = torch.maximum(at_t.alpha, at_t.sigma) ** 2
    wanted = (weights * (math.tan(half) / 2 * z_t) ** 2).mean()
    torch.testing.assert_close(loss(Denoiser(Zero(), "v"), example, alike), wanted)


class Zero(nn.Module):
    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        return torch.zeros_like(z_t)


def test_where_x_is_known_the_teacher_holds_it():
    """It is shown, half-way, what is known there noised to that time; and its known half counts nothing."""
    known = torch.tensor([1.0, 1, 0, 0, 0]).expand(CLIPS, 1, 5)
    seen: list[tuple[Tensor, Tensor]] = []

    class Looking(Zero):
        def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
            seen.append((z_t, torch.sigmoid(log_snr).sqrt()[:, None, None]))
            return torch.zeros_like(z_t)

    example = batch(known=known)
    distillation_loss(Denoiser(Looking(), "v"), 2, "snr+1")(Denoiser(Zero(), "v"), example, random())
    (z_t, alpha), (z_mid, alpha_mid) = seen
    eps = (z_t - alpha * example.x) / (1 - alpha**2).sqrt()
    held = alpha_mid * example.x + (1 - alpha_mid**2).sqrt() * eps
    torch.testing.assert_close(z_mid[:, :, :2], held[:, :, :2], atol=1e-3, rtol=0)
    assert (z_mid - held)[:, :, 2:].abs().max() > 0.1


@pytest.mark.parametrize("exactly", [True, False])
def test_the_teacher_runs_in_full_precision_if_it_is_to(exactly: bool):
    teacher = Teacher()
    loss = distillation_loss(Denoiser(teacher, "v"), 2, "snr+1", exactly=exactly)
    with torch.autocast("cpu", torch.bfloat16):
        loss(Denoiser(Zero(), "v"), batch(), random())
    assert teacher.lower == [not exactly] * 2


def test_rungs_halve_down_to_the_last():
    config = DistillConfig(start_steps=64)
    assert config.rungs(1) == [32, 16, 8, 4, 2, 1]
    assert config.rungs(32) == [32]
    assert DistillConfig(start_steps=2).rungs(1) == [1]
    for to in (-1, 0, 3, 6, 64, 128):
        with pytest.raises(ValueError, match=f"to is {to}: a power of two below start_steps = 64"):
            config.rungs(to)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        *(({"start_steps": steps}, f"start_steps is {steps}: a power of two from 2") for steps in (0, 1, 3, 6)),
        ({"weight": "none"}, "weight is 'none': one of"),
        *(({name: bad}, f"{name} is {bad}: 0 or more") for name in ("guidance", "pooled_guidance")
          for bad in (-0.1, math.inf, math.nan)),
        ({"jump": 0.25}, "jump is 0.25"),
        ({"teacher_precision": "bf16"}, "teacher_precision is 'bf16'"),
        ({"updates": 0}, "updates is 0: at least 1"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], said: str):
    with pytest.raises(ValueError, match=said):
        DistillConfig(**settings)


def test_the_least_and_the_most_of_settings_are_taken():
    DistillConfig(start_steps=2, updates=1, guidance=0, pooled_guidance=0, jump=0.5, teacher_precision="same")


@pytest.mark.parametrize(("every", "measured"), [(5, 20), (50, 50)])
def test_a_rung_is_trained_as_the_teacher_was_but_for_what_is_its_own(every: int, measured: int):
    """Nothing is measured or sampled before its end, and each rung has a seed of its own."""
    base = TrainConfig(
        steps=9, warmup_steps=3, ema_decay=0.9, clip_norm=2.0, seed=7, measure_every=every, sample_every=every
    )
    rung = DistillConfig(updates=20, learning_rate=0.1, batch_size=3).training(base, 4)
    assert (rung.steps, rung.batch_size, rung.learning_rate, rung.clip_norm, rung.seed) == (20, 3, 0.1, 2.0, 11)
    assert (rung.warmup_steps, rung.ema_decay, rung.anneal) == (0, 0, "linear")
    assert (rung.measure_every, rung.sample_every) == (measured, measured)


@pytest.mark.parametrize(
    ("settings", "guided"),
    [
        ({"guidance": 0.5, "pooled_guidance": 0.0}, [(0.5, 0.0)]),
        ({"guidance": 0.0, "pooled_guidance": 2.0}, [(0.0, 2.0)]),
        ({"guidance": 0.0, "pooled_guidance": 0.0}, []),
    ],
)
def test_the_first_rung_alone_learns_a_guided_teacher_above_the_jump(
    ladder, monkeypatch: pytest.MonkeyPatch, settings: dict[str, float], guided: list[tuple[float, float]]
):
    made: list[tuple[float, float, float]] = []
    real = under_test.Guided
    monkeypatch.setattr(under_test, "Guided", lambda of, *weights: (made.append(weights), real(of, *weights))[1])
    seen: list[tuple[int, int]] = []
    climbing = ladder(
        lambda rng: torch.from_numpy(rng.standard_normal((2, 2, 4), dtype=np.float32)),
        start_steps=4, updates=2, batch_size=2, jump=0.5, **settings,
    )  # fmt: skip
    climbing.seen = lambda done, of, line: seen.append((done, of))
    student = climbing.climb(Denoiser(Scaled(), "v"))
    assert [weights[:2] for weights in made] == guided
    for *_, above in made:
        assert 0 < above - math.sin(math.pi / 4) < 1e-5
    assert not student.training and not any(weight.requires_grad for weight in student.parameters())
    assert sorted(set(seen)) == [(done, 4) for done in range(5)]


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        return self.gain * z_t
