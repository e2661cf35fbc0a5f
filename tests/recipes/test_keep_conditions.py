"""What a model does not obey is taken out of it, and its music stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import halfstep
from halfstep.bundle import read_manifest, verify
from halfstep.errors import InputError
from halfstep.runs.export_model import Card, ExportConfig, export_run
from halfstep.runs.train import train_command

SETTINGS = [
    "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "music.frames=24", "train.batch_size=2",
    "train.warmup_steps=1", "train.precision=fp32", "train.compile=off", "train.learning_rate=0.05",
    'conditions.names=["loudness_like", "style"]',
]  # fmt: skip


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "recipes" / "models")
    import keep_conditions

    return keep_conditions


@pytest.mark.parametrize("weights", ["fp32", "int8"])
def test_the_rest_is_asked_for_as_before(recipe, weights: str, write_library: Callable[..., Path], tmp_path: Path):
    data = write_library(tmp_path / "data", (150, 200), (90,), styles=("low", "high"))
    train_command(data, tmp_path / "run", "tiny", SETTINGS, 3, lambda *_: None)
    folder = tmp_path / "model"
    export_run(tmp_path / "run", folder, Card(id="m"), ExportConfig(weights=weights))

    def music(**asked: Any) -> np.ndarray:
        return halfstep.load(folder).generate(0.3, seed=1, steps=2, vocoder="griffin-lim", **asked).samples

    before = {style: music(style=style) for style in ("low", "high")}
    assert not np.array_equal(before["low"], before["high"])
    recipe.main([str(folder), "style"])
    assert [one.name for one in read_manifest(folder).conditions] == ["style"]
    assert verify(folder) == []
    for style, expected in before.items():
        np.testing.assert_allclose(music(style=style), expected, atol=1e-5)
    with pytest.raises(InputError, match="loudness_like"):
        music(loudness_like="-20")
    with pytest.raises(InputError, match="no such control"):
        recipe.main([str(folder), "key"])
    with pytest.raises(InputError, match="drawn"):  # it follows no chords
        recipe.main([str(folder), "style", "--draw", "key"])
