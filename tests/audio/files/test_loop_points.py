"""What a sampler reads in a loop's file, byte by byte, and that it still is the file it was."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from halfstep.audio.files import ogg
from halfstep.audio.files.io import Audio, read
from halfstep.errors import InputError

SOUND = (0.3 * np.sin(np.arange(1001) / 9)).astype(np.float32)[None]
TAGS = {"software": "halfstep", "comment": "seed 1"}


def chunks(data: bytes) -> dict[bytes, bytes]:
    result, place = {}, 12
    while place < len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        result[name] = data[place + 8 : place + 8 + size]
        place += 8 + size + size % 2
    assert place == len(data)
    return result


def test_a_wav_has_one_endless_loop_over_all_its_samples(tmp_path: Path):
    Audio(SOUND, 44100).save(tmp_path / "a.wav", TAGS, loop=True)
    data = (tmp_path / "a.wav").read_bytes()
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    values = struct.unpack("<15I", chunks(data)[b"smpl"])
    assert values[2] == 22676  # nanoseconds a sample
    assert values[7:9] == (1, 0)  # one loop, no more data
    assert values[9:] == (0, 0, 0, 1000, 0, 0)  # forward, first sample to last, for ever


def test_a_flac_has_the_tags_that_game_engines_read(tmp_path: Path):
    Audio(SOUND, 44100).save(tmp_path / "a.flac", TAGS, loop=True)
    data = (tmp_path / "a.flac").read_bytes()
    assert b"\x0b\x00\x00\x00LOOPSTART=0\x0f\x00\x00\x00LOOPLENGTH=1001" in data


@pytest.mark.parametrize("ending", [".wav", ".flac", ".ogg"])
def test_sound_and_tags_stay(ending: str, tmp_path: Path):
    for name, loop in (("plain", False), ("loop", True)):
        Audio(SOUND, 44100).save(tmp_path / f"{name}{ending}", TAGS, loop)
    plain, loop = (read(tmp_path / f"{name}{ending}").samples for name in ("plain", "loop"))
    np.testing.assert_array_equal(loop, plain)
    with soundfile.SoundFile(tmp_path / f"loop{ending}") as sound:
        assert (sound.software.startswith("halfstep"), sound.comment, sound.frames) == (True, "seed 1", 1001)


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_a_piece_that_is_no_loop_has_none(ending: str, tmp_path: Path):
    Audio(SOUND, 44100).save(tmp_path / f"a{ending}")
    data = (tmp_path / f"a{ending}").read_bytes()
    assert b"smpl" not in data and b"LOOP" not in data


def test_an_ogg_has_them_among_its_tags_and_its_pages_stay_whole(tmp_path: Path):
    """Tags of more than a page's 65 kB too; pages are numbered on, and their checksums hold."""
    for name, comment in (("short", "seed 1"), ("long", "x" * 150_000)):
        Audio(SOUND, 44100).save(tmp_path / f"{name}.ogg", {"comment": comment}, loop=True)
        data = (tmp_path / f"{name}.ogg").read_bytes()
        assert b"\x0b\x00\x00\x00LOOPSTART=0\x0f\x00\x00\x00LOOPLENGTH=1001" in data or name == "long"
        with (tmp_path / f"{name}.ogg").open("rb") as file:
            pages = [page for _, page in ogg._pages(file)]
        heads = [ogg.HEADER.unpack_from(page) for page in pages]
        assert [head[5] for head in heads] == list(range(len(pages)))
        for head, page in zip(heads, pages, strict=True):
            bare = ogg.HEADER.pack(*head[:6], 0, head[7]) + page[ogg.HEADER.size :]
            assert head[6] == ogg.page_checksum(bare)
        assert read(tmp_path / f"{name}.ogg").samples.shape == (1, 1001)
        with soundfile.SoundFile(tmp_path / f"{name}.ogg") as sound:
            assert sound.comment == comment


def test_an_mp3_cannot_be_a_loop(tmp_path: Path):
    with pytest.raises(InputError, match=r"a.mp3: an MP3 begins and ends with silence.*use .wav, .flac or .ogg"):
        Audio(SOUND, 44100).save(tmp_path / "a.mp3", loop=True)
    assert not list(tmp_path.iterdir())
