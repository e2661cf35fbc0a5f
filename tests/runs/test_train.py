"""A run folder: what it refuses before it computes anything, and what it may change as it goes on."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from halfstep.data.dataset import Library
from halfstep.errors import InputError
from halfstep.own_folder import RUN, enter
from halfstep.runs import train as train_module
from halfstep.runs.run_folder import open_run
from halfstep.runs.train import train_command
from halfstep.tasks.music.task import MusicConfig

SETTINGS = ["net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "music.frames=24", "train.batch_size=4"]


class Computed(Exception):
    """The training would have begun."""


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch, library: Path):
    """begin(run, settings, data=..., steps=...): train_command up to where it starts to compute."""

    def compute(*_: object) -> None:
        raise Computed

    monkeypatch.setattr(train_module, "_train", compute)

    def start(run: Path, settings: list[str] = SETTINGS, data: Path = library, steps: int | None = 5,
              preset: str = "tiny") -> None:  # fmt: skip
        train_command(data, run, preset, settings, steps, lambda *_: None)

    return start


def test_a_run_notes_its_settings_and_its_data(begin: Callable, tmp_path: Path, library: Path):
    with pytest.raises(Computed):
        begin(tmp_path)
    noted = json.loads((tmp_path / "config.json").read_text())
    assert noted["format"] == 1
    assert noted["data"] == str(library)
    assert noted["data_set"]["frames"] == 580
    assert noted["experiment"]["net"]["widths"] == [16, 16]
    assert not (tmp_path / "lock").exists()
    with open_run(tmp_path) as opened:
        assert opened.experiment.task_as(MusicConfig).frames == 24
        assert (tmp_path / "lock").exists()


@pytest.mark.parametrize(
    ("setting", "both"),
    [
        ("net.widths=[16, 32]", r"experiment.net.widths = \[16, 16\], now \[16, 32\]"),
        ("music.packing=snake", 'experiment.music.packing = "patch", now "snake"'),
        ("music.frames=48", "experiment.music.frames = 24, now 48"),
        ("train.batch_size=8", "experiment.train.batch_size = 4, now 8"),
        ("train.learning_rate=1", r"experiment.train.learning_rate = 0.\d+, now 1"),
        ("diffusion.schedule=ddpm-cosine", 'experiment.diffusion.schedule = "cosine", now "ddpm-cosine"'),
    ],
)
def test_other_settings_than_it_began_with_are_refused_and_both_are_shown(
    begin: Callable, tmp_path: Path, setting: str, both: str
):
    with pytest.raises(Computed):
        begin(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(InputError, match=f"{tmp_path}: began with {both} is asked for; keep the old setting"):
        begin(tmp_path, [*SETTINGS, setting])
    assert (tmp_path / "config.json").read_bytes() == before


def test_another_mel_than_the_datas_is_refused(begin: Callable, tmp_path: Path):
    with pytest.raises(InputError, match="sample_rate=44100.*preset long wants.*sample_rate=22050.*preset long"):
        begin(tmp_path / "run", [], preset="long")
    with pytest.raises(InputError, match="hop_length=512.*hop_length=256"):
        begin(tmp_path / "run", [*SETTINGS, "mel.hop_length=256"])
    assert not (tmp_path / "run").exists()


def test_more_steps_and_other_words_are_free(begin: Callable, tmp_path: Path):
    with pytest.raises(Computed):
        begin(tmp_path)
    config = tmp_path / "config.json"
    noted = json.loads(config.read_text())
    noted["experiment"]["expects"] = "as an older version put it"
    config.write_text(json.dumps(noted))
    with pytest.raises(Computed):
        begin(tmp_path, steps=9)
    assert json.loads(config.read_text())["experiment"]["train"]["steps"] == 9


def test_fewer_updates_than_are_done_are_refused_and_the_record_stays(library: Path, tmp_path: Path):
    def train(steps: int) -> None:
        train_command(library, tmp_path, "tiny", SETTINGS, steps, lambda *_: None)

    train(6)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    assert json.loads((tmp_path / "teacher.json").read_text())["steps"] == 6
    with pytest.raises(InputError, match=f"{tmp_path}: 6 updates are done, 3 are asked for; ask for 6 or more"):
        train(3)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.json")} == before
    train(8)
    assert json.loads((tmp_path / "teacher.json").read_text())["steps"] == 8


def test_a_training_ended_by_the_clock_notes_what_it_did(library: Path, tmp_path: Path):
    train_command(library, tmp_path, "tiny", [*SETTINGS, "train.seconds=0.001"], 10**6, lambda *_: None)
    last = max((tmp_path / "checkpoints").glob("*.json")).stem
    assert json.loads((tmp_path / "teacher.json").read_text())["steps"] == int(last.removeprefix("step-")) < 100


def test_a_run_begun_before_a_setting_existed_goes_on(begin: Callable, tmp_path: Path):
    """What an older version did not note stands at its default; it did not note the data set either."""
    with pytest.raises(Computed):
        begin(tmp_path)
    config = tmp_path / "config.json"
    noted = json.loads(config.read_text())
    del noted["experiment"]["train"]["nonfinite_allowed"], noted["data_set"]
    config.write_text(json.dumps(noted))
    with open_run(tmp_path) as opened:
        assert opened.experiment.train.nonfinite_allowed == 0
    with pytest.raises(Computed):
        begin(tmp_path)
    with pytest.raises(InputError, match="nonfinite_allowed = 0, now 3"):
        begin(tmp_path, [*SETTINGS, "train.nonfinite_allowed=3"])


def test_a_data_set_that_became_another_is_refused(begin: Callable, tmp_path: Path, write_library: Callable):
    """Other band statistics would quietly make the model wrong."""
    data = write_library(tmp_path / "data")
    with pytest.raises(Computed):
        begin(tmp_path / "run", data=data)
    manifest = data / "dataset.json"
    facts = json.loads(manifest.read_text())
    facts["tracks"][0]["source"] = "renamed.wav"
    manifest.write_text(json.dumps(facts))
    with pytest.raises(Computed):
        begin(tmp_path / "run", data=data)
    facts["bands"]["mean"][3] += 0.5
    manifest.write_text(json.dumps(facts))
    with pytest.raises(InputError, match="began with data_set.sha256 = .*, now "):
        begin(tmp_path / "run", data=data)
    with pytest.raises(InputError, match=f"{data}: its sha256 was .*prepare it as it was"), open_run(tmp_path / "run"):
        pass


@pytest.mark.parametrize(
    ("train", "heldout", "says"),
    [
        ((20, 23), (80,), "the train split has no track of 24 frames .it holds 43 frames in 2 tracks"),
        ((300,), (), "the heldout split has no track of 24 frames .it holds 0 frames in 0 tracks"),
        ((), (80,), "the train split has no track of 24 frames .it holds 0 frames in 0 tracks"),
    ],
)
def test_too_little_data_says_what_there_is_and_begins_nothing(
    begin: Callable, tmp_path: Path, write_library: Callable, train: tuple, heldout: tuple, says: str
):
    data = write_library(tmp_path / "data", train, heldout)
    with pytest.raises(InputError, match=f"{data}: {says}"):
        begin(tmp_path / "run", data=data)
    assert not (tmp_path / "run").exists()


def test_what_is_no_data_set_or_preset_is_refused(begin: Callable, tmp_path: Path):
    with pytest.raises(InputError, match=f"{tmp_path}: no prepared data set"):
        begin(tmp_path / "run", data=tmp_path)
    with pytest.raises(InputError, match="preset huge: not known; there are tiny, base"):
        begin(tmp_path / "run", preset="huge")
    with pytest.raises(InputError, match="steps 0"):
        begin(tmp_path / "run", steps=0)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "not readable as JSON"),
        ("[]", r"is \[\], expected an object"),
        ("{}", "format is missing"),
        ('{"format": 2, "data": "DATA", "experiment": {}}', "format is 2, this halfstep reads 1"),
        ('{"format": 1, "data": 7, "experiment": {}}', "data is 7"),
        ('{"format": 1, "data": "DATA", "experiment": {}}', "its settings do not fit"),
        ('{"format": 1, "data": "DATA", "experiment": 3}', "its settings do not fit"),
    ],
)
def test_a_spoiled_config_is_named(begin: Callable, tmp_path: Path, library: Path, content: str, says: str):
    enter(tmp_path, RUN)
    (tmp_path / "config.json").write_text(content.replace("DATA", str(library)))
    with pytest.raises(InputError, match=f"config.json: {says}.*; (restore it|update halfstep)"):
        begin(tmp_path)
    with pytest.raises(InputError, match=f"config.json: {says}.*; (restore it|update halfstep)"), open_run(tmp_path):
        pass
    assert not (tmp_path / "lock").exists()


def test_what_is_no_run_is_named(tmp_path: Path):
    with pytest.raises(InputError, match="not a run folder"), open_run(tmp_path):
        pass


def test_streams_draw_other_windows_of_the_same_data(begin: Callable, tmp_path: Path, library: Path):
    """Teacher and rungs do not see the same windows in the same order."""
    with pytest.raises(Computed):
        begin(tmp_path)
    with open_run(tmp_path) as opened:
        first, again, other = (opened.batches(4, stream)(0).x.numpy() for stream in (0, 0, 8))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert Library(library).path == library


def test_a_teacher_that_is_not_finished_or_not_whole_is_refused(begin: Callable, tmp_path: Path):
    with pytest.raises(Computed):
        begin(tmp_path)
    with open_run(tmp_path) as opened, pytest.raises(InputError, match="its teacher is not finished"):
        opened.teacher()
    (tmp_path / "teacher.safetensors").write_bytes(b"x")
    (tmp_path / "teacher.json").write_text('{"sha256": "0"}')
    with open_run(tmp_path) as opened, pytest.raises(InputError, match=r"teacher.safetensors: .*checksum.*train again"):
        opened.teacher()


def test_a_data_set_of_the_other_kind_is_refused_and_both_are_named(
    begin: Callable, tmp_path: Path, library: Path, waveforms: Path, vocoder_settings: list[str]
):
    run = tmp_path / "run"
    with pytest.raises(InputError, match="stores log-mel, but preset vocoder-diffusion learns from waveform"):
        begin(run, [], data=library, preset="vocoder-diffusion")
    with pytest.raises(InputError, match="stores waveform, but preset tiny learns from log-mel.*preset tiny"):
        begin(run, data=waveforms)
    assert not run.exists()
    with pytest.raises(Computed):
        begin(run, vocoder_settings, data=waveforms, preset="vocoder-diffusion")
    with open_run(run) as opened:
        assert opened.experiment.task_name == "diffusion_vocoder"
        assert opened.batches(4)(0).x.shape == (4, 512, 8)
