"""The teacher's loss, from sound files to a number: a network that says nothing has a v loss of exactly 1.

For data of unit variance E|v|^2 = alpha^2 + sigma^2 = 1 at every t. If it is not 1.00, the normalisation is wrong. On
a real data set, `x_error/1.0` and `v_error/...` of a new run's first measurement say the same.
"""

import numpy as np
import pytest
import torch

from halfstep.audio.files.writing import write
from halfstep.data.dataset import Library
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.windows import Windows
from halfstep.diffusion.schedule import CosineSchedule
from halfstep.nets.blocks import Sizes
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.unet1d import UNet1d, UNet1dConfig
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.denoising import DiffusionConfig, denoising_loss
from halfstep.training.observe import LEVELS, errors_by_level
from halfstep.training.step_random import StepRandom

NET = UNet1dConfig(widths=(8,), blocks=(1,), attention=(False,), attention_heads=2, embedding=8)
DEVICE = torch.device("cpu")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Three recordings of wind, each of its own loudness and colour, prepared as a user's are.

    Of noise, because it has no silent ends: windows reach the frames at the very ends of a recording less often.
    """
    folder = tmp_path_factory.mktemp("music")
    for seed in range(3):
        rng = np.random.default_rng(seed)
        gusts = np.repeat(np.exp(rng.normal(0, 1, 60)), 44100 // 4)
        spectrum = np.fft.rfft(gusts * rng.standard_normal(len(gusts)))
        hz = np.fft.rfftfreq(len(gusts), 1 / 44100)
        sound = np.fft.irfft(spectrum / (1 + hz / (300 * 2**seed)))
        write(folder / f"{seed}.wav", [(sound / np.abs(sound).max()).astype(np.float32)[None]], 44100, {})
    out = tmp_path_factory.mktemp("data")
    prepare([folder], out, PrepareConfig(decode=DecodeConfig(min_frames=24), heldout_share=0.3), 1)
    return Library(out)


def start(task: Music, parameterization: str) -> Denoiser:
    heads = 2 if parameterization == "both" else 1
    sizes = Sizes(channels=task.channels, aligned=task.aligned, heads=heads)
    return Denoiser(UNet1d(NET, sizes), parameterization)


@pytest.mark.parametrize("packing", ["patch", "snake", "none"])
def test_v_loss_is_1_at_a_zero_start(prepared: Library, packing: str):
    task = Music(MusicConfig(frames=24, packing=packing))
    windows = Windows(prepared, "train", 24)
    loss = denoising_loss(DiffusionConfig(parameterization="v", weight="snr+1"))
    denoiser = start(task, "v")
    result = []
    with torch.no_grad():
        for number in range(12):
            clips, rng = windows.batch(number, 64)
            result.append(loss(denoiser, task.example(clips, rng), StepRandom(0, number, DEVICE)).item())
    assert np.mean(result) == pytest.approx(1, abs=0.02)


def test_v_and_x_errors_by_level_at_a_zero_start(prepared: Library):
    """v = 0 at every level; where x is predicted, x_hat = 0 has the variance of the data."""
    task = Music(MusicConfig(frames=24))
    example = task.free(Windows(prepared, "train", 24).evenly(400))
    of_v = errors_by_level(start(task, "v"), example, CosineSchedule())
    of_x = errors_by_level(start(task, "x"), example, CosineSchedule())
    for level in LEVELS:
        assert of_v[f"v_error/{level}"] == pytest.approx(1, abs=0.03)
        assert of_x[f"x_error/{level}"] == pytest.approx(1, abs=0.04)
        sigma = np.sin(np.pi / 2 * level)
        assert of_v[f"x_error/{level}"] == pytest.approx(sigma**2 * of_v[f"v_error/{level}"], rel=1e-5)


def test_a_wrong_normalisation_would_show(prepared: Library):
    """One mean and deviation for all bands: every band's own mean is then variance that is not there."""
    task = Music(MusicConfig(frames=24))
    mean, std = prepared.band_mean.mean(), prepared.band_std.mean()
    clips = Windows(prepared, "train", 24).evenly(200) * prepared.band_std[:, None] + prepared.band_mean[:, None]
    example = task.free(((clips - mean) / std).astype(np.float32))
    assert errors_by_level(start(task, "v"), example, CosineSchedule())["v_error/1.0"] > 1.2


def test_the_loss_is_of_the_x_that_the_clips_are(prepared: Library):
    """A denoiser that knows the answer has no loss, whatever it predicts and is weighted by."""
    task = Music(MusicConfig(frames=24))
    clips, rng = Windows(prepared, "train", 24).batch(0, 8)
    example = task.example(clips, rng)

    class Oracle(torch.nn.Module):
        def forward(self, z_t, log_snr, condition):
            return example.x

    for weight in ("snr+1", "truncated-snr", "clipped-snr", "snr", "x"):
        loss = denoising_loss(DiffusionConfig(parameterization="x", weight=weight))
        assert loss(Denoiser(Oracle(), "x"), example, StepRandom(0, 0, DEVICE)).item() == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"schedule": "straight"}, "schedule is 'straight'"), ({"parameterization": "w"}, "parameterization is 'w'"),
     ({"weight": "heavy"}, "weight is 'heavy': one of snr"),
     ({"parameterization": "eps"}, "parameterization is 'eps' and schedule 'cosine'"),
     ({"variance": "learned"}, "variance is 'learned' and schedule 'cosine', which is continuous"),
     ({"times": "late"}, "times is 'late': one of uniform, log-normal, importance"),
     ({"respacing": "linspace"}, "respacing is 'linspace'"), ({"sample_steps": 0}, "sample_steps is 0")],
)  # fmt: skip
def test_settings_that_are_not_known_are_named(wrong: dict, says: str):
    with pytest.raises(ValueError, match=says):
        DiffusionConfig(**wrong)
