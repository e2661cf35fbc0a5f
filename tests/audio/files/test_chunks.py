"""Containers of chunks as recorders, pipes and joining leave them: all of the sound in them is read."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.audio.files.endings import cut_off
from halfstep.audio.files.io import Recording, open_sound, read, read_info

RATE = 8000
SOUND = (0.1 * np.random.default_rng(0).standard_normal((2, 1000))).astype(np.float32)
KINDS = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF"]
NO_SIZES = [0, 0xFFFF_FFFF, (1 << 63) - 1, (1 << 64) - 1]


def encoded(kind: str, closed: bool = True, subtype: str = "FLOAT", endian: str | None = None) -> bytes:
    """What a recorder leaves, or one that was killed."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 2, subtype, endian, kind) as sound:
        sound.write(SOUND.T)
        sound.flush()
        if not closed:
            return file.getvalue()
    return file.getvalue()


def with_sizes(data: bytes, *places_and_sizes: tuple[int, str, int]) -> bytes:
    changed = bytearray(data)
    for place, kind, size in places_and_sizes:
        struct.pack_into(kind, changed, place, size)
    return bytes(changed)


def looked_at(path: Path, data: bytes) -> tuple[np.ndarray, list[str], str | None]:
    """The samples, what is said of the file, and what is missing at its end."""
    path.write_bytes(data)
    samples = read(path).samples
    with open_sound(path) as sound:
        assert sound.info.frames_declared == samples.shape[1]
        return samples, sound.notes, cut_off(path, sound.info, samples.shape[1])


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_never_finished_has_its_sound(tmp_path: Path, kind: str):
    samples, notes, missing = looked_at(tmp_path / "a", encoded(kind, closed=False))
    np.testing.assert_array_equal(samples, SOUND)
    assert notes == ["its header was never closed (0 bytes declared): all that follows it is used"]
    assert missing is None


@pytest.mark.parametrize("mark", [b"RF64", b"BW64"])
@pytest.mark.parametrize("size", NO_SIZES)
def test_sizes_of_64_bits_that_nobody_filled_in(tmp_path: Path, mark: bytes, size: int):
    data = mark + encoded("RF64")[4:]
    samples, _, missing = looked_at(tmp_path / "a", with_sizes(data, *((at, "<Q", size) for at in (20, 28, 36))))
    np.testing.assert_array_equal(samples, SOUND)
    assert missing is None


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_were_joined_are_all_used(tmp_path: Path, kind: str):
    data = encoded(kind)
    samples, notes, missing = looked_at(tmp_path / "a", data + data)
    np.testing.assert_array_equal(samples, np.concatenate([SOUND, SOUND], axis=1))
    assert (notes, missing) == (["2 streams one after the other, all used"], None)
    samples, _, missing = looked_at(tmp_path / "a", data + data[:-80])
    assert samples.shape == (2, missing_from(missing, 2000))


def missing_from(said: str | None, declared: int) -> int:
    """Samples that are there, by what is said of a file that was cut off."""
    assert said is not None
    start, got = said.rsplit(" ", 1)
    assert start == f"cut off: declared {declared} samples, got"
    return int(got)


@pytest.mark.parametrize("kind", ["WAV", "RIFX", "RF64"])
@pytest.mark.parametrize("between", [b"", b"JUNK\2\0\0\0ab"])
def test_every_chunk_of_sound_is_used(tmp_path: Path, kind: str, between: bytes):
    data = encoded("WAV", endian="BIG") if kind == "RIFX" else encoded(kind)
    between = between.replace(b"\2\0\0\0", b"\0\0\0\2") if kind == "RIFX" else between
    chunk = data[data.index(b"data") :].replace(b"\xff\xff\xff\xff", struct.pack("<I", 8 * 1000), 1)
    empty = b"data" + bytes(4)
    for after, times in ((between + chunk, 2), (between + chunk + empty + chunk, 3)):
        samples, notes, missing = looked_at(tmp_path / "a", data + after)
        np.testing.assert_array_equal(samples, np.tile(SOUND, times))
        assert (notes, missing) == ([f"{times} streams one after the other, all used"], None)
    samples, _, missing = looked_at(tmp_path / "a", data + between + chunk[:-80])
    assert samples.shape == (2, missing_from(missing, 2000))


def test_a_list_of_waves_is_played_and_its_pauses_are_said(tmp_path: Path):
    data = encoded("WAV")
    at = data.index(b"data")
    pause = struct.pack("<4sII", b"slnt", 4, 400)
    waves = b"wavl" + data[at:] + pause + data[at:]
    samples, notes, _ = looked_at(tmp_path / "a", data[:at] + b"LIST" + struct.pack("<I", len(waves)) + waves)
    np.testing.assert_array_equal(samples, np.tile(SOUND, 2))
    assert notes == ["2 streams one after the other, all used", "1 pauses between its pieces are left out"]


def test_blocks_of_adpcm_are_used_in_every_chunk(tmp_path: Path):
    data = encoded("WAV", subtype="IMA_ADPCM")
    once = looked_at(tmp_path / "a", data)[0]
    np.testing.assert_array_equal(looked_at(tmp_path / "a", data + data[data.index(b"data") :])[0], np.tile(once, 2))
    assert looked_at(tmp_path / "a", data[:-300])[2] == "cut off: declared 1024 bytes, got 724"


def test_a_recording_of_more_than_a_wav_can_say_has_all_of_its_sound(tmp_path: Path):
    """4.3 GB, most of them a hole in the file."""
    data = encoded("WAV", closed=False)
    with (tmp_path / "a.wav").open("wb") as file:
        file.write(data[: data.index(b"data") + 8])
        file.seek(8 * 540_000_000, 1)
        file.write(SOUND.T.tobytes())
    assert read_info(tmp_path / "a.wav").frames_declared == 540_001_000
    with open_sound(tmp_path / "a.wav") as sound:
        np.testing.assert_array_equal(sound.span(540_000_000, 1000), SOUND)


def test_what_a_header_says_before_the_sound_is_kept(tmp_path: Path):
    data = encoded("WAV", closed=False)
    at = data.index(b"data")
    info = struct.pack("<4sI4s4sI8s", b"LIST", 20, b"INFO", b"IGNR", 8, b"Ambient")
    (tmp_path / "a.wav").write_bytes(data[:at] + info + data[at:])
    with (tmp_path / "a.wav").open("rb") as file:
        assert Recording(file).tags["genre"] == "Ambient"


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_of_any_kind_end_in_a_sound_or_an_error(tmp_path: Path, kind: str):
    """Each 32 bits of the first 96 bytes in turn: nothing hangs, and nothing complains elsewhere."""
    data = encoded(kind)
    for place in range(0, 96, 4):
        for value in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"):
            (tmp_path / "a").write_bytes(data[:place] + value + data[place + 4 :])
            try:
                with open_sound(tmp_path / "a") as sound:
                    sound.span(0, 10)
            except soundfile.LibsndfileError:
                continue
