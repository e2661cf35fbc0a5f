"""A full disk, in every command that writes: exit code 1, one line with a path and bytes, nothing half-written left."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from full_disks import Disk

from halfstep.app.cli import app, run
from halfstep.app.page.runtime import RUNTIME_FILES
from halfstep.app.serve.hls import HlsFolder
from halfstep.data.synthetic import write_pieces

SETTINGS = [
    "train.batch_size=4", "train.log_every=1", "train.measure_every=4", "train.warmup_steps=1", "net.widths=[16, 16]",
    "net.attention_heads=4", "net.embedding=8", "distill.start_steps=2", "distill.updates=2", "distill.batch_size=4",
    "music.frames=24",
]  # fmt: skip
TRAIN = ["--preset", "tiny", "--steps", "4", *(word for setting in SETTINGS for word in ("--set", setting))]
EVALUATE = ["--windows", "10", "--seams", "0", "--streams", "0", "--workers", "1"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, write_library: Callable[..., Path], tiny_model: Path) -> Path:
    """All that the commands read: music, DATA, a trained RUN, a distilled one, a model, a runtime for the page."""
    folder = tmp_path_factory.mktemp("made")
    write_pieces(folder / "music", 2, 6.0)
    soundfile.write(folder / "take.wav", 0.1 * np.sin(np.arange(16000) / 5), 8000)
    write_library(folder / "DATA")
    assert run(["train", str(folder / "DATA"), "--out", str(folder / "RUN"), *TRAIN]) == 0
    (folder / "runtime").mkdir()
    for name in RUNTIME_FILES:
        (folder / "runtime" / name).write_bytes(b"export {}")
    (folder / "model").symlink_to(tiny_model)
    return folder


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    (tmp_path / "disk").mkdir()
    return Disk(tmp_path / "disk", monkeypatch)


COMMANDS: dict[str, tuple[list[str], list[int]]] = {
    "generate": (["DISK/out.wav", "--model", "MADE/model", "--seconds", "1", "--plot"], [0, 3000, 16050, 17000]),
    "generate many": (["DISK/out.flac", "--model", "MADE/model", "--seconds", "1", "--count", "2"], [0, 20000]),
    "generate loop": (["DISK/out.ogg", "--model", "MADE/model", "--seconds", "1", "--loop"], [0, 4000]),
    "generate mend": (
        ["DISK/out.wav", "--model", "MADE/model", "--mend", "MADE/take.wav", "--from", "0.8", "--to", "1"], [40],
    ),
    "vocode": (["MADE/take.wav", "DISK/out.wav", "--model", "MADE/model", "--plot"], [0, 9000, 33000]),
    "prepare": (["MADE/music", "--out", "DISK/data", "--preset", "tiny", "--workers", "1"], [0, 30, 400]),
    "prepare report": (
        ["MADE/music", "--out", "MADE/prepared", "--preset", "tiny", "--workers", "1", "--report", "DISK/report.json"],
        [0],
    ),
    "train": (["MADE/DATA", "--out", "DISK/run", *TRAIN], [0, 4000, 300000]),
    "export": (["MADE/RUN", "--out", "DISK/model"], [5000, 200000]),
    "evaluate": (["MADE/model", "--data", "MADE/DATA", "--out", "DISK/report", *EVALUATE], [0]),
    "evaluate controls": (["--controls", "--data", "MADE/DATA", "--out", "DISK/report", *EVALUATE], [0]),
    "page": (["--out", "DISK/site", "--runtime", "MADE/runtime"], [0, 200000]),
}  # fmt: skip
WRITE_NOTHING = {"play", "bench", "models", "verify", "doctor", "push", "feed"}
ELSEWHERE = {"serve", "distill"}
"""In tests of their own below."""


def test_every_command_is_among_them():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert commands == {name.split()[0] for name in COMMANDS} | WRITE_NOTHING | ELSEWHERE


def fails_with_path_and_bytes(words: list[str], disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    refused = disk.refused
    assert run(words) == 1
    line = capsys.readouterr().err.strip().splitlines()[-1]
    assert disk.refused > refused, line
    assert re.match(rf"halfstep: {disk.folder}[^ ]*: No space left.*\d+ bytes", line), line


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_named_with_bytes_and_nothing_half_written_is_left(
    name: str, made: Path, disk: Disk, capsys: pytest.CaptureFixture[str]
):
    words, sizes = COMMANDS[name]
    command = [name.split()[0], *(word.replace("DISK", str(disk.folder)).replace("MADE", str(made)) for word in words)]
    whole = set(disk.folder.rglob("*"))
    for size in sizes:
        disk.left = size
        fails_with_path_and_bytes(command, disk, capsys)
        assert not [path for path in disk.folder.rglob("*") if "partial" in path.name or path.name == "lock"]
        if name.startswith(("generate", "vocode", "page", "export")):
            assert set(disk.folder.rglob("*")) <= whole | {disk.folder / "out-1.flac", disk.folder / "out.wav"}


def test_a_ladder(made: Path, disk: Disk, capsys: pytest.CaptureFixture[str]):
    shutil.copytree(made / "RUN", disk.folder / "run")
    for size in (0, 100000):
        disk.left = size
        fails_with_path_and_bytes(["distill", str(disk.folder / "run")], disk, capsys)
        assert not [path for path in disk.folder.rglob("*") if "partial" in path.name or path.name == "lock"]


def test_segments(disk: Disk):
    """`serve --hls` says so in its log, and goes on when there is room again; its folder is refused at once."""
    disk.left = 0
    with pytest.raises(OSError, match="No space left.* bytes free") as full:
        HlsFolder(disk.folder / "radio", 44100)
    assert full.value.filename.startswith(str(disk.folder))
    disk.left = 30
    folder = HlsFolder(disk.folder / "radio", 44100)
    with pytest.raises(OSError, match="No space left.* bytes free") as full:
        folder.push(bytes.fromhex("fffb9064") + bytes(413))
        folder.push((bytes.fromhex("fffb9064") + bytes(413)) * 300)
    assert full.value.filename.startswith(str(disk.folder / "radio" / "segment-"))
    assert [path.name for path in (disk.folder / "radio").iterdir()] == [".halfstep"]
