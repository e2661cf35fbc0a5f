import numpy as np
import torch

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.learned_vocoder.networks import VocoderNet, rotate, turn
from halfstep.learned_vocoder.trunk import VocoderNetConfig

MEL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)
NET = VocoderNetConfig(width=16, prior_ahead=(1, 1, 0), refiner_ahead=(1, 0), local_width=4)


def noise_mel(frames: int) -> torch.Tensor:
    sound = 0.1 * np.random.default_rng(0).standard_normal(frames * MEL.hop_length)
    return torch.from_numpy(log_mel(sound.astype(np.float32), MEL).T.copy())[None]


def test_an_untrained_prior_gives_back_the_mel_it_was_given():
    """Zero-initialised, Richardson-Lucy steps that count as five from the spread mel: within 4 % on average."""
    mel, prior = noise_mel(40), VocoderNet(MEL, NET).prior
    magnitude, _, _, _ = prior(mel, mel[:, : prior.delay], torch.zeros(1, *prior.trunk.state_shape))
    back = (magnitude @ prior.filters.T)[:, prior.delay :].log()
    assert (back - mel[:, : -prior.delay]).abs().mean() < 0.04


def test_an_untrained_refiner_sounds_the_prior_in_the_phases_it_heard():
    refiner = VocoderNet(MEL, NET).refiner
    magnitude = torch.rand(2, 9, MEL.bins) + 0.1
    consistent, planned = torch.randn(2, 2, 9, MEL.bins), torch.randn(2, 2, 9, MEL.bins)
    waiting, state = torch.zeros(2, 5, refiner.delay, MEL.bins), torch.zeros(2, *refiner.trunk.state_shape)
    spectra, _, _ = refiner(torch.randn(2, 9, 16), magnitude, planned, consistent, waiting, state)
    wanted = magnitude[:, None] * consistent / consistent.norm(dim=1, keepdim=True)
    torch.testing.assert_close(spectra[:, :, refiner.delay :], wanted[:, :, : -refiner.delay], rtol=1e-4, atol=1e-4)


def test_bins_above_the_turned_share_keep_the_phases_they_were_heard_in():
    torch.manual_seed(0)
    refiner = VocoderNet(MEL, NET).refiner
    for weight in refiner.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    consistent, planned = torch.randn(1, 2, 9, MEL.bins), torch.randn(1, 2, 9, MEL.bins)
    waiting, state = torch.zeros(1, 5, refiner.delay, MEL.bins), torch.zeros(1, *refiner.trunk.state_shape)
    spectra, _, _ = refiner(
        torch.randn(1, 9, 16), torch.rand(1, 9, MEL.bins) + 0.1, planned, consistent, waiting, state
    )
    answers, asked = spectra[:, :, refiner.delay :], consistent[:, :, : -refiner.delay]
    along = (answers * asked).sum(1) / (answers.norm(dim=1) * asked.norm(dim=1))
    assert refiner.turned == round(MEL.bins / 2)
    torch.testing.assert_close(along[..., refiner.turned :], torch.ones_like(along[..., refiner.turned :]))
    assert along[..., : refiner.turned].min() < 0.95


def test_the_refiner_does_not_mind_where_phases_began():
    """All phases turned by one angle: the answer turns by it, whatever the weights."""
    torch.manual_seed(0)
    refiner = VocoderNet(MEL, NET).refiner
    for weight in refiner.parameters():
        torch.nn.init.normal_(weight, std=0.1)
    inputs = [torch.randn(1, 9, 16), torch.rand(1, 9, MEL.bins) + 0.1]
    planned, consistent = (torch.randn(1, 2, 9, MEL.bins) for _ in range(2))
    planned = planned / planned.norm(dim=1, keepdim=True)

    def turned(spectra: torch.Tensor) -> torch.Tensor:
        angle = torch.tensor(0.7)
        return torch.stack(rotate((spectra[:, 0], spectra[:, 1]), (angle.cos(), angle.sin())), dim=1)

    waiting, state = torch.zeros(1, 5, refiner.delay, MEL.bins), torch.zeros(1, *refiner.trunk.state_shape)
    one = refiner(*inputs, planned, consistent, waiting, state)[0]
    two = refiner(*inputs, turned(planned), turned(consistent), waiting, state)[0]
    torch.testing.assert_close(two, turned(one), rtol=1e-3, atol=1e-4)


def test_a_turn_undone_is_the_first_number():
    first, second = ((angle.cos(), angle.sin()) for angle in 7 * torch.rand(2, 3, 5, 4))
    torch.testing.assert_close(rotate(first, turn(first, second)), second)
