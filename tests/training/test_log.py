"""The log of a run: valid JSON lines, cut back to the checkpoint, never lost."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halfstep.audio.files.writing import write
from halfstep.training.log import TrainingLog, read_log


def steps(folder: Path) -> list[int]:
    return [line["step"] for line in read_log(folder)]


def test_lines_after_the_checkpoint_are_dropped(tmp_path: Path):
    with TrainingLog(tmp_path, 0) as journal:
        for step in (10, 20, 30):
            journal.log(step, loss=1 / step)
        assert journal.last_logged == 30
    with TrainingLog(tmp_path, 20) as journal:
        assert steps(tmp_path) == [10, 20]
        journal.log(25, loss=0.5)
    assert read_log(tmp_path)[-1] == {"step": 25, "loss": 0.5}


def test_a_half_written_last_line_is_dropped(tmp_path: Path):
    with TrainingLog(tmp_path, 0) as journal:
        journal.log(10, loss=1)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 20, "lo')
    assert steps(tmp_path) == [10]
    with TrainingLog(tmp_path, 20) as journal:
        journal.log(30, loss=1)
    assert steps(tmp_path) == [10, 30]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_is_null(tmp_path: Path, value: float):
    """A skipped update's loss may be anything; the log stays JSON that every reader takes."""
    with TrainingLog(tmp_path, 0) as journal:
        journal.log(1, loss=value, gradient_norm=2.0)
    (line,) = (tmp_path / "log.jsonl").read_text().splitlines()

    def refuse(name: str) -> None:
        raise AssertionError(name)

    assert json.loads(line, parse_constant=refuse) == {"step": 1, "loss": None, "gradient_norm": 2.0}


def test_killed_while_the_log_is_cut_back_it_is_still_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with TrainingLog(tmp_path, 0) as journal:
        journal.log(10, loss=1)
        journal.log(20, loss=1)

    class Killed(BaseException):
        pass

    def kill(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", kill)
        with pytest.raises(Killed):
            TrainingLog(tmp_path, 10)
    assert steps(tmp_path) == [10, 20]


def test_a_lines_way_to_the_disk_ends_before_the_checkpoint_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (synced.append(os.fstat(descriptor).st_ino), real(descriptor)))
    with TrainingLog(tmp_path, 0) as journal:
        journal.log(1, loss=1)
        journal.flush()
    assert (tmp_path / "log.jsonl").stat().st_ino in synced


def test_tensorboard_has_the_same_figures(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with TrainingLog(tmp_path, 0) as journal:
        journal.log(1, loss=0.25)
        journal.log(2, loss=0.125)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.25), (2, 0.125)]


@pytest.mark.parametrize("torn", ['{"step": 4, "lo', '{"loss": 1}', "[1]", '{"step": "4"}', "\udcff\x00"])
def test_a_torn_line_among_others_costs_only_itself(tmp_path: Path, torn: str):
    with TrainingLog(tmp_path, 0) as journal:
        for step in (10, 20, 30):
            journal.log(step, loss=1)
    lines = (tmp_path / "log.jsonl").read_bytes().split(b"\n")
    lines[1] = torn.encode(errors="surrogateescape")
    (tmp_path / "log.jsonl").write_bytes(b"\n".join(lines))
    assert steps(tmp_path) == [10, 30]
    with TrainingLog(tmp_path, 30) as journal:
        journal.log(40, loss=1)
    assert steps(tmp_path) == [10, 30, 40]


def test_tensorboard_shows_and_plays_what_was_sampled(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    (tmp_path / "samples").mkdir()
    Image.new("RGB", (40, 30), (10, 200, 30)).save(tmp_path / "samples" / "step-00000007.png")
    write(tmp_path / "samples" / "step-00000007.flac", [np.zeros((1, 800), np.float32)], 8000, {})
    (tmp_path / "samples" / "step-00000008.png").write_text("another step's")
    with TrainingLog(tmp_path, 0) as journal:
        journal.show(7)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (picture,), (sound,) = events.Images("samples"), events.Audio("samples")
    assert (picture.step, picture.width, picture.height) == (7, 40, 30)
    assert (sound.step, sound.sample_rate, sound.length_frames) == (7, 8000, 800)
