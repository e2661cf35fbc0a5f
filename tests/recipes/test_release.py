"""What is no release is refused; where the project lives is said by whoever builds it."""

import runpy
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "recipes" / "release" / "release.py"))


def with_git(monkeypatch: pytest.MonkeyPatch, script: dict[str, Any], answer: Callable[..., str]) -> None:
    for name in ("check_wheel", "check_version"):
        monkeypatch.setitem(script[name].__globals__, "git", answer)


@pytest.mark.parametrize(("taken", "added", "said"), [(0, 0, None), (1, 0, "lacks"), (0, 1, "not know")])
def test_a_wheel_holds_what_git_knows_and_nothing_else(
    taken: int, added: int, said: str | None, script: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    known = [*script["NEEDED"], "halfstep/a.py"]
    with_git(monkeypatch, script, lambda *_: "\n".join(f"src/{name}" for name in known))
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        for name in [*known[taken:], *["halfstep/notes.txt"] * added, "halfstep-1.dist-info/METADATA"]:
            wheel.writestr(name, "")
    if said is None:
        script["check_wheel"](tmp_path / "a.whl")
    else:
        with pytest.raises(script["Refused"], match=said):
            script["check_wheel"](tmp_path / "a.whl")


def test_a_version_needs_its_entry_and_its_tag(script: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "CHANGELOG.md").write_text("## Unreleased\n\n## 0.3.0 (2026-11-27)\n")
    monkeypatch.setitem(script["check_version"].__globals__, "ROOT", tmp_path)
    with_git(monkeypatch, script, lambda *_: "v0.3.0\nv0.3.1\n")
    script["check_version"]("0.3.0")
    with pytest.raises(script["Refused"], match="no entry"):
        script["check_version"]("0.3.1")
    with_git(monkeypatch, script, lambda *_: "")
    with pytest.raises(script["Refused"], match=r"no tag v0\.3\.0"):
        script["check_version"]("0.3.0")


def test_relative_links_lead_to_the_repository_and_others_stay():
    pytest.importorskip("hatchling")
    absolute = runpy.run_path(str(ROOT / "hatch_build.py"))["absolute"]
    text = "[a](at/a.md#b) ![p](at/p.png) [x](https://x.org) [here](#there)"
    assert absolute(text, "https://h/o") == (
        "[a](https://h/o/blob/main/at/a.md#b) ![p](https://h/o/raw/main/at/p.png) [x](https://x.org) [here](#there)"
    )
