"""A change of low rank is a network of its own: it begins near a student and learns to give what that one gives."""

import copy

import numpy as np
import pytest
import torch

from halfstep.diffusion.schedule import CosineSchedule
from halfstep.nets.blocks import Sizes
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.nets.unet1d import UNet1d, UNet1dConfig
from halfstep.training.example import Example
from halfstep.training.low_rank_student import Changed, matching_loss
from halfstep.training.step_random import StepRandom

SCHEDULE = CosineSchedule()


def unet(seed: int) -> Denoiser:
    torch.manual_seed(seed)
    config = UNet1dConfig(widths=(32, 32), blocks=(1, 1), attention=(False, True), attention_heads=2, embedding=8)
    return Denoiser(UNet1d(config, Sizes(channels=96)), "x").eval()


@pytest.fixture
def pair() -> tuple[Denoiser, Denoiser]:
    """A network, and one whose every weight is a little off."""
    base = unet(0)
    disturb(base, 0.1)  # what begins at 0 would say nothing else
    student = copy.deepcopy(base)
    disturb(student, 0.03)
    return base, student.requires_grad_(False)


def disturb(network: Denoiser, deviation: float) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            weight += deviation * torch.randn(weight.shape)


def example() -> Example:
    return Example(x=torch.randn(2, 96, 16, generator=torch.Generator().manual_seed(9)), condition=Condition())


def off(network: Changed, student: Denoiser) -> float:
    """Of the student, at t = 1."""
    return float(
        matching_loss(student, 1, SCHEDULE)(network, example(), StepRandom(0, 0, torch.device("cpu"))).detach()
    )


def test_with_numbers_enough_it_is_the_student_but_for_the_levels(pair: tuple[Denoiser, Denoiser]):
    assert off(Changed(*pair, 10**9), pair[1]) < 0.1 * off(Changed(*pair, 0), pair[1])


def test_fewer_numbers_come_as_near_as_they_can(pair: tuple[Denoiser, Denoiser]):
    nothing, few, more = (Changed(*pair, numbers) for numbers in (0, 2000, 8000))
    for network, numbers in ((nothing, 0), (few, 2000), (more, 8000)):
        spent = sum(p.numel() for part in (network.up, network.down) for p in part.values())
        assert numbers * 0.9 <= spent <= numbers
    assert off(nothing, pair[1]) > off(few, pair[1]) > off(more, pair[1]) > 0


def test_training_moves_the_change_and_leaves_the_base(pair: tuple[Denoiser, Denoiser]):
    network = Changed(*pair, 2000)
    before = copy.deepcopy(pair[0].state_dict())
    learned = [p for p in network.parameters() if p.requires_grad]
    assert len(learned) == len(network.up) + len(network.down) + len(network.small)
    optimizer, first = torch.optim.Adam(learned, lr=2e-3), off(network, pair[1])
    for step in range(20):
        loss = matching_loss(pair[1], 1, SCHEDULE)(network, example(), StepRandom(0, step, torch.device("cpu")))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert off(network, pair[1]) < 0.8 * first
    assert all(torch.equal(value, before[name]) for name, value in network.base.state_dict().items())


def test_the_change_for_a_folder_is_that_of_the_network(pair: tuple[Denoiser, Denoiser]):
    """To the rounding of its levels, with which the network itself counts; names have a prefix."""
    network = Changed(*pair, 4000)
    change = network.change("denoiser.")
    other = copy.deepcopy(network.base)
    for name, weight in other.named_parameters():
        part, vector = change.thin.get(f"denoiser.{name}"), change.vectors.get(f"denoiser.{name}")
        added = vector if part is None else part.matrix
        if added is not None:
            weight += torch.from_numpy(added).view(weight.shape)
    z_t, at_t = example().x, rates_like(SCHEDULE.rates(np.ones(2)), example().x)
    torch.testing.assert_close(other(z_t, at_t, Condition()), network(z_t, at_t, Condition()), atol=1e-4, rtol=1e-4)
    assert max(part.up.max() for part in change.thin.values()) == 7


def test_calls_are_at_the_times_that_the_student_makes_them(pair: tuple[Denoiser, Denoiser]):
    """A student that knows one time alone is matched there alone: of two steps, t = 1 and 1 / 2 both count."""
    asked: list[float] = []

    class Watched(Denoiser):
        def forward(self, z_t, at_t, condition):
            asked.extend(at_t.alpha.flatten().tolist())
            return super().forward(z_t, at_t, condition)

    student = Watched(pair[1].net, "x")
    for step in range(8):
        matching_loss(student, 2, SCHEDULE)(Changed(*pair, 0), example(), StepRandom(0, step, torch.device("cpu")))
    at_the_calls = rates_like(SCHEDULE.rates(np.array([0.5, 1.0])), torch.zeros(2, 1, 1)).alpha.flatten().tolist()
    assert {round(one, 5) for one in asked} == {round(one, 5) for one in at_the_calls}
