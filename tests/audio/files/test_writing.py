import errno
import hashlib
import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.files import ogg
from halfstep.audio.files.io import read, write
from halfstep.audio.files.raw import RawFile
from halfstep.audio.files.writing import ENCODINGS
from halfstep.errors import InputError

METADATA = {"title": "A piece", "software": "halfstep", "comment": "seed 1"}


def music(seconds: float = 1.0, rate: int = 44100, channels: int = 1) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    return np.stack([0.4 * np.sin(2 * np.pi * 220 * (c + 1) * t) for c in range(channels)]).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    subtype=st.sampled_from(["PCM_16", "PCM_24"]),
    extension=st.sampled_from([".wav", ".flac", ".WAV"]),
    channels=st.integers(1, 3),
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=5),
)
def test_what_is_written_is_read_again(tmp_path_factory, subtype, extension, channels, sizes):
    rng = np.random.default_rng(sum(sizes))
    blocks = [rng.uniform(-1, 1, (channels, size)).astype(np.float32) for size in sizes]
    blocks.append(np.array([[1.0, -1.0, 0.0]] * channels, np.float32))
    path = tmp_path_factory.mktemp("write") / f"noise{extension}"
    write(path, blocks, 8000, METADATA, subtype=subtype)
    assert soundfile.info(path).subtype == subtype
    step = 2.0 ** (-15 if subtype == "PCM_16" else -23)
    np.testing.assert_allclose(read(path).samples, np.concatenate(blocks, axis=1), atol=1.01 * step)


@pytest.mark.parametrize("extension", ENCODINGS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_extension_keeps_length_sound_and_metadata(tmp_path, extension, channels):
    path = tmp_path / f"piece{extension}"
    samples = music(2.0, channels=channels)
    write(path, [samples[:, :30000], samples[:, 30000:]], 44100, METADATA)
    back = read(path)
    assert back.samples.shape == samples.shape
    assert np.abs(back.samples - samples).max() < 0.02
    with soundfile.SoundFile(path) as sound:
        assert sound.title == "A piece"
        assert sound.comment == "seed 1"


@pytest.mark.parametrize("extension", ENCODINGS)
def test_same_sound_same_bytes_however_it_comes(tmp_path, extension):
    samples = music(1.5)
    cut = [samples[:, :100], samples[:, 100:65536], samples[:, 65536:]]
    for name, blocks in (("a", [samples]), ("b", cut)):
        write(tmp_path / f"{name}{extension}", blocks, 44100, METADATA)
    hashes = {hashlib.sha256(path.read_bytes()).hexdigest() for path in tmp_path.iterdir()}
    assert len(hashes) == 1


def test_every_ogg_page_has_the_fixed_number(tmp_path):
    """The encoder draws one by the clock, so that two files written a second apart would differ."""
    path = tmp_path / "a.ogg"
    write(path, [music(3.0)], 44100, {})
    data = path.read_bytes()
    pages = [at for at in range(len(data)) if data.startswith(b"OggS\x00", at)]
    assert len(pages) > 2
    assert {int.from_bytes(data[at + 14 : at + 18], "little") for at in pages} == {ogg.SERIAL}


@pytest.mark.parametrize("name", ["a.m4a", "a", "a.txt"])
def test_an_extension_we_do_not_write_is_named_with_those_we_do(tmp_path, name):
    with pytest.raises(InputError, match=r"use \.wav, \.flac, \.ogg, \.mp3"):
        write(tmp_path / name, [music()], 44100, {})
    assert list(tmp_path.iterdir()) == []


def test_samples_beyond_full_scale_are_refused_not_clipped(tmp_path):
    with pytest.raises(ValueError, match=r"a sample of 1\.5, expected -1 to 1"):
        write(tmp_path / "a.wav", [np.full((1, 10), 1.5, np.float32)], 8000, {})
    with pytest.raises(ValueError, match="a sample of nan"):
        write(tmp_path / "a.wav", [np.full((1, 10), np.nan, np.float32)], 8000, {})
    with pytest.raises(ValueError, match="metadata \\['date'\\]"):
        write(tmp_path / "a.wav", [music()], 8000, {"date": "today"})
    with pytest.raises(ValueError, match="no blocks"):
        write(tmp_path / "a.wav", [], 8000, {})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_midway_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.wav"
    write(path, [music()], 44100, {})
    before = path.read_bytes()

    def blocks():
        yield music()
        raise RuntimeError("the model broke")

    with pytest.raises(RuntimeError):
        write(path, blocks(), 44100, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("extension", ENCODINGS)
def test_a_full_disk_is_told_with_the_bytes_needed(tmp_path, monkeypatch, extension):
    room = 5000

    def write_while_there_is_room(self: RawFile, data: bytes) -> int:
        nonlocal room
        room -= len(data)
        if room < 0:
            self._failure = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return 0
        return self._file.write(data)

    monkeypatch.setattr(RawFile, "write", write_while_there_is_room)
    with pytest.raises(OSError, match=r"No space left on device: about \d+ bytes more needed") as caught:
        write(tmp_path / f"a{extension}", [music(5)], 44100, {}, seconds=5)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("extension", [".wav", ".flac"])
def test_a_disk_that_is_really_full(small_disk: Path, extension):
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 44100 * 20)).astype(np.float32)
    old = small_disk / "old.txt"
    old.write_text("kept")
    with pytest.raises(OSError, match=r"about \d+ bytes a second needed") as caught:
        write(small_disk / f"a{extension}", [noise], 44100, {})
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in small_disk.iterdir()] == ["old.txt"]


def test_floats_say_nothing_of_when_they_were_written(tmp_path: Path):
    """Libsndfile's chunk PEAK has the second in it."""
    for number in range(2):
        write(tmp_path / f"{number}.wav", [np.full((2, 100), 0.5)], 8000, {}, "FLOAT", exact=True)
        time.sleep(1.1)
    assert (tmp_path / "0.wav").read_bytes() == (tmp_path / "1.wav").read_bytes()
    assert b"PEAK" in (tmp_path / "0.wav").read_bytes()
