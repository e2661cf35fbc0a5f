"""kill -9 at any moment (F1), a full disk (F5), little memory (F9): the same call again, the same bytes."""

import errno
import itertools
import random
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.data.dataset import Library
from halfstep.data.decode import DecodeConfig
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.stores import STORES


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Whether it was still at work."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    return process.returncode == -signal.SIGKILL


def make_songs(folder: Path, write_song, count: int = 6) -> Path:
    for seed in range(count):
        write_song(folder / f"song-{seed}.flac", seed, seconds=6)
    (folder / "notes.txt").write_text("not a song")
    return folder


@pytest.mark.parametrize("stores", STORES)
def test_killed_at_every_fact_learned(start_prepare, tmp_path, write_song, small_config, contents, stores):
    """The journal gets a line for each: kill as soon as there is one more, until nothing is left to do."""
    small_config = replace(small_config, decode=replace(small_config.decode, stores=stores))
    songs = make_songs(tmp_path / "songs", write_song, 3)
    prepare([songs], tmp_path / "straight", small_config, 2)
    data = tmp_path / "data"
    data.mkdir()
    journal, known, kills = data / "journal.jsonl", 0, 0
    process = start_prepare(songs, data, small_config)
    while process.poll() is None:
        lines = journal.read_bytes().count(b"}\n") if journal.exists() else 0
        if lines > known and kills < 4:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            known, kills = lines, kills + 1
            process = start_prepare(songs, data, small_config)
        time.sleep(0.002)
    process.communicate()
    assert process.returncode == 0
    assert kills >= 2
    assert contents(data) == contents(tmp_path / "straight")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_thirty_times_at_random(start_prepare, tmp_path, write_song, small_config, contents):
    """F1. Each kill is followed by runs to the end, or by the next kill; half of them start from nothing."""
    songs = make_songs(tmp_path / "songs", write_song, 4)
    begun = time.monotonic()
    whole = start_prepare(songs, tmp_path / "straight", small_config)
    whole.communicate()
    assert whole.returncode == 0
    lasts = time.monotonic() - begun
    expected = contents(tmp_path / "straight")
    rng, kills = random.Random(0), 0
    for round_number in itertools.count():  # a run may end before it is killed
        data = tmp_path / f"data-{round_number // 2}"
        kills += kill_after(start_prepare(songs, data, small_config), rng.uniform(0, 1.1 * lasts))
        if round_number % 2:
            prepare([songs], data, small_config, 2)
            assert contents(data) == expected
        if kills >= 30:
            break


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 100 kB, and what makes it 10 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"mounting a small disk is not allowed here: {mounted.stderr.decode().strip()}")
    yield folder, lambda: subprocess.run(["mount", "-o", "remount,size=10m", str(folder)], check=True)
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_mended(small_disk, tmp_path, write_song, small_config, contents):
    folder, enlarge = small_disk
    songs = make_songs(tmp_path / "songs", write_song, 2)
    data = folder / "data"
    prepare([songs], data, small_config, 1)
    before = contents(data)
    make_songs(songs, write_song)
    with pytest.raises(
        OSError, match=r"No space left on device: about \d+ bytes needed for \d more tracks, \d"
    ) as full:
        prepare([songs], data, small_config, 1)
    assert full.value.errno == errno.ENOSPC
    after = contents(data)
    assert all(after[name] == content for name, content in before.items() if name != "journal.jsonl")
    enlarge()
    prepare([songs], data, small_config, 1)
    prepare([songs], tmp_path / "straight", small_config, 1)
    assert contents(data) == contents(tmp_path / "straight")


def test_a_header_that_lies_costs_no_memory(start_prepare, tmp_path, song, small_config):
    """F13: a FLAC that claims 2^36 samples; a WAV of 64 channels."""
    songs = tmp_path / "songs"
    songs.mkdir()
    soundfile.write(songs / "liar.flac", song(1, 3.0), 8000)
    data = bytearray((songs / "liar.flac").read_bytes())
    data[21:26] = bytes([data[21] | 0x0F]) + b"\xff" * 4
    (songs / "liar.flac").write_bytes(data)
    wide = np.repeat(song(2, 3.0)[:, None], 64, axis=1)
    soundfile.write(songs / "wide.wav", wide, 8000)
    process = start_prepare(songs, tmp_path / "data", small_config)
    peak_kilobytes = int(process.communicate()[0])
    assert len(Library(tmp_path / "data").tracks) == 2
    assert peak_kilobytes < 300_000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("stores", STORES)
def test_an_hours_long_file_costs_no_more_memory_than_a_short_one(start_prepare, tmp_path, song, stores):
    """F9, with an hour at 44.1 kHz: 635 MB of samples as we reckon with them."""
    rng = np.random.default_rng(0)
    peaks = {}
    for name, minutes in (("short", 2), ("long", 60)):
        folder = tmp_path / name
        folder.mkdir()
        with soundfile.SoundFile(folder / "a.wav", "w", 44100, 1, "PCM_16") as sound:
            minute = np.tile(np.repeat(song(1, 60.0), 5)[: 44100 * 30], 2) + 1e-3 * rng.standard_normal(44100 * 60)
            for _ in range(minutes):
                sound.write(0.9 * minute / np.abs(minute).max())
        process = start_prepare(folder, tmp_path / f"{name}-data", PrepareConfig(decode=DecodeConfig(stores=stores)))
        peaks[name] = int(process.communicate()[0])
    assert sum(track.seconds for track in Library(tmp_path / "long-data").tracks) > 3590
    assert peaks["long"] < peaks["short"] + 30_000
    assert peaks["long"] < 300_000


def test_workers_end_when_the_run_is_killed(start_prepare, tmp_path, write_song, small_config):
    songs = make_songs(tmp_path / "songs", write_song)
    process = start_prepare(songs, tmp_path / "data", small_config)
    deadline = time.monotonic() + 60
    while not (children := _children(process.pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert children
    process.kill()
    process.communicate()
    while any(Path(f"/proc/{child}").exists() for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{child}").exists() for child in children)


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
