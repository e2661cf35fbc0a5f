"""Exit codes, one line on stderr, help: what every command shares."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.app.failures import exit_code_and_line
from halfstep.errors import InputError

COMMANDS = [
    *("generate", "play", "vocode", "models", "bench", "verify", "doctor"),
    *("prepare", "train", "distill", "evaluate", "export"),
]
SOURCE = Path(halfstep.__file__).parent.parent


@contextmanager
def heeded(number: int) -> Iterator[None]:
    """Children started meanwhile heed the signal, also where whoever runs the tests ignores it, as nohup does."""
    before = signal.getsignal(number)
    if before is signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(number, before)


def process(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "halfstep.app.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | environment,
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str, capsys: pytest.CaptureFixture[str]):
    assert run([command, "--help"]) == 0
    assert f"Example: halfstep {command}" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("arguments", [[], ["--help"]])
def test_help_lists_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(arguments) == 0
    shown = capsys.readouterr().out
    assert all(f"\n  {command} " in shown for command in COMMANDS)


def test_version(capsys: pytest.CaptureFixture[str]):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"halfstep {halfstep.__version__}\n"


def test_a_working_folder_that_was_deleted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Before a command as much as under it; absolute paths too, since some packages end the process there."""
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    said = f"{gone}: the working folder was deleted; change to a folder that is there (cd), and try again"
    for command in (["generate", "a.wav"], ["prepare", str(tmp_path), "--out", "data"], ["doctor"]):
        assert run(command) == 2
        assert capsys.readouterr().err == f"halfstep: {said}\n"
    assert exit_code_and_line(FileNotFoundError(2, "No such file or directory")) == (2, said)
    assert run(["--version"]) == 0


def test_help_comes_at_once():
    """Best of three under .8 s of processor time, which other work does not count in; .4 s on a good machine."""

    def seconds() -> float:
        before = os.times()
        going = process("--help")
        going.communicate()
        assert going.returncode == 0
        after = os.times()
        return after.children_user + after.children_system - before.children_user - before.children_system

    assert min(seconds() for _ in range(3)) < 0.8


@pytest.mark.parametrize("arguments", [["sing"], ["--loud"], ["generate"], ["models", "too", "many"]])
def test_a_command_line_it_cannot_read_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("halfstep: ")
    assert error.count("\n") == 1
    assert "--help" in error


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (InputError("a.wav: no sound; give another"), 2, "a.wav: no sound; give another"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (
            FileNotFoundError(2, "No such file or directory", "x"),
            2,
            "x: No such file or directory; name another",
        ),
        (
            PermissionError(13, "Permission denied", "x"),
            2,
            "x: Permission denied; name another path, or change",
        ),
        (OSError(28, "No space left on device", "x"), 1, "x: No space left on device, "),
        (OSError(5, "Input/output error", "x"), 1, "x: Input/output error"),
        (MemoryError(), 1, "out of memory"),
        (
            ModuleNotFoundError("No module", name="torch"),
            2,
            "torch is not installed; pip install 'torch==2.13.*' ",
        ),
        (ModuleNotFoundError("No module", name="diffusers"), 2, "pip install 'halfstep[baseline]'"),
        (ModuleNotFoundError("No module", name="halfstep.oops"), 1, "a mistake of ours: ModuleNotFoundError"),
        (ValueError("bad"), 1, "a mistake of ours: ValueError: bad; --debug shows where"),
    ],
)
def test_what_a_failure_means(error: BaseException, code: int, line: str):
    found_code, found_line = exit_code_and_line(error)
    assert found_code == code
    assert line in found_line


def fail_in_models(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("halfstep.bundle.installed_folders", fail)


def test_a_mistake_of_ours_shows_its_place_with_debug_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fail_in_models(monkeypatch, ZeroDivisionError("of course"))
    assert run(["models"]) == 1
    assert capsys.readouterr().err == (
        "halfstep: a mistake of ours: ZeroDivisionError: of course; --debug shows where\n"
    )
    assert run(["models", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_names_with_anything_in_them_stay_one_printable_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fail_in_models(monkeypatch, InputError("a\nb\x1b[2J\udcff\u202e.wav: é no"))
    assert run(["models"]) == 2
    assert capsys.readouterr().err == "halfstep: a b\\x1b[2J\\xff\\u202e.wav: é no\n"


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    fail_in_models(monkeypatch, KeyboardInterrupt())
    assert run(["models"]) == 130
    assert capsys.readouterr().err == "halfstep: interrupted\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_stopped_generate_leaves_nothing_behind(number: signal.Signals, code: int, tiny_model: Path, tmp_path: Path):
    out = tmp_path / "out.wav"
    with heeded(number):
        going = process("generate", str(out), "--model", str(tiny_model), "--seconds", "80000")
    while not any(path.stat().st_size for path in tmp_path.iterdir()):
        assert going.poll() is None, going.communicate()
        time.sleep(0.05)
    going.send_signal(number)
    _, errors = going.communicate(timeout=60)
    assert going.returncode == code
    assert errors == ("halfstep: interrupted\n" if number == signal.SIGINT else "")
    assert list(tmp_path.iterdir()) == []


def test_without_pytorch_training_says_how_to_get_it(tmp_path: Path):
    """A folder in front of all others in which importing torch fails as if it were absent."""
    (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch here', name='torch')")
    path = os.pathsep.join([str(tmp_path), str(SOURCE)])
    done = process("train", "data", "--out", "run", PYTHONPATH=path)
    _, errors = done.communicate(timeout=60)
    assert done.returncode == 2
    assert errors == "halfstep: torch is not installed; pip install 'torch==2.13.*' 'halfstep[train]'\n"


def test_models_lists_what_is_installed(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    assert run(["models"]) == 0
    assert "tiny-gauss  0.0 MB" in capsys.readouterr().out
    assert run(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    mine = next(model for model in listed["models"] if model["id"] == "tiny-gauss")
    assert mine["steps"] == [1, 4]
    assert mine["output_licence"] == "CC0-1.0"
    assert listed["problems"] == []


def test_models_names_what_is_not_usable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.json").write_text("{")
    monkeypatch.setenv("HALFSTEP_MODELS", str(tmp_path))
    assert run(["models"]) == 0
    assert "not usable: " in capsys.readouterr().out
    assert run(["models", "--json"]) == 0
    assert "model.json" in json.loads(capsys.readouterr().out)["problems"][0]
