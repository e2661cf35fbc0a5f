"""The teacher's windows: from the noise that its students' windows begin with."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from halfstep.tasks.music.judge import teacher_windows
from torch import Tensor, nn

from halfstep.arrays import Float32
from halfstep.bundle import ComponentsFile, Manifest
from halfstep.diffusion.rates import Rates
from halfstep.diffusion.schedule import CosineSchedule
from halfstep.evaluation.sounds import model_mels
from halfstep.generation.window import WindowSampler
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import Denoiser, rates_like
from halfstep.packing import Components
from halfstep.tasks.music.task import Music, MusicConfig


class Wave(nn.Module):
    """Some x of z_t."""

    def forward(self, z_t: Tensor, log_snr: Tensor, condition: Condition) -> Tensor:
        return torch.sin(2 * z_t) + 0.3 * z_t


def played(denoiser: Denoiser) -> Callable[..., Float32[np.ndarray, "..."]]:
    """The network as the playing half calls it."""

    def network(
        z_t: Float32[np.ndarray, "..."], alpha: float, sigma: float, aligned: Float32[np.ndarray, "..."] | None
    ) -> Float32[np.ndarray, "..."]:
        z = torch.from_numpy(z_t)
        rates = Rates(np.full(len(z), alpha), np.full(len(z), sigma))
        return denoiser(z, rates_like(rates, z), Condition()).numpy()

    return network


@pytest.mark.parametrize("packing", ["snake", "patch", "none", "components"])
def test_teacher_and_student_begin_window_k_with_one_noise(packing: str, tiny_manifest: Manifest):
    """One network as both: the report's rows are then the same music, window by window."""
    config = MusicConfig(n_mels=8, frames=24, packing=packing, components=5, patch_frames=2, context=False)
    matrix = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 5)))[0].T.astype(np.float32)
    components = Components(matrix=np.ascontiguousarray(matrix), scale=1.5, explained=0.9) if config.fitted else None
    task, denoiser = Music(config, components), Denoiser(Wave(), "x")
    manifest = tiny_manifest.__class__(**{
        **vars(tiny_manifest), "packing": packing, "context": False,
        "components": ComponentsFile(file="c.npz", count=5, patch_frames=2, explained=0.9) if components else None,
    })  # fmt: skip
    band = (np.array(manifest.band_mean), np.array(manifest.band_std))
    teacher = teacher_windows(task, denoiser, CosineSchedule(), manifest.mel, band, 4, 7)
    student = model_mels(WindowSampler(played(denoiser), manifest, 4, task.packing), 7)
    made = teacher(range(3))
    np.testing.assert_allclose(student(range(3)), made, atol=1e-4)
    np.testing.assert_allclose(student(range(2, 3)), made[2:], atol=1e-4)
    assert np.abs(made[0] - made[1]).mean() > 0.1
