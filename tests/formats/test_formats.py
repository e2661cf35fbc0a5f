"""What earlier commits wrote is read by this one: a data set, a run and a model of each, made by the program as it was.

`made/COMMIT` holds them: tracks cut to 30 frames, one update of a small network, no logs. A folder is added whenever
what is written changes, and none is ever removed.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from halfstep.app.cli import run
from halfstep.bundle import load_folder
from halfstep.bundle.model_json import parse_manifest
from halfstep.data.dataset import Library
from halfstep.runs.distill import finished_rungs
from halfstep.runs.run_folder import open_run

MADE = Path(__file__).parent / "made"
COMMITS = sorted(path.name for path in MADE.iterdir())
CARDS = [name for name in COMMITS if (MADE / name / "model").is_dir()]
MODELS = [name for name in CARDS if any((MADE / name / "model").glob("*.onnx"))]
"""Whole ones; of the others the card alone is kept, since a vocoder is large."""


def run_of(commit: str, folder: Path) -> Path:
    """A copy of its run, which knows where its data set is now."""
    made = folder / "run"
    shutil.copytree(MADE / commit / "run", made)
    config = json.loads((made / "config.json").read_text())
    config["data"] = str(MADE / commit / "data")
    config.pop("data_set", None)  # the tracks have been cut since
    (made / "config.json").write_text(json.dumps(config))
    return made


def test_there_is_the_first_whole_path_and_a_model_of_it():
    assert len(COMMITS) >= 4
    assert "2ffac1d" in MODELS


@pytest.mark.parametrize("commit", COMMITS)
def test_a_data_set(commit: str):
    library = Library(MADE / commit / "data")
    assert len(library.tracks) == 3
    assert library.mel.n_mels == 128
    for track in library.tracks:
        frames = library.array(track)[:]
        assert frames.shape == (track.frames, 128)
        assert np.isfinite(frames.astype(np.float32)).all()


@pytest.mark.parametrize("commit", COMMITS)
def test_a_run(commit: str, tmp_path: Path):
    """Its settings, its teacher and its students; the network's answer is a number."""
    with open_run(run_of(commit, tmp_path)) as opened:
        assert opened.experiment.task.clip_frames == 24
        rungs = finished_rungs(opened)
        networks = [opened.teacher(), *(load() for load in rungs.values())]
        example = opened.task.free(opened.windows("train").evenly(2))
        opened.observer(tmp_path / "look").sampled_at(2)
        for network in networks:
            assert all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
        assert example.x.shape[1:] == (opened.task.channels, opened.task.length)


@pytest.mark.parametrize("commit", CARDS)
def test_a_models_card(commit: str):
    card = json.loads((MADE / commit / "model" / "model.json").read_text())
    assert parse_manifest(card, commit).frames == 24


@pytest.mark.parametrize("commit", MODELS)
def test_a_model(commit: str, tmp_path: Path):
    model = load_folder(MADE / commit / "model")
    assert model.manifest.steps
    words = ["generate", str(tmp_path / "a.wav"), "--model", str(MADE / commit / "model"), "--seconds", "1"]
    assert run(words) == 0


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("data/dataset.json", ["verify", "data"]),
        ("run/config.json", ["distill", "run"]),
        ("model/model.json", ["generate", "a.wav", "--model", "model"]),
    ],
)
def test_a_newer_one_is_refused_by_its_number(
    file: str, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for kind in ("data", "run", "model"):
        shutil.copytree(MADE / "2ffac1d" / kind, tmp_path / kind)
    facts = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps(facts | {"format": 7}))
    monkeypatch.chdir(tmp_path)
    assert run(words) in (1, 2)
    said = capsys.readouterr()
    newest = 2 if file == "data/dataset.json" else 1
    assert f"format is 7, this halfstep reads {newest}; update halfstep" in said.err + said.out
    assert not (tmp_path / "a.wav").exists()
