"""`halfstep page`: a site that is whole, names the very files it was written with, and asks nobody else."""

import base64
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.app.page.runtime import RUNTIME_FILES, runtime_folder
from halfstep.app.page.static_site import SITE
from halfstep.errors import InputError

GRAPHS = re.findall(r'"(\w+)"', re.findall(r"GRAPHS = \[(.*?)\]", (SITE / "maker.js").read_text())[0])
"""What the worker loads."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In place of onnxruntime-web, which is 14 MB."""
    folder = tmp_path_factory.mktemp("runtime")
    for name in RUNTIME_FILES:
        (folder / name).write_bytes(b"export {}")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, runtime: Path) -> Path:
    out = tmp_path_factory.mktemp("site") / "radio"
    options = ["--runtime", str(runtime), "--server", "https://radio.example"]
    assert run(["page", "--out", str(out), *options]) == 0
    return out


class Metas(HTMLParser):
    """The meta elements of a page, by name."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        one = {name: value or "" for name, value in attrs}
        if tag == "meta" and "content" in one:
            self.found[one.get("name") or one.get("http-equiv", "")] = one["content"]


def test_the_page_makes_its_own_music_and_asks_no_one_else(site: Path):
    metas = Metas((site / "index.html").read_text()).found
    assert metas["halfstep-source"] == "browser"
    assert metas["halfstep-server"] == "https://radio.example"
    policy = metas["Content-Security-Policy"]
    assert "connect-src 'self';" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "unsafe-inline" not in policy
    for path in site.iterdir():
        if path.suffix in (".js", ".css", ".html"):
            text = path.read_text().replace("https://radio.example", "").replace("http://www.w3.org/2000/svg", "")
            assert "http://" not in text, path
            assert "https://" not in text, path


def test_every_file_it_names_is_there_and_is_that_file(site: Path):
    (model,) = json.loads((site / "site.json").read_text())["models"]
    manifest = halfstep.load().manifest
    assert (model["id"], model["steps"]) == (manifest.id, list(manifest.steps))
    assert {f"denoiser-{steps}" for steps in manifest.steps} < set(model["files"])
    for file in model["files"].values():
        data = (site / file["path"].partition("?")[0]).read_bytes()
        assert file["integrity"] == "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()
    own = set() if manifest.stationary is None else {"stationary"}
    assert set(GRAPHS) - {"stationary", "imaged"} | own < set(model["files"])
    assert {steps: len(path) for steps, path in model["paths"].items()} == {
        str(steps): steps for steps in manifest.steps
    }
    for name in RUNTIME_FILES:
        assert (site / "ort" / name).read_bytes() == b"export {}"


def test_a_model_without_a_learned_vocoder_is_refused(
    tiny_model: Path, runtime: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    options = ["--out", str(tmp_path / "site"), "--runtime", str(runtime), "--model", str(tiny_model)]
    assert run(["page", *options]) == 2
    assert "no learned vocoder" in capsys.readouterr().err
    assert not (tmp_path / "site").exists()


def test_a_folder_of_somebody_elses_is_refused_and_left_as_it_was(
    runtime: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "index.html").write_text("my own page")
    assert run(["page", "--out", str(tmp_path), "--runtime", str(runtime)]) == 2
    assert "not empty, and no site made by halfstep; choose another --out" in capsys.readouterr().err
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("index.html", "my own page")]


@pytest.mark.parametrize("server", ["ftp://x", "radio.example", 'https://x"><script>'])
def test_an_address_that_is_none_is_refused(server: str, runtime: Path, tmp_path: Path):
    assert run(["page", "--out", str(tmp_path / "site"), "--runtime", str(runtime), "--server", server]) == 2


def test_a_runtime_that_lacks_files_says_how_to_get_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["page", "--out", str(tmp_path / "site"), "--runtime", str(tmp_path)]) == 2
    assert "npm pack onnxruntime-web@" in capsys.readouterr().err


def test_without_npm_it_says_what_brings_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(InputError, match=r"npm.*is not installed.*--runtime"), runtime_folder(None):
        pass


def test_what_npm_brings_is_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    npm = tmp_path / "npm"
    npm.write_text('#!/bin/sh\nfor last; do :; done\necho other > "$last/x.tgz"\n')
    npm.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(npm))
    with pytest.raises(InputError, match="its hash differs"), runtime_folder(None):
        pass
