"""prepare, train, distill, export as commands: from recordings to music, and what they refuse."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.app.cli import run
from halfstep.data.dataset import Library


@pytest.fixture(scope="module")
def audio(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings of six seconds, chords of decaying tones; and a text that calls itself one."""
    folder = tmp_path_factory.mktemp("audio")
    time = np.arange(6 * 44100) / 44100
    for number in range(4):
        tones = [np.sin(2 * np.pi * 110 * 2 ** ((number + third) / 12) * time) for third in (0, 4, 7)]
        samples = 0.2 * np.sum(tones, axis=0) * np.exp(-(time % 0.5) * 4)
        soundfile.write(folder / f"take{number}.flac", samples + 1e-3 * np.sin(time * 9e3), 44100)
    (folder / "notes.mp3").write_text("no sound at all")
    return folder


@pytest.fixture(scope="module")
def data(audio: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "data"
    assert run(["prepare", str(audio), "--out", str(out), "--preset", "tiny", "--workers", "1"]) == 0
    return out


def test_prepare_reports_what_it_found(audio: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    again = ["prepare", str(audio), "--out", str(data), "--preset", "tiny", "--workers", "1"]
    assert run([*again, "--report", str(tmp_path / "report.json"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "report.json").read_text())
    assert (printed["found"], printed["used"], len(printed["skipped"])) == (5, 4, 1)
    assert run([*again, "--strict"]) == 3
    shown = capsys.readouterr().out
    assert re.search(r"skipped: .*notes\.mp3: ", shown)
    assert "5 files found, 4 used (0.4 minutes" in shown


def test_the_preset_says_which_mel(audio: Path, tmp_path: Path):
    out = tmp_path / "data"
    assert run(["prepare", str(audio), "--out", str(out), "--preset", "long", "--workers", "1"]) == 2
    # Six seconds are shorter than a window of 8.92 s; a piece of twelve is not.
    joined = np.concatenate([soundfile.read(audio / f"take{number}.flac")[0] for number in range(2)])
    soundfile.write(tmp_path / "long.wav", joined, 44100)
    command = ["prepare", str(tmp_path / "long.wav"), "--out", str(out), "--preset", "long", "--workers", "1"]
    assert run(command) == 0
    assert Library(out).mel.sample_rate == 22050


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["prepare", "no/folder", "--out", "data"], "no/folder"),
        (["prepare", ".", "--out", "data"], "nothing to learn from"),
        (["prepare", ".", "--out", "data", "--preset", "huge"], "--preset huge: not known; there are tiny, "),
        (["prepare", ".", "--out", "data", "--workers", "0"], "'--workers'"),
        (["prepare", "."], "Missing option '--out'"),
        (["train", "no-data", "--out", "run"], "no-data: no prepared data set"),
        (["train", "no-data", "--out", "run", "--preset", "huge"], "--preset huge: not known"),
        (["train", "no-data", "--out", "run", "--set", "loud=1"], "--set loud=1: no setting of that name"),
        (["distill", "no-run"], "no-run: not a run folder"),
        (["export", "no-run", "--out", "model"], "no-run: not a run folder"),
        (["export", "no-run", "--out", "my model"], "--id my model: letters, digits and ._- make an id"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str],
    line: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert line in error


@pytest.mark.slow
def test_from_recordings_to_music(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The whole path in a few updates: what comes out is a model that verifies and plays, not yet music."""
    folder, model, out = tmp_path / "run", tmp_path / "model", tmp_path / "out.flac"
    smallest = ["net.widths=[16,16]", "net.attention_heads=2", "train.batch_size=2", "distill.start_steps=8"]
    settings = [word for setting in smallest for word in ("--set", setting)]
    assert run(["train", str(data), "--out", str(folder), "--preset", "tiny", "--steps", "4", *settings]) == 0
    assert run(["distill", str(folder), "--to", "4", "--updates", "2"]) == 0
    assert "| steps |" in capsys.readouterr().out
    assert run(["verify", str(folder)]) == 0
    assert run(["export", str(folder), "--out", str(model), "--id", "mine", "--licence", "CC0-1.0"]) == 0
    assert run(["verify", str(model)]) == 0
    assert run(["generate", str(out), "--model", str(model), "--seconds", "2", "--steps", "4"]) == 0
    assert soundfile.info(str(out)).frames == 88200
    checkpoint = next(folder.glob("checkpoints/*.safetensors"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    capsys.readouterr()
    assert run(["verify", str(folder)]) == 2
    assert checkpoint.name in capsys.readouterr().out
