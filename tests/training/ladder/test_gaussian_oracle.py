"""The ladder on data whose answer is known to the last digit: N(0, I), best v = 0, an exactly linear student.

A linear student fits its target exactly, so every rung lands where the 8-step teacher lands: gain cos(pi/16)^8. An
off-by-one time, a wrong half step, swapped networks or averaged weights would each show.
"""

import hashlib
import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from halfstep.diffusion.forms import x_from_v
from halfstep.diffusion.process import Sampling
from halfstep.diffusion.rates import cosine_rates
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.training.example import Example
from halfstep.training.observe import sample_like

EIGHT_STEPS = 0.8562321184  # cos(pi / 16)^8
FOUR_AND_A_JUMP = 0.6543059450  # cos(pi / 16)^4 cos(pi / 4)
FINEST = 8
CLOSE = 1e-3


class Gains(nn.Module):
    """v = g(t) z, one learnable gain for each of the finest grid's times; all 0 is the analytic teacher."""

    def __init__(self) -> None:
        super().__init__()
        self.gains = nn.Parameter(torch.zeros(FINEST))

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        t = 2 / math.pi * torch.atan(torch.exp(-log_snr / 2))
        return self.gains[torch.round(t * FINEST).long() - 1][:, None, None] * z_t


@pytest.fixture
def gaussian(ladder):
    def make(start_steps: int = 8, updates: int = 250, jump: float = 0.0):
        return ladder(
            lambda rng: torch.from_numpy(rng.standard_normal((16, 2, 4), dtype=np.float32)),
            start_steps=start_steps, updates=updates, batch_size=16, learning_rate=0.03, weight="snr+1", jump=jump,
        )  # fmt: skip

    return make


def sample_gain(denoiser: Denoiser, num_steps: int, respacing: str = "trailing") -> float:
    """Samples over noise, by the sampler that training and the ladder's report use; the same for every value."""
    noise = torch.randn(3, 2, 4, generator=torch.Generator().manual_seed(0))
    example = Example(x=noise, condition=Condition())
    with torch.no_grad():
        gains = sample_like(denoiser, example, noise, num_steps, Sampling(respacing=respacing)) / noise
    torch.testing.assert_close(gains, gains.mean().expand_as(gains), atol=1e-5, rtol=0)
    return gains.mean().item()


def weights_hash(denoiser: Denoiser) -> str:
    whole = b"".join(tensor.numpy().tobytes() for tensor in denoiser.state_dict().values())
    return hashlib.sha256(whole).hexdigest()


def test_eight_steps_become_one(gaussian):
    teacher = Denoiser(Gains(), "v")
    before = weights_hash(teacher)
    climbing = gaussian()
    last = climbing.climb(teacher)
    assert list(climbing.students) == [4, 2, 1]
    for num_steps, student in climbing.students.items():
        assert sample_gain(student, num_steps) == pytest.approx(EIGHT_STEPS, abs=CLOSE)
    assert sample_gain(last, 1) == pytest.approx(EIGHT_STEPS, abs=CLOSE)
    assert sample_gain(teacher, 8) == pytest.approx(EIGHT_STEPS, abs=1e-6)
    assert sample_gain(teacher, 1) == pytest.approx(0, abs=1e-6)
    assert weights_hash(teacher) == before


def test_a_ladder_that_jumps_lands_where_its_teacher_jumps(gaussian):
    """Four of the teacher's eight steps down to t = 1/2, and from there its mean; so at every rung."""
    climbing = gaussian(jump=0.5)
    last = climbing.climb(Denoiser(Gains(), "v"))
    assert sample_gain(climbing.students[4], 3, "jump") == pytest.approx(FOUR_AND_A_JUMP, abs=CLOSE)
    assert sample_gain(climbing.students[2], 2) == pytest.approx(FOUR_AND_A_JUMP, abs=CLOSE)
    assert sample_gain(last, 1) == pytest.approx(FOUR_AND_A_JUMP, abs=CLOSE)


def test_each_rung_left_its_own_teacher_alone(gaussian):
    """The 4-step student, teacher of the 2-step one, is on the disk as it was when it landed."""
    climbing = gaussian(updates=20)
    climbing.climb(Denoiser(Gains(), "v"), to=4)
    four = weights_hash(climbing.students[4])
    climbing.climb(Denoiser(Gains(), "v"), to=1)
    assert weights_hash(climbing.students[4]) == four
    assert weights_hash(climbing.students[2]) != four


@pytest.mark.parametrize(
    ("num_steps", "gains"),
    [(1, {1: 0.5}), (2, {0.5: 0.8535533906, 1: 0.2071067812}), (4, {0.25: 0.9619397663, 1: 0.0994561837})],
)
def test_the_first_rung_learns_the_known_gains(gaussian, num_steps: int, gains: dict[float, float]):
    """x_hat / z of the student right below the analytic teacher."""
    student = gaussian(start_steps=2 * num_steps).climb(Denoiser(Gains(), "v"), to=num_steps)
    z = torch.ones(1, 2, 4)
    for t, gain in gains.items():
        at_t = rates_like(cosine_rates(np.array([float(t)])), z)
        with torch.no_grad():
            x_hat = x_from_v(student(z, at_t, Condition()), z, at_t)
        assert x_hat.mean().item() == pytest.approx(gain, abs=CLOSE)


@pytest.mark.parametrize("num_steps", [1, 2, 4, 8])
def test_n_steps_are_n_calls_of_the_network(num_steps: int):
    denoiser = Denoiser(Gains(), "v")
    calls = []
    denoiser.net.register_forward_hook(lambda *_: calls.append(1))
    sample_gain(denoiser, num_steps)
    assert len(calls) == num_steps


class Cut(Exception):
    """Someone pulls the plug."""


@pytest.mark.parametrize("cut_at", [12, 20, 24, 40, 56])
def test_cut_inside_or_between_rungs_it_ends_the_same_bit_for_bit(gaussian, cut_at: int, tmp_path):
    """20 updates a rung: 20 is the end of the first, before its student is written."""
    straight = gaussian(updates=20)
    straight.folder = tmp_path / "straight"
    whole = straight.climb(Denoiser(Gains(), "v"))

    def cut(done: int, of: int, line: str) -> None:
        if done == cut_at:
            raise Cut

    climbing = gaussian(updates=20)
    climbing.seen, climbing.save_seconds = cut, 0
    with pytest.raises(Cut):
        climbing.climb(Denoiser(Gains(), "v"))
    seen = []
    climbing.seen = lambda done, of, line: seen.append(done)
    resumed = climbing.climb(Denoiser(Gains(), "v"))
    assert weights_hash(resumed) == weights_hash(whole)
    # The checkpoint is of the update before the one that was cut: the bar begins there, every later update is made
    # once, and a rung that begins says where it stands.
    assert seen == sorted([cut_at - 1, *range(cut_at, 61), *(begin for begin in (20, 40) if begin >= cut_at)])
    for num_steps in (4, 2, 1):
        assert weights_hash(climbing.students[num_steps]) == weights_hash(straight.students[num_steps])


def test_cut_between_rungs_when_the_student_is_written_but_not_vouched_for(gaussian):
    """Killed between the weights and the note of their checksum: the rung ends again as it ended."""
    climbing = gaussian(updates=40)
    climbing.climb(Denoiser(Gains(), "v"), to=4)
    landed = weights_hash(climbing.students[4])
    (climbing.folder / "0004" / "student.json").unlink()
    climbing.climb(Denoiser(Gains(), "v"), to=4)
    assert weights_hash(climbing.students[4]) == landed
    assert (climbing.folder / "0004" / "student.json").exists()


def test_a_finished_rung_that_is_not_whole_is_refused_by_name(gaussian):
    climbing = gaussian(updates=20)
    climbing.climb(Denoiser(Gains(), "v"), to=4)
    weights = climbing.folder / "0004" / "student.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"0004/student.safetensors: .* checksum"):
        climbing.climb(Denoiser(Gains(), "v"), to=2)
