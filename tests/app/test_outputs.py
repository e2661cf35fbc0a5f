"""OUT: what it must not be, and what it behaves like: cp."""

import os
import stat
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.app.cli import run

SECONDS = ["--seconds", "0.25"]


@pytest.fixture(autouse=True)
def _models(monkeypatch: pytest.MonkeyPatch, tiny_model: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("HALFSTEP_MODELS", str(tiny_model.parent))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def take() -> bytes:
    """take.wav, a second at 8 kHz, under three other names too; its bytes."""
    soundfile.write("take.wav", 0.2 * np.sin(np.arange(8000) / 5), 8000)
    Path("soft.wav").symlink_to("take.wav")
    Path("soft2.wav").symlink_to("soft.wav")
    os.link("take.wav", "hard.wav")
    return Path("take.wav").read_bytes()


def generate(*arguments: str) -> int:
    return run(["generate", *arguments, "--model", "tiny-gauss"])


@pytest.mark.parametrize("out", ["take.wav", "./take.wav", "../{}/take.wav", "soft.wav", "soft2.wav", "hard.wav"])
@pytest.mark.parametrize(
    "how",
    [
        ["--mend", "take.wav", "--from", "0.4", "--to", "0.6"], ["--continue", "take.wav", *SECONDS],
        ["--continue", "other.wav", "--into", "soft.wav", *SECONDS], ["--continue", "hard.wav", "--loop", *SECONDS],
    ],
    ids=["mend", "continue", "into", "loop"],
)  # fmt: skip
def test_a_recording_that_is_read_is_never_written(take: bytes, out: str, how: list[str], tmp_path: Path, capsys):
    soundfile.write("other.wav", 0.2 * np.sin(np.arange(8000) / 7), 8000)
    assert generate(out.format(tmp_path.name), *how) == 2
    assert "is a recording to be read" in capsys.readouterr().err
    assert Path("take.wav").read_bytes() == take
    assert {path.name for path in tmp_path.iterdir()} == {"take.wav", "soft.wav", "soft2.wav", "hard.wav", "other.wav"}


def test_one_of_many_pieces_is_no_recording_either(take: bytes, capsys):
    Path("take.wav").rename("out-2.wav")
    assert generate("out.wav", "--continue", "out-2.wav", "--count", "3", *SECONDS) == 2
    assert Path("out-2.wav").read_bytes() == take
    assert not Path("out-1.wav").exists()


def test_a_link_is_written_through():
    """The file it points at gets the piece, in its own folder, and stays what it was to others."""
    Path("music").mkdir()
    Path("music/old.wav").write_bytes(b"old")
    Path("music/old.wav").chmod(0o640)
    Path("out.wav").symlink_to("music/old.wav")
    assert generate("out.wav", *SECONDS) == 0
    assert Path("out.wav").is_symlink()
    assert soundfile.info("music/old.wav").frames == 2000
    assert stat.S_IMODE(Path("music/old.wav").stat().st_mode) == 0o640
    assert [path.name for path in Path("music").iterdir()] == ["old.wav"]


def identity(name: str) -> tuple[int, ...]:
    """Of what stands there, a link or not."""
    facts = os.lstat(name)
    return facts.st_ino, facts.st_mode, facts.st_size, facts.st_mtime_ns


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_device(path: Path) -> None:
    path.symlink_to("/dev/null")


def make_dangling(path: Path) -> None:
    path.symlink_to("nowhere.wav")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_hard_link(path: Path) -> None:
    Path("backup.wav").write_bytes(b"kept")
    os.link("backup.wav", path)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (make_pipe, "a pipe stands there"), (make_device, "a device stands there"),
        (make_dangling, "a link to nowhere"), (make_loop, "symbolic links"), (make_hard_link, "a hard link"),
    ],
)  # fmt: skip
def test_what_cannot_be_replaced_is_refused_as_it_is(make, said: str, tmp_path: Path, capsys):
    make(tmp_path / "out.wav")
    before = identity("out.wav")
    assert generate("out.wav", *SECONDS) == 2
    assert said in capsys.readouterr().err
    assert identity("out.wav") == before
    assert not Path("nowhere.wav").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes what is not to be written, as cp does")
def test_a_read_only_file_is_not_replaced(capsys):
    Path("out.wav").write_bytes(b"kept")
    Path("out.wav").chmod(0o444)
    assert generate("out.wav", *SECONDS) == 2
    assert Path("out.wav").read_bytes() == b"kept"


def test_the_longest_name_is_written_and_a_longer_one_refused(tmp_path: Path, capsys):
    longest = "ä" * 125 + "x.wav"
    assert len(os.fsencode(longest)) == 255
    assert generate(longest, *SECONDS) == 0
    assert generate("x" + longest, *SECONDS) == 2
    assert "File name too long" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [longest]


def test_a_picture_takes_the_place_of_its_like_alone(capsys):
    assert generate("out.wav", "--plot", *SECONDS) == 0
    assert generate("out.wav", "--plot", *SECONDS) == 0
    Path("out.png").write_bytes(b"\x89PNG my cover")
    assert generate("out.wav", "--plot", *SECONDS) == 2
    assert "out.png: is there, and not made by halfstep" in capsys.readouterr().err
    assert Path("out.png").read_bytes() == b"\x89PNG my cover"


def test_vocode_is_as_careful(take: bytes, capsys):
    assert run(["vocode", "soft.wav", "hard.wav", "--model", "tiny-gauss"]) == 2
    Path("out.before.png").write_bytes(b"mine")
    assert run(["vocode", "take.wav", "out.wav", "--plot", "--model", "tiny-gauss"]) == 2
    assert Path("out.before.png").read_bytes() == b"mine"
    assert Path("take.wav").read_bytes() == take


@pytest.mark.parametrize("name", ["notes.json", "take.wav"])
def test_the_report_of_prepare_replaces_reports_alone(take: bytes, name: str, capsys):
    Path("notes.json").write_text('{"mine": 1}')
    before = Path(name).read_bytes()
    assert run(["prepare", "take.wav", "--out", "data", "--report", name]) == 2
    assert Path(name).read_bytes() == before
    assert not Path("data").exists()
