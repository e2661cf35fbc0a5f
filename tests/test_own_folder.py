"""A folder that a command fills was empty, or is its own: never a user's."""

import os
from pathlib import Path

import pytest

from halfstep.errors import InputError
from halfstep.own_folder import DATA_SET, MARK, REPORT, RUN, enter, members


def test_an_absent_or_empty_folder_is_entered_and_known_again(tmp_path: Path):
    for folder in (tmp_path / "new" / "one", tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        enter(folder, RUN)
        (folder / "log.jsonl").write_text("")
        enter(folder, RUN)
        assert (folder / MARK).read_text() == "run\n"


@pytest.mark.parametrize("name", ["tracks/mymix.npy", "work/thesis.tex", ".hidden", "lock", "dataset.json"])
def test_a_users_folder_is_refused_and_left_as_it_was(tmp_path: Path, name: str):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match=r"not empty, and no data set made by halfstep; choose another out"):
        enter(tmp_path, DATA_SET, lambda folder: (folder / "nothing").exists())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


def test_what_had_no_mark_yet_gets_one(tmp_path: Path):
    (tmp_path / "config.json").write_text("{}")
    enter(tmp_path, RUN, lambda folder: (folder / "config.json").exists())
    enter(tmp_path, RUN)


def test_a_folder_of_another_kind_is_refused(tmp_path: Path):
    enter(tmp_path, DATA_SET)
    with pytest.raises(InputError, match="holds a data set, not a report"):
        enter(tmp_path, REPORT)


def test_a_kill_between_making_and_writing_the_mark_locks_nobody_out(tmp_path: Path):
    (tmp_path / MARK).write_text("")
    enter(tmp_path, RUN)


def test_a_link_among_our_files_is_not_written_through(tmp_path: Path):
    """A folder may be one: checkpoints on another disk."""
    folder, precious = tmp_path / "data", tmp_path / "precious.json"
    enter(folder, DATA_SET)
    (folder / "tracks").symlink_to(tmp_path)
    enter(folder, DATA_SET)
    precious.write_text("{}")
    (folder / "report.json").symlink_to(precious)
    with pytest.raises(InputError, match=r"report.json: a link where a data set has a file"):
        enter(folder, DATA_SET)


def test_a_file_is_no_folder(tmp_path: Path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="not a folder"):
        enter(tmp_path / "out", RUN)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no FIFOs")
def test_a_fifo_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "dataset.json")
    assert members(tmp_path / "dataset.json") == {}


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": 1, "a": 2}', "[" * 5000, "\0"])
def test_what_is_no_object_of_ours_has_no_members(text: str, tmp_path: Path):
    (tmp_path / "dataset.json").write_text(text)
    assert members(tmp_path / "dataset.json") == {}
