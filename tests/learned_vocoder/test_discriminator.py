import math

import pytest
import torch

from halfstep.learned_vocoder.discriminator import Judges, SpectrumJudge, deceiving_loss, judging_loss


def tone(hertz: float, phase: float, count: int = 8192) -> torch.Tensor:
    return torch.sin(2 * math.pi * hertz / 16000 * torch.arange(count) + phase)[None]


def test_where_a_tone_began_is_not_seen():
    judge = SpectrumJudge(512)
    one, two = (judge.seen(tone(1010, phase))[:, :, 3:-3, 31:34] for phase in (0.3, 2.0))
    torch.testing.assert_close(one, two, rtol=0, atol=0.05)
    assert one.abs().max() > 1


def test_a_steady_tone_turns_by_its_distance_from_its_bin_and_a_jump_is_seen():
    """In the middle of bin 32 nothing turns from frame to frame, until the phase jumps by half a turn."""
    judge = SpectrumJudge(512)
    steady = tone(1000, 0.0)
    jumping = torch.cat([steady[:, :4096], -steady[:, 4096:]], dim=1)
    real, imag = judge.seen(steady)[0, 3:, 3:-3, 32]
    assert real.min() > 1
    assert imag.abs().max() < 0.05 * real.min()
    assert judge.seen(jumping)[0, 3, 3:-3, 32].min() < 0.1 * real.min()


def test_losses_are_known_for_known_scores():
    sure, wrong = [torch.full((2, 1, 3), 2.0)], [torch.full((2, 1, 3), -2.0)]
    assert judging_loss(sure, wrong).item() == 0
    assert judging_loss(wrong, sure).item() == 6
    assert deceiving_loss(sure).item() == -2


@pytest.mark.slow
def test_judges_learn_to_tell_a_tone_from_noise():
    torch.manual_seed(0)
    judges = Judges()
    optimizer = torch.optim.Adam(judges.parameters(), 2e-3)
    for step in range(30):
        real, made = tone(1000, 0.1 * step), torch.randn(1, 8192)
        loss = judging_loss(judges(real), judges(made))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5  # 2 by chance
