import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.data.sources import Found, find
from halfstep.errors import InputError
from halfstep.printable import printable


def names(found: list[Found]) -> list[str]:
    return [entry.name for entry in found]


def reasons(found: list[Found]) -> dict[str, str | None]:
    return {entry.name: entry.reason for entry in found}


def test_every_file_below_is_found_in_order_and_named_from_its_source_on(tmp_path):
    for name in ("b.ogg", "a/deep/er/x.wav", "c.txt"):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    found = find([tmp_path / "music"], tmp_path / "out")
    assert names(found) == ["music/a/deep/er/x.wav", "music/b.ogg", "music/c.txt"]
    assert all(entry.reason is None and entry.size == 1 for entry in found)


def test_what_is_hidden_or_a_systems_own_is_no_recording(tmp_path):
    ours = ("._a.wav", ".DS_Store", ".Trash-1000/b.wav", ".git/c.wav", "__MACOSX/._a.wav", "$RECYCLE.BIN/d.wav",
              "Thumbs.db", "desktop.ini", "x/.e.flac", "@eaDir/f.wav", "lost+found/g.wav")  # fmt: skip
    for name in ("a.wav", *ours):
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    assert names(find([tmp_path / "music"], tmp_path / "out")) == ["music/a.wav"]
    asked = find([tmp_path / "music" / "._a.wav", tmp_path / "music" / ".git"], tmp_path / "out")
    assert names(asked) == ["._a.wav", ".git/c.wav"]  # what is named itself is looked at


@pytest.mark.parametrize("source", ["data", "data/tracks", "data/../data", "link"])
def test_the_data_sets_own_folder_is_no_source(tmp_path, source):
    (tmp_path / "data" / "tracks").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "data")
    with pytest.raises(InputError, match="lies in the data set's own folder, out .*data; choose another out"):
        find([tmp_path / source], tmp_path / "data")


def test_names_do_not_depend_on_where_the_folder_lies_or_how_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "a.wav").write_bytes(b"1")
    monkeypatch.chdir(tmp_path / "music")
    assert names(find([Path()], tmp_path / "out")) == ["music/a.wav"]
    assert names(find([Path("a.wav")], tmp_path / "out")) == ["a.wav"]
    (tmp_path / "music" / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "music" / "inner")
    assert names(find([Path("..")], tmp_path / "out")) == ["music/a.wav"]


def test_a_file_given_twice_is_found_once_and_the_output_never(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "old.npy").write_bytes(b"1")
    (tmp_path / "a.wav").write_bytes(b"1")
    found = find([tmp_path, tmp_path / "a.wav", tmp_path], tmp_path / "data")
    assert len(found) == 1


def test_a_source_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"missing: no such file or folder"):
        find([tmp_path / "missing"], tmp_path / "out")


def test_what_cannot_be_read_has_a_reason_and_nothing_hangs(tmp_path):
    """F22: loops, devices, FIFOs, sockets, dangling links; nothing of it is opened."""
    music = tmp_path / "music"
    (music / "real").mkdir(parents=True)
    (music / "real" / "a.wav").write_bytes(b"1")
    (music / "loop").symlink_to(music)
    (music / "self").symlink_to(music / "self")
    (music / "zero").symlink_to("/dev/zero")
    (music / "gone").symlink_to(music / "nowhere")
    (music / "link").symlink_to(music / "real" / "a.wav")
    (music / "empty.wav").touch()
    os.mkfifo(music / "fifo")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(music / "socket"))
    left_out = reasons(find([music], tmp_path / "out"))
    listening.close()
    assert left_out == {
        "music/empty.wav": "an empty file",
        "music/fifo": "no file but a FIFO",
        "music/gone": "cannot be read: No such file or directory",
        "music/link": None,
        "music/loop": "a link to a folder that is searched already",
        "music/real/a.wav": None,
        "music/self": "cannot be read: Too many levels of symbolic links",
        "music/socket": "no file but a socket",
        "music/zero": "no file but a device",
    }


@pytest.fixture
def deep_folder(tmp_path):
    """More folders in each other than Python lets functions call each other, pytest's own included."""
    path = deep = tmp_path / "music"
    path.mkdir()
    while len(os.fsencode(deep)) < 4000:
        deep = deep / "d"
        deep.mkdir()
    (deep / "a.wav").write_bytes(b"1")
    yield path
    subprocess.run(["rm", "-rf", str(path)], check=True)


def test_a_deep_folder_is_walked_without_recursion(deep_folder, tmp_path):
    (found,) = find([deep_folder], tmp_path / "out")
    assert len(found.path.parents) > sys.getrecursionlimit()


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("piano/piece__t+3.flac", "piano/piece"),
        ("piano/piece__t-2.flac", "piano/piece"),
        ("piano/piece.wav", "piano/piece"),
        ("piano/other_piece.wav", "piano/other_piece"),
        ("a/01.mp3", "a/01"),
        ("b/01.mp3", "b/01"),
        ("__init.wav", "__init"),
        ("song.v1.flac", "song.v1"),
    ],
)
def test_variants_of_a_piece_share_its_group(name, group):
    assert Found(path=Path(name), name=name).group == group


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (os.fsdecode(b"caf\xe9.wav"), "caf\\xe9.wav"),
        ("two\nlines.wav", "two\\nlines.wav"),
        ("-dash.wav", "-dash.wav"),
        ("\N{MUSICAL SCORE}.wav", "\N{MUSICAL SCORE}.wav"),
        ("esc\x1b[31m.wav", "esc\\x1b[31m.wav"),
    ],
)
def test_names_are_shown_on_one_line_of_valid_text(name, shown):
    assert printable(name) == shown


@given(st.binary(min_size=1, max_size=255))
def test_any_name_can_be_shown(raw):
    shown = printable(os.fsdecode(raw.replace(b"\0", b"0")))
    assert shown.encode("utf-8").decode("utf-8").isprintable()
