"""What a model exaggerates is measured on real windows, and written into its folder."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import halfstep
from halfstep.bundle import Stationary, open_folder, read_manifest
from halfstep.generation.window import WindowSampler


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "recipes" / "models")
    import hold_stationary

    return hold_stationary


def test_slopes_means_and_deviations_are_those_of_a_network_that_is_known(
    recipe, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
):
    """Tracks of levels 1 and 2 with deviations of 1.5; x is 1.2 times the context's level and .3, with those of 1."""
    manifest = open_folder(tiny_model).manifest

    def network(z_t, alpha_t, sigma_t, aligned):
        level = aligned[:, :24].sum() / (aligned[:, 24:].mean() * 24 * aligned.shape[2])
        return -(1.2 * level + 0.3 + np.sign(z_t)).astype(np.float32)

    sampler = WindowSampler(network, manifest, 1)
    monkeypatch.setattr(halfstep, "load", lambda _: SimpleNamespace(engine=SimpleNamespace(sampler=lambda: sampler)))
    ripple = np.where(np.arange(60) % 2, 1.5, -1.5)[:, None] * np.ones(8, np.float32)
    tracks = [SimpleNamespace(frames=60, level=level) for level in (1, 2)] + [SimpleNamespace(frames=40, level=9)]
    library = SimpleNamespace(
        tracks=tracks, array=lambda track: sampler.log_mel((ripple + track.level).T.astype(np.float32)).T
    )
    result = recipe.measured(tiny_model, library, 5)
    # Over contexts of 1 and 2: (1.2 + .3) * 1 + (2.4 + .3) * 2 of 1 + 4, less the noise's own mean.
    assert result.pull == pytest.approx((1.5 + 2 * 2.7) / 5 - 1, abs=0.1)
    assert result.bias == pytest.approx((1.5 + 2.7) / 2 - 1.5, abs=0.1)
    assert result.contrast == pytest.approx(1.5, rel=0.03)


def test_numbers_are_written_into_the_folder(recipe, tiny_model: Path, tmp_path: Path):
    model = shutil.copytree(tiny_model, tmp_path / "model")
    assert recipe.main([str(model), "--set", ".4", ".2", ".05", "1.1"]) == 0
    assert read_manifest(model).stationary == Stationary(pull=0.4, detail=0.2, bias=0.05, contrast=1.1)


def test_one_of_both_is_needed(recipe, tiny_model: Path):
    with pytest.raises(SystemExit):
        recipe.main([str(tiny_model)])
