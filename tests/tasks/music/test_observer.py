"""What is looked at on the way: fixed noise, known parts held, and networks of every kind sampled within bounds."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from torch import Tensor, nn

from halfstep.audio.mel import MelConfig
from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.diffusion.forms import PARAMETERIZATIONS
from halfstep.diffusion.process import LOUDEST, SAMPLERS, Process, Sampling
from halfstep.diffusion.schedule import SCHEDULES
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.example import Example
from halfstep.training.observe import sample_like

DEVICE = torch.device("cpu")


class GaussianEps(nn.Module):
    """The best eps for data ~ N(0, I), sigma z, a little off as every network is."""

    def __init__(self, error: float) -> None:
        super().__init__()
        self.error = error

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        sigma = torch.sigmoid(-log_snr).sqrt()[:, None, None]
        return sigma * z_t + self.error * torch.sin(3 * z_t)


@pytest.fixture
def observer(library: Path, tmp_path: Path) -> MusicObserver:
    held, task = Library(library), Music(MusicConfig(frames=24))
    return MusicObserver(
        task, Windows(held, "heldout", 24), MelConfig(), (held.band_mean, held.band_std), Sampling(num_steps=4),
        tmp_path, DEVICE, count=6,
    )  # fmt: skip


def test_ddpm_samples_of_a_nearly_right_network_are_data():
    """At DDPM's last step x_hat is eps over 5e-5: unbounded, a thousandth of an error is samples of tens."""
    noise = torch.randn(64, 4, 16, generator=torch.Generator().manual_seed(0))
    example = Example(x=noise, condition=Condition())
    denoiser = Denoiser(GaussianEps(0.003), "eps")
    for sampler in SAMPLERS:
        sampling = Sampling(process=Process(schedule="ddpm-cosine", parameterization="eps"), sampler=sampler)
        x = sample_like(denoiser, example, noise, 64, sampling)
        assert x.std().item() == pytest.approx(1, abs=0.1)
        assert x.abs().max() < LOUDEST


@pytest.mark.parametrize(
    ("parameterization", "schedule", "sampler"),
    [
        trio
        for trio in itertools.product(PARAMETERIZATIONS, SCHEDULES, SAMPLERS)
        # eps says nothing where alpha = 0
        if trio[0] != "eps" or trio[1] in ("ddpm-cosine", "linear", "edm")
    ],
)
def test_an_unlearned_network_samples_finite_numbers(parameterization: str, schedule: str, sampler: str):
    class Noise(nn.Module):
        def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
            heads = 2 if parameterization == "both" else 1
            return torch.cat([torch.cos(5 * z_t)] * heads, dim=1)

    noise = torch.randn(4, 3, 8, generator=torch.Generator().manual_seed(0))
    example = Example(x=noise, condition=Condition())
    sampling = Sampling(process=Process(schedule=schedule, parameterization=parameterization), sampler=sampler)
    x = sample_like(Denoiser(Noise(), parameterization), example, noise, 8, sampling)
    assert torch.isfinite(x).all()
    assert x.abs().max() < 100


class Memory(nn.Module):
    """Predicts x = 0, and counts how often it is asked."""

    calls = 0

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        Memory.calls += 1
        return torch.zeros_like(z_t)


def test_samples_are_log_mel_and_what_is_given_is_in_them(observer: MusicObserver):
    denoiser = Denoiser(Memory(), "x")
    free = observer.windows(denoiser, 4)
    assert free.shape == (6, 128, 24)
    np.testing.assert_allclose(free, np.broadcast_to(observer.mean, free.shape), atol=1e-4)
    given = observer.windows(denoiser, 4, example=observer._given)
    np.testing.assert_allclose(given[:, :, :8], observer.log_mel(observer.real)[:, :, :8], atol=1e-4)
    np.testing.assert_allclose(given[:, :, 8:], free[:, :, 8:], atol=1e-4)


def test_n_steps_are_n_calls(observer: MusicObserver):
    for steps in (1, 5):
        Memory.calls = 0
        observer.windows(Denoiser(Memory(), "x"), steps)
        assert Memory.calls == steps


def test_figures_are_the_same_every_time(observer: MusicObserver):
    class Wave(nn.Module):
        def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
            return torch.sin(z_t)

    denoiser = Denoiser(Wave(), "x")
    first = observer.measure(denoiser)
    torch.rand(3)
    assert observer.measure(denoiser) == first
    assert {"x_error/0.5", "v_error/1.0", "given_third/x_error/1.0", "samples/frame_step",
            "samples/frechet_melstats"} <= first.keys()  # fmt: skip
    assert all(np.isfinite(list(first.values())))


def test_real_windows_are_at_distance_0(observer: MusicObserver):
    look = observer.look(observer.log_mel(observer.real))
    assert look["samples/frechet_melstats"] == pytest.approx(0, abs=1e-4)


def test_samples_are_written_for_eye_and_ear(observer: MusicObserver, tmp_path: Path):
    observer.sample(Denoiser(Memory(), "x"), 7)
    picture, sound = sorted((tmp_path / "samples").iterdir(), key=lambda path: path.suffix, reverse=True)
    assert (picture.name, sound.name) == ("step-00000007.png", "step-00000007.flac")
    with Image.open(picture) as image:
        assert min(image.size) > 100
    samples, rate = soundfile.read(sound)
    assert rate == 44100
    assert len(samples) == pytest.approx(4 * 24 * 512, abs=4 * 2048)
    assert np.abs(samples).max() <= 1
