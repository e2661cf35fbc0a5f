"""Studies, recipes and benchmarks: each loads, and says what it does."""

import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = [
    path
    for room in (
        "studies",
        "recipes/models",
        "recipes/judges",
        "recipes/music",
        "recipes/release",
        "benchmarks",
        "examples",
    )
    for path in sorted((ROOT / room).glob("*.py"))
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_script_loads_and_says_what_it_does(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    source = path.read_text(encoding="utf-8")
    try:
        if all(part in source for part in ("argparse", '__name__ == "__main__"')):
            with pytest.raises(SystemExit) as left:
                runpy.run_path(str(path), run_name="__main__")
            assert left.value.code == 0
            assert f"usage: {path.name}" in capsys.readouterr().out
        else:
            runpy.run_path(str(path))
    except ModuleNotFoundError as fault:
        if fault.name in ("mido", "music21", "libsvm"):
            pytest.skip(f"needs {fault.name}, which only this recipe does")
        raise
