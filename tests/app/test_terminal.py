"""Whatever the terminal can show, whether or not anybody listens, and whatever a stranger's folder says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.app.progress import progress
from halfstep.app.terminal import say

SOURCE = str(Path(halfstep.__file__).parent.parent)
ESCAPES = "\x1b]0;PWNED\x07\x1b[31mred\r"


def halfstep_process(*words: str, closed: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """closed: what a shell is told to close, such as 2>&-."""
    command = f'"$0" -m halfstep "$@" {closed}'
    known = os.environ | {"PYTHONPATH": SOURCE} | environment
    return subprocess.run(["sh", "-c", command, sys.executable, *words], capture_output=True, env=known)


def test_the_package_is_the_command():
    done = halfstep_process("--version")
    assert (done.returncode, done.stdout.decode()) == (0, f"halfstep {halfstep.__version__}\n")


@pytest.mark.parametrize("words", [["-h"], ["generate", "-h"]])
def test_help_has_a_short_name(words: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(words) == 0
    assert "Usage: halfstep" in capsys.readouterr().out


@pytest.mark.parametrize(("closed", "alphabet"), [("<&- 2>&-", "ascii"), ("", "cp1252")])
def test_music_is_written_for_any_terminal(tmp_path: Path, tiny_model: Path, closed: str, alphabet: str):
    out = tmp_path / "音楽.wav"
    done = halfstep_process(
        "generate", str(out), "--seconds", "1", "--count", "2", "--model", str(tiny_model), closed=closed,
        PYTHONIOENCODING=alphabet, PYTHONUTF8="0",
    )  # fmt: skip
    assert done.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["音楽-1.wav", "音楽-2.wav"]
    assert b"\\u97f3" in done.stdout
    assert all(path.read_bytes().startswith(b"RIFF") for path in tmp_path.iterdir())


def test_a_reader_that_goes_away_stops_no_work(tmp_path: Path, tiny_model: Path):
    done = halfstep_process("verify", str(tiny_model / "none"), closed="2>&1 1>&- | true")
    assert done.returncode == 0  # of `true`; nothing hangs


def test_what_others_wrote_is_escaped_before_it_is_said(capsys: pytest.CaptureFixture[str]):
    say(f"a{ESCAPES}\nb")
    assert capsys.readouterr().out == "a\\x1b]0;PWNED\\x07\\x1b[31mred\\r\nb\n"


@pytest.mark.parametrize("command", ["models", "verify"])
def test_no_model_folder_commands_the_terminal(
    tmp_path: Path, write_model, command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    model = write_model(tmp_path / "models" / "m")
    facts = json.loads((model / "model.json").read_text())
    facts["measured"] = {ESCAPES: ESCAPES, "rows": [{"steps": 4, ESCAPES: 1}]}
    (model / "model.json").write_text(json.dumps(facts))
    monkeypatch.setenv("HALFSTEP_MODELS", str(tmp_path / "models"))
    run([command, *([str(model)] if command == "verify" else [])])
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out + shown.err


def test_one_odd_folder_hides_no_others(
    tmp_path: Path, write_model, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in ("a", "b"):
        write_model(tmp_path / "models" / name, id=name)
    (tmp_path / "models" / "a" / "model.json").write_text('{"measured": {"x": 1' + "0" * 400 + "}}")
    (tmp_path / "models" / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "models" / "fifo")
    (tmp_path / "models" / "x\ny").mkdir()
    (tmp_path / "models" / "x\ny" / "model.json").write_text("{}")
    monkeypatch.setenv("HALFSTEP_MODELS", f"{tmp_path / 'nowhere'}{os.pathsep}{tmp_path / 'models'}")
    assert run(["models"]) == 0
    shown = capsys.readouterr().out
    assert "\nb  " in shown
    assert "not usable: " in shown and "too large" in shown and "x\\ny/model.json" in shown


def test_a_bar_never_goes_back(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr("halfstep.app.progress.SECONDS_BETWEEN_LINES", 0.0)
    with progress("work [/x]") as tell:
        for done, of in ((1, 4), (3, 4), (0, 10), (7, 10), (8, 10), (0, 0), (1, 1)):
            tell(done, of, "")
    shares = [int(line.rpartition(" ")[2][:-1]) for line in capsys.readouterr().err.splitlines() if "%" in line]
    assert shares == [25, 75, 75, 75, 80, 100]
