"""Files that were cut off (F12): what they declared is told apart from what is in them."""

import struct

import numpy as np
import pytest
import soundfile

from halfstep.audio.files import mpeg, ogg
from halfstep.audio.files.endings import cut_off
from halfstep.audio.files.io import open_sound

SECONDS, RATE = 4, 44100
KINDS = {
    "a.wav": ("WAV", "PCM_16"),
    "b.wav": ("WAV", "FLOAT"),
    "c.wav": ("WAVEX", "PCM_24"),
    "d.wav": ("RF64", "PCM_16"),
    "e.flac": ("FLAC", "PCM_16"),
    "f.ogg": ("OGG", "VORBIS"),
    "g.opus": ("OGG", "OPUS"),
    "h.mp3": ("MP3", "MPEG_LAYER_III"),
    "i.aiff": ("AIFF", "PCM_16"),
    "j.aifc": ("AIFF", "FLOAT"),
    "k.w64": ("W64", "PCM_24"),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(0)
    samples = 0.1 * rng.standard_normal((SECONDS * RATE, 2))
    for name, (file_format, subtype) in KINDS.items():
        rate = 48000 if subtype == "OPUS" else RATE
        soundfile.write(folder / name, samples, rate, subtype, format=file_format)
    return folder


def ending(path):
    got = 0
    with open_sound(path) as sound:
        info = sound.info
        try:
            for block in sound.decoded(mono=True, block_seconds=0.5):
                got += block.shape[1]
        except soundfile.LibsndfileError:
            pass
    return cut_off(path, info, got)


@pytest.mark.parametrize("name", KINDS)
def test_a_whole_file_is_whole(whole, name):
    assert ending(whole / name) is None


@pytest.mark.parametrize("share", [0.3, 0.71, 0.97])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_cut_anywhere_is_flagged(whole, tmp_path, name, share):
    data = (whole / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    reason = ending(tmp_path / name)
    assert reason is not None
    assert reason.startswith("cut off: ")
    assert "declared" in reason
    assert "got" in reason


def test_the_numbers_are_those_of_the_file(whole, tmp_path):
    data = (whole / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data[: 44 + 4 * 10000])
    assert ending(tmp_path / "a.wav") == f"cut off: declared {SECONDS * RATE} samples, got 10000"


def test_a_streamed_wav_declares_nothing(whole, tmp_path):
    data = bytearray((whole / "a.wav").read_bytes())
    at = data.index(b"data")
    data[at + 4 : at + 8] = struct.pack("<I", 0xFFFFFFFF)
    (tmp_path / "a.wav").write_bytes(data)
    assert ending(tmp_path / "a.wav") is None


def test_an_mp3_without_its_info_frame_is_judged_by_its_last_frame(whole, tmp_path):
    """No header then says how long it is; a tag at the end is no frame."""
    data = (whole / "h.mp3").read_bytes()
    first = mpeg.frame_bytes(data[:4])
    assert first is not None
    plain = data[first:]
    path = tmp_path / "plain.mp3"
    path.write_bytes(plain)
    assert mpeg.ends_whole(path)
    path.write_bytes(plain + b"TAG" + bytes(125))
    assert mpeg.ends_whole(path)
    path.write_bytes(plain[:-100])
    assert not mpeg.ends_whole(path)
    reason = ending(path)
    assert reason is not None
    assert "last frame" in reason


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("fffb9064", 417),  # MPEG 1, 128 kbit/s, 44.1 kHz
        ("fffb9264", 418),  # the same, padded
        ("fff34064", 104 * 44100 // 44100 + 0),  # MPEG 2, 32 kbit/s, 22.05 kHz
        ("ffe34064", 208),  # MPEG 2.5, 32 kbit/s, 11.025 kHz
        ("fffbf064", None),  # bitrate 15 does not exist
        ("fffb9c64", None),  # nor does rate 3
        ("fffd9064", None),  # layer II
        ("00000000", None),
        ("fffb", None),
    ],
)
def test_frame_lengths_of_the_standard(header, size):
    assert mpeg.frame_bytes(bytes.fromhex(header)) == size


def test_a_file_without_frames_is_not_judged(tmp_path):
    path = tmp_path / "zeros"
    path.write_bytes(bytes(5000))
    assert mpeg.ends_whole(path)
    assert not ogg.has_end(path)


def test_ogg_checksums_are_those_of_the_encoder(whole):
    data = (whole / "f.ogg").read_bytes()
    size = data.index(b"OggS", 4)
    page = bytearray(data[:size])
    stored = int.from_bytes(page[22:26], "little")
    page[22:26] = bytes(4)
    assert ogg.page_checksum(bytes(page)) == stored
