"""Models at an address: published to a stand-in for the Hub, fetched from there and from elsewhere, never half."""

import json
import shutil
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from fake_hub import fake_hub

import halfstep
from halfstep.addresses import cache_folder
from halfstep.app.cli import run
from halfstep.bundle.remote import hub_name
from halfstep.errors import InputError


@pytest.fixture
def repositories(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Generator[dict[str, dict[str, bytes]], None, None]:
    monkeypatch.setenv("HALFSTEP_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    with fake_hub() as (address, held):
        monkeypatch.setenv("HF_ENDPOINT", address)
        yield held


def test_published_with_its_card_and_played_from_there(
    repositories: dict[str, dict[str, bytes]], tiny_model: Path, capsys: pytest.CaptureFixture[str]
):
    assert run(["push", str(tiny_model), "hf://me/tiny", "--examples", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["address"] == "hf://me/tiny"
    card = repositories["me/tiny"]["README.md"].decode()
    assert card.startswith("---\nlicense: mit\n") and "| nothing | CC0-1.0 | made here | 0.0 |" in card
    assert repositories["me/tiny"]["examples/seed-0.mp3"] and "examples/seed-0.mp3" in card
    model = halfstep.load("hf://me/tiny")
    own = halfstep.load(tiny_model)
    np.testing.assert_array_equal(model.generate(1, seed=3).samples, own.generate(1, seed=3).samples)
    assert {path.name for path in model.folder.path.iterdir()} == {path.name for path in tiny_model.iterdir()}
    repositories.clear()
    with pytest.raises(InputError, match="me/tiny: cannot be fetched"):
        halfstep.Model.from_pretrained("me/tiny")


@pytest.mark.parametrize("address", ["hf://tiny", "hf://a/b/c", "hf:///b"])
def test_a_name_on_the_hub_has_two_parts(address: str):
    with pytest.raises(InputError, match="give hf://USER/MODEL"):
        hub_name(address)
    assert hub_name("hf://me/tiny@v2") == ("me/tiny", "v2")


def test_any_file_system_serves_and_a_changed_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path
):
    monkeypatch.setenv("HALFSTEP_CACHE", str(tmp_path / "cache"))
    far = tmp_path / "far"
    shutil.copytree(tiny_model, far)
    (network,) = far.glob("*4.onnx")
    whole = network.read_bytes()
    network.write_bytes(whole[:-1] + b"?")
    with pytest.raises(InputError, match="sha256"):
        halfstep.load(f"file://{far}")
    assert not list((cache_folder() / "models").iterdir())
    network.write_bytes(whole)
    first = halfstep.load(f"file://{far}").generate(0.5).samples
    np.testing.assert_array_equal(halfstep.load(f"file://{far}/").generate(0.5).samples, first)
    shutil.make_archive(str(tmp_path / "model"), "zip", far)
    assert halfstep.load(f"zip::file://{tmp_path / 'model.zip'}").manifest.id == "tiny-gauss"
    with pytest.raises(InputError, match="cannot be fetched"):
        halfstep.load(f"file://{tmp_path}/nothing")


def test_a_copy_is_whole(tiny_model: Path, tmp_path: Path):
    halfstep.load(tiny_model).save_pretrained(tmp_path / "copy")
    assert run(["verify", str(tmp_path / "copy")]) == 0
