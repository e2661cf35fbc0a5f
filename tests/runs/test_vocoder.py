"""The learned vocoder by the commands: trained, cut off and gone on with, put into a model folder and played."""

import json
import re
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from full_disks import Disk

from halfstep.app.cli import run
from halfstep.audio.mel import MelConfig
from halfstep.bundle import open_vocoder_folder, read_manifest, verify
from halfstep.data.synthetic import piece

SETTINGS = (
    "vocoder.width=8", "vocoder.local_width=4", "vocoder.prior_ahead=[1, 0]", "vocoder.refiner_ahead=[1]",
    "clips.frames=24", "train.batch_size=2", "train.log_every=1", "train.measure_every=100", "train.warmup_steps=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def words(waveforms: Path) -> Callable[..., list[str]]:
    """words(run, ...): `halfstep train` of a tiny vocoder."""
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    return lambda out, *more: [
        "train", str(waveforms), "--out", str(out), "--preset", "vocoder", "--steps", "4", *settings, *more
    ]  # fmt: skip


@pytest.fixture(scope="module")
def trained(words: Callable[..., list[str]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; read only."""
    out = tmp_path_factory.mktemp("vocoder") / "run"
    assert run(words(out)) == 0
    return out


@pytest.fixture
def model(write_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A model of the same mel, without a vocoder."""
    mel = MelConfig()
    return write_model(
        tmp_path / "model", mel=mel, band_mean=(-4.0,) * mel.n_mels, band_std=(0.5,) * mel.n_mels, vocoder=None
    )


def test_killed_and_resumed_it_ends_as_the_uninterrupted_run(
    words: Callable[..., list[str]], trained: Path, apart: Callable, left: Callable, tmp_path: Path
):
    assert apart(command=words(tmp_path / "cut"), signal_at=[2, int(signal.SIGTERM)]) == 143
    assert left(tmp_path / "cut")[0] == "step-00000002.safetensors"
    assert apart(command=words(tmp_path / "cut")) == 0
    ends = [(path / "vocoder.safetensors").read_bytes() for path in (trained, tmp_path / "cut")]
    assert ends[0] == ends[1]


def test_another_run_begins_with_its_weights(trained: Path, words: Callable[..., list[str]], tmp_path: Path):
    """With a learning rate of next to nothing it stays where it began, and a stranger does not."""
    still = ("--set", "train.learning_rate=1e-12")
    assert run(words(tmp_path / "from", *still, "--from", str(trained))) == 0
    assert run(words(tmp_path / "fresh", *still)) == 0
    runs = (trained, tmp_path / "from", tmp_path / "fresh")
    figures = [json.loads((path / "vocoder.json").read_text()) for path in runs]
    of = [figure["heldout/log_magnitude"] for figure in figures]
    assert of[1] == pytest.approx(of[0], rel=1e-5)
    assert abs(of[2] - of[0]) > 1e-4


def test_its_licence_is_that_of_the_data_and_it_is_played(
    trained: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    credits = [
        {"file": f"{seed}.wav", "licence": "CC0-1.0" if seed else "CC-BY-4.0", "author": "A. Composer"}
        for seed in range(3)
    ]
    (tmp_path / "LICENCES.json").write_text(json.dumps(credits))
    words = ["export", str(trained), "--into", str(model), "--credits", str(tmp_path / "LICENCES.json")]
    assert run([*words, "--weights", "int8"]) == 0
    card = read_manifest(model).vocoder
    assert card is not None
    assert set(card.licence.split(", ")) == {origin.licence for origin in card.trained_on} <= {"CC0-1.0", "CC-BY-4.0"}
    assert all("A. Composer" in origin.title for origin in card.trained_on)
    assert card.measured.keys() == {"heldout/convergence", "heldout/log_magnitude"}
    assert verify(model) == []
    soundfile.write(tmp_path / "take.wav", piece(1.0, 0)[0], 44100)
    assert run(["vocode", str(tmp_path / "take.wav"), str(tmp_path / "again.wav"), "--model", str(model)]) == 0
    assert np.abs(soundfile.read(tmp_path / "again.wav")[0]).max() > 0.01
    assert "griffin-lim" not in capsys.readouterr().out


def test_what_no_credits_name_is_not_stated_and_another_licence_may_be_given(trained: Path, model: Path):
    for more, licence in (((), "not stated"), (("--licence", "CC-BY-SA-4.0"), "CC-BY-SA-4.0")):
        assert run(["export", str(trained), "--into", str(model), *more]) == 0
        card = read_manifest(model).vocoder
        assert card is not None
        assert card.licence == licence


def test_a_full_disk_leaves_the_model_as_it_was(
    trained: Path, model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert run(["export", str(trained), "--into", str(model)]) == 0
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    disk = Disk(model.parent, monkeypatch)
    disk.left = sum(map(len, before.values())) + 5000
    assert run(["export", str(trained), "--into", str(model), "--licence", "MIT", "--weights", "int8"]) == 1
    assert re.search(r"No space left.*\d+ bytes", capsys.readouterr().err)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    assert not list(model.parent.glob(".*partial*"))


def test_it_goes_alone_into_a_folder_of_its_own(trained: Path, tmp_path: Path):
    assert run(["export", str(trained), "--out", str(tmp_path / "alone"), "--licence", "CC0-1.0"]) == 0
    vocoder = open_vocoder_folder(tmp_path / "alone").vocoder
    assert {path.name for path in (tmp_path / "alone").iterdir()} == {*vocoder.files, "vocoder.json"}
    assert vocoder.licence == "CC0-1.0"


@pytest.mark.parametrize(
    ("asked", "line"),
    [
        (["export", "RUN"], "--out MODEL, or for a vocoder --into MODEL: one of the two was expected"),
        (["export", "RUN", "--into", "m", "--out", "n"], "one of the two was expected"),
        (["export", "RUN", "--into", "none"], "none"),
        (["export", "RUN", "--into", "m", "--weights", "int3"], "--weights int3: one of"),
        (["export", "no-run", "--into", "m"], "--into m: no-run holds no vocoder"),
        (["distill", "RUN"], "a run of the learned vocoder"),
        (["train", "DATA", "--out", "r", "--preset", "vocoder", "--from", "no-run"], "--from no-run: not a finished"),
        (["train", "DATA", "--out", "r", "--preset", "vocoder", "--set", "clips.tones=2"], "tones is 2: 0 to 1"),
        (["train", "DATA", "--out", "r", "--preset", "vocoder", "--set", "vocoder.width=0"], "width is 0: at least 1"),
        (["train", "DATA", "--out", "r", "--preset", "vocoder", "--set", "net.width=1"], "no setting of that name"),
        (["train", "DATA", "--out", "r", "--preset", "vocoder-bands"], "preset vocoder-bands wants"),
        (["train", "MELS", "--out", "r", "--preset", "vocoder"], "stores log-mel, but preset vocoder learns from"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    asked: list[str], line: str, trained: Path, waveforms: Path, library: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    places = {"RUN": str(trained), "DATA": str(waveforms), "MELS": str(library)}
    assert run([places.get(word, word) for word in asked]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1


def test_a_run_that_is_not_finished_is_not_exported(
    words: Callable[..., list[str]], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_bytes((trained / "config.json").read_bytes())
    assert run(["export", str(tmp_path / "run"), "--out", str(tmp_path / "bare")]) == 2
    assert "its vocoder is not finished; run `halfstep train" in capsys.readouterr().err
