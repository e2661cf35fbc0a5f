"""Streams to be measured: as long as asked, the endless music of a seed each, and what the data set has."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.bundle import Stationary, read_manifest, write_manifest
from halfstep.data.dataset import Library
from halfstep.evaluation.settings import Options
from halfstep.evaluation.streams import model_streams, stream_rows
from halfstep.evaluation.subject import griffin_lim, open_subject, subject_of
from halfstep.generation.model import Model

FRAMES = 700


def test_a_model_s_streams_are_its_endless_music(model: Path):
    from halfstep.bundle import load_folder

    gauss = Model(load_folder(model))
    mel = gauss.manifest.mel
    source = model_streams(subject_of(gauss), 1, griffin_lim(mel), 5, FRAMES)
    both, second = source(range(2)).samples, source(range(1, 2)).samples
    assert both.shape == (2, FRAMES * mel.hop_length)
    np.testing.assert_array_equal(both[1:], second)
    endless = next(gauss.mels(6, 1))
    stream = griffin_lim(mel)()
    beginning = stream.push(endless)
    np.testing.assert_allclose(second[0, : len(beginning) // 2], beginning[: len(beginning) // 2], atol=1e-4)


@pytest.fixture
def options(data: Path, tmp_path: Path) -> Options:
    return Options(data=data, out=tmp_path, streams=2, stream_seconds=12)


def test_rows_are_as_long_as_asked(data: Path, model: Path, options: Options):
    library = Library(data)
    with open_subject(str(model), options.out) as opened:
        rows, notes = stream_rows(library, opened, options)
        samples = rows[0].source(range(1)).samples
    assert [row.kind for row in rows if row.kind != "heldout"] == [
        "reference", "real", "ceiling", "student", "student", "noise",
    ]  # fmt: skip
    assert samples.shape == (1, round(12 * library.mel.frames_per_second) * library.mel.hop_length)
    assert notes == []


def test_what_the_recordings_are_too_short_for_is_left_out_and_said(data: Path, model: Path, options: Options):
    with open_subject(str(model), options.out) as opened:
        rows, notes = stream_rows(Library(data), opened, replace(options, stream_seconds=20))
    assert [row.kind for row in rows] == ["student", "student", "noise"]
    assert "0 of real music, not 2" in notes[0]


@pytest.mark.parametrize("none", [{"streams": 0}, {"stream_seconds": 0.0}])
def test_none_are_made_unasked(data: Path, model: Path, options: Options, none: dict):
    with open_subject(str(model), options.out) as opened:
        assert stream_rows(Library(data), opened, replace(options, **none)) == ([], [])


def test_what_model_json_says_of_the_music_is_part_of_what_was_judged(tmp_path: Path, write_model: Callable[..., Path]):
    folder, judged = write_model(tmp_path / "m"), list[dict[str, str]]()
    pulled = Stationary(pull=0.5, detail=0.0, bias=0.0, contrast=1.0)
    for changes in ({}, {"description": "the same music"}, {"measured": {"FAD": 1}}, {"stationary": pulled}):
        write_manifest(folder, replace(read_manifest(folder), **changes))
        judged.append(subject_of(halfstep.load(folder)).files)
    assert judged[0] == judged[1] == judged[2] != judged[3]
