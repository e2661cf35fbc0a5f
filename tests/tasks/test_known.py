"""A task is one folder: that of docs/new-task.md is trained, distilled and exported as it stands."""

import configparser
import re
import sys
import tomllib
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

from halfstep.bundle import load_folder
from halfstep.diffusion.rates import cosine_rates
from halfstep.errors import InputError
from halfstep.nets.condition import Condition
from halfstep.nets.denoiser import rates_like
from halfstep.runs.distill import distill_command, finished_rungs
from halfstep.runs.experiment import Experiment
from halfstep.runs.export_model import Card, export_run
from halfstep.runs.presets import preset
from halfstep.runs.run_folder import open_run
from halfstep.runs.train import train_command
from halfstep.tasks.known import kind_named, kind_of, own_kinds, task_names
from halfstep.tasks.music.task import MusicConfig

PAGE = Path(__file__).parents[2] / "docs" / "new-task.md"


@pytest.fixture
def backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the page, installed as pip would leave it."""
    page, site = PAGE.read_text(encoding="utf-8"), tmp_path / "site"
    for file, code in re.findall(r"```python\n# (\S+)\n(.*?)```", page, re.DOTALL):
        (site / file).parent.mkdir(parents=True, exist_ok=True)
        (site / file).write_text(code, encoding="utf-8")
    (site / "backwards" / "__init__.py").touch()
    (declared,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    entries = configparser.ConfigParser()
    entries.read_dict(tomllib.loads(declared)["project"]["entry-points"])
    (site / "backwards-1.dist-info").mkdir()
    (site / "backwards-1.dist-info" / "METADATA").write_text("Name: backwards\nVersion: 1\n")
    with (site / "backwards-1.dist-info" / "entry_points.txt").open("w") as file:
        entries.write(file)
    for name in [name for name in sys.modules if name.partition(".")[0] == "backwards"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(site)


@pytest.mark.usefixtures("backwards")
def test_a_task_in_a_package_of_its_own_is_trained_distilled_and_exported(library: Path, tmp_path: Path):
    run, out = tmp_path / "run", tmp_path / "model"
    figures = train_command(library, run, "backwards", ["backwards.frames=24", "net.width=16"], 3, lambda *_: None)
    assert figures.keys() >= {"x_error/0.5"}
    rows = distill_command(run, 2, None, lambda *_: None)
    assert [row["steps"] for row in rows] == [4, 2]
    assert "frame_step" in rows[0]
    with open_run(run) as opened:
        assert (opened.experiment.task_name, opened.experiment.clip_frames) == ("backwards", 24)
    manifest = export_run(run, out, Card(id="backwards"))
    assert (manifest.frames, manifest.packing, manifest.context, manifest.steps) == (24, "none", False, (2,))
    z_t = np.random.default_rng(0).standard_normal((1, 128, 24), np.float32)
    with open_run(run) as opened, torch.no_grad():
        student = finished_rungs(opened)[2]()
        v = student(torch.from_numpy(z_t), rates_like(cosine_rates(np.array([0.5])), torch.zeros(1, 1, 1)), Condition())
    half = 0.5**0.5
    np.testing.assert_allclose(load_folder(str(out)).denoiser(2)(z_t, half, half), v.numpy(), atol=1e-4)


@pytest.mark.usefixtures("backwards")
def test_an_installed_task_is_known_beside_the_own_ones():
    kind = kind_named("backwards")
    assert kind is not None
    assert kind_of(kind.config()) is kind
    assert task_names() == ("diffusion_vocoder", "music", "plan", "backwards")
    experiment = preset("backwards")
    assert isinstance(experiment, Experiment) and experiment.kind is kind


def test_own_tasks_are_the_folders_and_settings_of_none_are_refused():
    assert list(own_kinds()) == ["diffusion_vocoder", "music", "plan"]
    assert all(kind_named(name) is kind and kind.name == name for name, kind in own_kinds().items())
    assert kind_of(MusicConfig()) is own_kinds()["music"]
    assert kind_named("backwards") is None
    with pytest.raises(ValueError, match="object: no task"):
        kind_of(cast(MusicConfig, object()))
    with pytest.raises(InputError, match=r"preset backwards: not known; there are tiny, base"):
        preset("backwards")
