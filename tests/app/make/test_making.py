"""prepare, train, distill, export as commands: from recordings to music, and what they refuse."""

import json
import re
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from halfstep.app.cli import run
from halfstep.audio.mel import MelConfig
from halfstep.bundle import installed_vocoders, read_manifest
from halfstep.data.dataset import Library
from halfstep.data.synthetic import piece
from halfstep.errors import InputError
from halfstep.runs.presets import preset
from halfstep.runs.run_folder import Run, new_run, open_run, settle
from halfstep.runs.start import start_from
from halfstep.runs.train import resolved
from halfstep.tasks.music.observer import MusicObserver
from halfstep.tasks.music.task import Music


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


def test_the_preset_of_a_vocoder_prepares_too(audio: Path, tmp_path: Path):
    out = tmp_path / "data"
    assert run(["prepare", str(audio), "--out", str(out), "--preset", "vocoder", "--workers", "1"]) == 0
    assert Library(out).stores == "waveform"


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
def test_from_recordings_to_music(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """The whole path in a few updates: what comes out is a model that verifies and plays, not yet music."""
    folder, model, out = tmp_path / "run", tmp_path / "model", tmp_path / "out.flac"
    smallest = ["net.widths=[16,16]", "net.attention_heads=2", "train.batch_size=2"]
    smallest += ["distill.start_steps=8", "distill.batch_size=2"]
    settings = [word for setting in smallest for word in ("--set", setting)]
    assert run(["train", str(data), "--out", str(folder), "--preset", "tiny", "--steps", "4", *settings]) == 0
    sampled: list[int] = []
    monkeypatch.setattr(MusicObserver, "sampled_at", lambda self, num_steps: sampled.append(num_steps))
    assert run(["distill", str(folder), "--to", "4", "--updates", "2"]) == 0
    assert sampled == [4]  # a student is looked at with its own number of steps
    assert "| steps |" in capsys.readouterr().out
    assert run(["verify", str(folder)]) == 0
    assert (
        run(["export", str(folder), "--out", str(model), "--id", "mine", "--licence", "CC0-1.0", "--with-teacher"]) == 0
    )
    said, mine = capsys.readouterr().out, read_manifest(model)
    assert "not music yet: at half noise its error is " in said
    carried = next((one.vocoder for one in installed_vocoders() if one.mel == mine.mel), None)
    assert carried is not None, "the package has a vocoder for these bands"
    assert mine.vocoder is not None
    assert (mine.vocoder.licence, mine.vocoder.trained_on) == (carried.licence, carried.trained_on)
    assert mine.licence == "CC0-1.0"  # of what was trained here; the vocoder keeps its own
    assert f"has the vocoder of an installed model, {carried.licence}" in said
    for steps, advice in ((3, "students have a power of two below 8 steps"), (2, f"distill {folder} --to 2")):
        assert run(["export", str(folder), "--out", str(tmp_path / "other"), "--steps", str(steps)]) == 2
        assert advice in capsys.readouterr().err
    of_model, of_run = (start_from(one).weights({}) for one in (model, folder))  # with_teacher: it begins with that
    assert all(torch.equal(weight, of_run[name]) for name, weight in of_model.items())
    assert json.loads((folder / "config.json").read_text())["machine"]["threads"] == torch.get_num_threads()
    assert run(["verify", str(model)]) == 0
    assert run(["generate", str(out), "--model", str(model), "--seconds", "2", "--steps", "4"]) == 0
    assert soundfile.info(str(out)).frames == 88200
    checkpoint = next(folder.glob("checkpoints/*.safetensors"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    capsys.readouterr()
    assert run(["verify", str(folder)]) == 2
    assert checkpoint.name in capsys.readouterr().out


def test_fewer_windows_than_a_batch_are_refused_with_both_numbers(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    settings = ["--preset", "tiny", "--set", "train.batch_size=5000"]
    assert run(["train", str(data), "--out", str(tmp_path / "run"), *settings]) == 2
    said = capsys.readouterr().err
    count = re.search(r"(\d+) windows of \d+ frames to train on, fewer than a batch of 5000", said)
    assert count and f"--set train.batch_size={count[1]}" in said
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_format_or_another_mel_is_refused(data: Path, tmp_path: Path):
    run_folder = tmp_path / "run"
    opened = new_run(run_folder, preset("tiny"), Library(data))
    run_folder.mkdir()
    settle(opened)
    noted = (run_folder / "config.json").read_text()
    for old, new, said in (
        ('"format": 1', '"format": 2', "format is 2, this halfstep reads 1; update halfstep"),
        ('"n_fft": 2048', '"n_fft": 1024', "its settings say MelConfig.*n_fft=1024.*was prepared with .*n_fft=2048"),
        ('"n_fft": 2048', '"n_fft": "2048"', "n_fft is '2048': int was expected"),
    ):
        assert old in noted
        (run_folder / "config.json").write_text(noted.replace(old, new))
        with pytest.raises(InputError, match=said), open_run(run_folder):
            pass
    (run_folder / "config.json").write_text(noted)
    with open_run(run_folder) as whole:
        assert whole.experiment == opened.experiment


TINY_TRAIN = ["--preset", "tiny", "--set", "train.batch_size=2", "--set", "train.log_every=1"]


def test_a_dry_run_says_what_it_takes_and_writes_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    command = ["train", str(data), "--out", str(tmp_path / "run"), *TINY_TRAIN, "--steps", "600", "--dry-run"]
    assert run([*command, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["updates"] == 600 and said["seconds"] == pytest.approx(600 * said["seconds_per_update"])
    assert said["memory_bytes"] > 1e8 and said["disk_bytes"] > 3 * 3 * 4 * said["parameters"]  # weights, average, Adam
    assert not (tmp_path / "run").exists()


def test_training_says_what_comes_next_and_goes_on_after_ctrl_c(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Interrupted at update 2 of 4; the bar of the second go begins there."""
    command = ["train", str(data), "--out", str(tmp_path / "run"), *TINY_TRAIN, "--steps", "4"]
    reports: list[tuple[float, float]] = []

    def interrupt(done: float, of: float, word: str) -> None:
        reports.append((done, of))
        if done == 2 and len(reports) < 5:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("halfstep.app.progress._onward", lambda report: interrupt)
    assert run(command) == 130
    assert "saved after 2 updates; is it learning? too early" in capsys.readouterr().err
    assert run(["export", str(tmp_path / "run"), "--out", str(tmp_path / "model")]) == 0
    assert "not music yet, perhaps: 2 of 4 updates" in capsys.readouterr().out
    assert run(["verify", str(tmp_path / "model")]) == 0
    reports.clear()
    reports.extend([(9.0, 9.0)] * 5)
    assert run(command) == 0
    assert reports[5] == (2, 4)
    assert f"next: halfstep distill {tmp_path / 'run'}" in capsys.readouterr().out


def test_a_stereo_set_says_itself_that_there_is_an_image(tmp_path: Path):
    """No setting of the training does; one of waveforms has none."""
    for name, tilt in (("a", 0.2), ("b", 3.0)):
        mono = piece(5.0, ord(name), 44100)[0] / 4
        soundfile.write(tmp_path / f"{name}.wav", np.stack([mono, tilt * mono], axis=1), 44100)
    songs = [str(path) for path in sorted(tmp_path.glob("*.wav"))]
    prepare = ["prepare", *songs, "--out", str(tmp_path / "data"), "--stereo", "--workers", "1"]
    assert run([*prepare, "--preset", "vocoder"]) == 2
    assert run([*prepare, "--preset", "tiny"]) == 0
    library = Library(tmp_path / "data")
    assert library.mel == replace(MelConfig(), image_bands=20)
    begun = new_run(tmp_path / "run", resolved(tmp_path / "data", "tiny", ["music.frames=24"], None), library)
    assert isinstance(begun, Run)
    assert begun.experiment.mel == library.mel
    assert begun.batches(2)(0).x.shape == (2, 3 * 168, 8)
    task = begun.task
    assert isinstance(task, Music)
    assert task.windows(task.free(begun.windows("train").evenly(1)).x.numpy()).shape == (1, 168, 24)
    observer = begun.observer(tmp_path / "run")
    assert isinstance(observer, MusicObserver)
    seen = observer.look(observer.log_mel(observer.real))
    assert seen["samples/image_off"] == pytest.approx(0, abs=1e-6)
    assert seen["samples/frechet_melstats"] == pytest.approx(0, abs=1e-6)
