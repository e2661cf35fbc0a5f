"""A folder of all that goes wrong (F11 to F22): the good is used, the rest has its reason, nothing stops."""

import json
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.data.dataset import Library
from halfstep.data.preparing import prepare

RATE = 8000
LATIN_1 = os.fsdecode(b"caf\xe9.flac")


def write_bytes(content: bytes):
    return lambda path, song: path.write_bytes(content)


def write_sound(make, rate=RATE, subtype="PCM_16", file_format="WAV"):
    """`make(song)` is [n] or [n, channels]."""
    return lambda path, song: save(path, make(song), rate, subtype, file_format)


def save(path: Path, samples: np.ndarray, rate: int, subtype: str | None, file_format: str) -> None:
    with path.open("wb") as file:  # soundfile itself writes to no name that is not UTF-8
        soundfile.write(file, samples, rate, subtype, format=file_format)


def cut(file_format, subtype, share=0.6):
    def write(path: Path, song) -> None:
        save(path, song(zlib.crc32(path.name.encode()), 6.0), RATE, subtype, file_format)
        data = path.read_bytes()
        path.write_bytes(data[: int(len(data) * share)])

    return write


def in_a_room(samples: np.ndarray) -> np.ndarray:
    """With noise at -60 dB, as recordings have it: tones alone end where their highest does."""
    return samples + 1e-3 * np.random.default_rng(0).standard_normal(samples.shape)


def liar(path: Path, song) -> None:
    """A FLAC whose header claims 2^36 - 1 samples (F13)."""
    save(path, song(60), RATE, "PCM_16", "FLAC")
    data = bytearray(path.read_bytes())
    data[21] |= 0x0F  # the lowest 36 bits of STREAMINFO's bytes 13 to 17
    data[22:26] = b"\xff\xff\xff\xff"
    path.write_bytes(data)


# name: how it is written, and why it is skipped.
SKIPPED = {
    "empty.wav": (write_bytes(b""), "an empty file"),
    "header.wav": (write_sound(lambda song: np.zeros(0)), "no samples"),
    "text.mp3": (write_bytes(b"all work and no play\n" * 40), "not audio: text"),
    "utf8.ogg": (write_bytes("vér\n".encode() * 300), "not audio: text"),
    "LICENCES.json": (write_bytes(b'{"a": 1}'), "not audio: text"),
    "page.flac": (write_bytes(b"<!DOCTYPE html><html><body>404</body></html>"), "not audio: HTML"),
    "random.bin": (write_bytes(np.random.default_rng(0).bytes(5000)), "not audio: unknown data"),
    "drm.m4p": (write_bytes(b"\x00\x00\x00\x20ftypM4P " + bytes(100)), "not readable as AAC"),
    "film.mkv": (write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100)), "not audio: Matroska"),
    "list.m3u": (write_bytes(b"#EXTM3U\nhttp://example.org/a.mp3\n/etc/passwd\n"), "not audio: a playlist"),
    "list.pls": (write_bytes(b"[playlist]\nFile1=http://example.org/a\n"), "not audio: a playlist"),
    "riff.wav": (write_bytes(b"RIFF\x24\x00\x00\x00WAVE"), "not readable as sound: Error in WAV"),
    "fake.flac": (write_bytes(b"fLaC" + bytes(50)), "not readable as sound: "),
    "one-sample.wav": (write_sound(lambda song: np.array([0.5])), "0.01 s of sound, shorter than a window"),
    "short.wav": (write_sound(lambda song: song(1, 0.2)), "0.20 s of sound, shorter than a window of 0.26 s"),
    "silence.wav": (write_sound(lambda song: np.zeros(RATE * 2)), "silence"),
    "constant.wav": (write_sound(lambda song: np.full(RATE * 2, 0.4)), "a constant level, no sound"),
    "constant-48k.wav": (write_sound(lambda song: np.full(96000, 0.4), 48000), "a constant level, no sound"),
    "nan.wav": (
        write_sound(lambda song: np.append(song(2), np.nan), subtype="FLOAT"),
        "holds samples that are NaN or infinite",
    ),
    "inf.wav": (
        write_sound(lambda song: np.append(song(2), -np.inf), subtype="DOUBLE"),
        "holds samples that are NaN or infinite",
    ),
    "loud.wav": (
        write_sound(lambda song: 30000 * song(2), subtype="FLOAT"),
        "holds samples of 2.1e+04 times",
    ),
    "one-hertz.wav": (write_sound(lambda song: song(3), 1), "a sample rate of 1 Hz; 1000 to 768000 are read"),
    "crowd.wav": (write_sound(lambda song: np.full((99, 1024), 0.1)), "1024 channels; up to 64 are read"),
    "cut-to-nothing.flac": (cut("FLAC", "PCM_16", 0.01), "no samples; broken: declared 48000 samples, got 0"),
    "cut-short.wav": (
        cut("WAV", "PCM_16", 0.02),
        "0.12 s of sound, shorter than a window of 0.26 s; cut off: ",
    ),
}

# name: how it is written, and what is flagged about it, if anything.
USED = {
    "good.flac": (write_sound(lambda song: song(10), file_format="FLAC"), None),
    "UPPER.WAV": (write_sound(lambda song: song(11)), None),
    "wrong.mp3": (write_sound(lambda song: song(12), file_format="FLAC"), None),
    "none": (write_sound(lambda song: song(13), file_format="OGG", subtype="VORBIS"), None),
    "-dash.aiff": (write_sound(lambda song: song(14), file_format="AIFF"), None),
    "two\nlines.wav": (write_sound(lambda song: song(15)), None),
    "\N{MUSICAL SCORE} score.wav": (write_sound(lambda song: song(16)), None),
    "x" * 251 + ".wav": (write_sound(lambda song: song(17)), None),
    LATIN_1: (write_sound(lambda song: song(18), file_format="FLAC"), None),
    "8-bit.wav": (write_sound(lambda song: song(19), subtype="PCM_U8"), None),
    "24-bit.wav": (write_sound(lambda song: song(20), subtype="PCM_24"), None),
    "float64.wav": (write_sound(lambda song: song(21), subtype="DOUBLE"), None),
    "192k.wav": (write_sound(lambda song: np.repeat(song(22), 24), 192000), None),
    "5.1.wav": (write_sound(lambda song: np.stack([song(23)] * 6, axis=1), subtype="PCM_24"), None),
    "opus.opus": (write_sound(lambda song: song(24), file_format="OGG", subtype="OPUS"), None),
    "song.mp3": (write_sound(lambda song: song(25), file_format="MP3", subtype="MPEG_LAYER_III"), None),
    "square.wav": (
        write_sound(lambda song: np.sign(np.sin(np.arange(RATE) / 20 + 0.01))),
        "100% of the samples are at full scale",
    ),
    "cut.wav": (cut("WAV", "PCM_16"), "cut off: declared 48000 samples, got 28"),
    "cut.aiff": (cut("AIFF", "PCM_16"), "cut off: declared 48000 samples, got 28"),
    "cut.mp3": (cut("MP3", "MPEG_LAYER_III"), "cut off: declared 48000 samples, got "),
    "cut.flac": (cut("FLAC", "PCM_16"), "declared 48000 samples, got "),
    "cut.ogg": (cut("OGG", "VORBIS"), "cut off: declared an end that is not there, got "),
    "liar.flac": (liar, "declared 68719476735 samples, got 16000"),
}


@pytest.fixture(scope="module")
def zoo(tmp_path_factory, song, small_config):
    """The folder, what prepare said of it, and the data set."""
    folder = tmp_path_factory.mktemp("faults")
    zoo = folder / "zoo"
    zoo.mkdir()
    for name, (write, _) in {**SKIPPED, **USED}.items():
        write(zoo / name, lambda *words: in_a_room(song(*words)))
    (zoo / "zero").symlink_to("/dev/zero")
    (zoo / "loop").symlink_to(zoo)
    (zoo / "gone.wav").symlink_to(zoo / "nowhere")
    os.mkfifo(zoo / "fifo.wav")
    report = prepare([zoo], folder / "data", small_config, workers=2)
    return folder, report


def reasons(entries):
    return {entry["source"]: entry["reason"] for entry in entries}


def shown(name: str) -> str:
    named = {LATIN_1: "caf\\xe9.flac", "two\nlines.wav": "two\\nlines.wav"}
    return f"zoo/{named.get(name, name)}"


def test_everything_is_counted(zoo):
    _, report = zoo
    assert report.found == len(SKIPPED) + len(USED) + 4
    assert report.used == len(USED)
    assert report.failed == []
    assert report.found == report.used + len(report.skipped) + len(report.failed)


@pytest.mark.parametrize("name", SKIPPED, ids=ascii)
def test_a_bad_file_is_skipped_for_its_reason(zoo, name):
    assert reasons(zoo[1].skipped)[shown(name)].startswith(SKIPPED[name][1])


@pytest.mark.parametrize("name", USED, ids=lambda name: ascii(name)[:24])
def test_a_usable_file_is_used_and_what_is_odd_is_flagged(zoo, name):
    folder, report = zoo
    assert shown(name) in {track.source for track in Library(folder / "data").tracks}
    flag = USED[name][1]
    flagged_as = reasons(report.flagged).get(shown(name))
    assert (flagged_as is None) == (flag is None)
    assert flag is None or flag in str(flagged_as)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("zero", "no file but a device"),
        ("loop", "a link to a folder that is searched already"),
        ("gone.wav", "cannot be read: No such file or directory"),
        ("fifo.wav", "no file but a FIFO"),
    ],
)
def test_what_is_no_file_is_never_opened(zoo, name, reason):
    assert reasons(zoo[1].skipped)[shown(name)] == reason


def test_no_mel_holds_anything_but_numbers(zoo):
    library = Library(zoo[0] / "data")
    assert all(np.isfinite(library.array(track)[:]).all() for track in library.tracks)
    assert np.isfinite(library.band_mean).all()
    assert (library.band_std > 0).all()


def test_the_report_is_valid_text(zoo):
    """Any JSON reader takes it: no half characters."""
    for name in ("report.json", "dataset.json"):
        text = (zoo[0] / "data" / name).read_text(encoding="ascii")
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")


def test_nothing_is_left_but_the_data_set(zoo):
    data = zoo[0] / "data"
    assert {path.name for path in data.iterdir()} == {
        "dataset.json",
        "report.json",
        "journal.jsonl",
        "tracks",
        ".halfstep",
    }
    files = {track.file for track in Library(data).tracks}
    assert {f"tracks/{path.name}" for path in (data / "tracks").iterdir()} == files


def test_a_file_we_may_not_read_is_skipped(tmp_path, small_config, write_song, monkeypatch):
    """Root may read everything, so the system's answer is played."""
    write_song(tmp_path / "songs" / "good.flac", 1)
    secret = write_song(tmp_path / "songs" / "secret.flac", 2)
    real = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != secret and real(path, mode))
    report = prepare([tmp_path / "songs"], tmp_path / "data", small_config, 1)
    assert report.skipped == [{"source": "songs/secret.flac", "reason": "cannot be read: Permission denied"}]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes changed, cut out, doubled, or the end lost."""
    broken = bytearray(data)
    for _ in range(int(rng.integers(1, 12))):
        if len(broken) < 100:
            break
        at, size = int(rng.integers(len(broken))), int(rng.integers(1, 64))
        kind = int(rng.integers(4))
        if kind == 0:
            broken[at : at + size] = rng.bytes(size)
        elif kind == 1:
            del broken[at : at + size]
        elif kind == 2:
            broken[at:at] = broken[at : at + size]
        else:
            del broken[max(1, at) :]
    return bytes(broken)


def write_mutants(folder: Path, count: int, song) -> None:
    folder.mkdir()
    kinds = [
        ("WAV", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
        ("MP3", "MPEG_LAYER_III"),
        ("OGG", "OPUS"),
    ]
    rng = np.random.default_rng(0)
    originals = []
    for number, (file_format, subtype) in enumerate(kinds):
        soundfile.write(folder / "whole", song(number, 1.0), RATE, subtype, format=file_format)
        originals.append((folder / "whole").read_bytes())
    for number in range(count):
        data = originals[number % len(originals)]
        (folder / f"{number:04d}").write_bytes(mutated(data, rng))


def expect_survived(start_prepare, folder: Path, count: int, small_config) -> None:
    peak, _ = start_prepare(folder / "mutants", folder / "data", small_config).communicate()
    assert int(peak) < 500_000  # kilobytes, of the largest process
    report = json.loads((folder / "data" / "report.json").read_text())
    assert report["found"] == count + 1 == report["used"] + len(report["skipped"]) + len(report["failed"])
    assert report["used"] > count / 10
    assert len(report["skipped"]) > count / 10
    library = Library(folder / "data")
    assert all(np.isfinite(library.array(track)[:]).all() for track in library.tracks)


def test_mutated_files_stop_nothing(start_prepare, tmp_path, song, small_config):
    write_mutants(tmp_path / "mutants", 60, song)
    expect_survived(start_prepare, tmp_path, 60, small_config)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_thousands_of_mutated_files_stop_nothing(start_prepare, tmp_path, song, small_config):
    """F14."""
    write_mutants(tmp_path / "mutants", 5000, song)
    expect_survived(start_prepare, tmp_path, 5000, small_config)
