"""What tells a sampler or a game engine that a sound file is one period: written into a file that is there already."""

import struct
from collections.abc import Callable
from pathlib import Path

from halfstep.audio.files import ogg

MIDDLE_C = 60
VORBIS_MARK = b"\x03vorbis"
VORBIS_COMMENT = 4
"""The type of the block of a FLAC file that holds its tags."""


def add_loop_points(path: Path, format: str, sample_rate: int, frames: int) -> None:
    """Write that all of a WAV (chunk `smpl`), FLAC or Ogg Vorbis (tags LOOPSTART, LOOPLENGTH) repeats."""
    if writer := WRITERS.get(format):
        writer(path, sample_rate, frames)


def _to_wav(path: Path, sample_rate: int, frames: int) -> None:
    """One forward loop without end, from the first sample to the last, after all other chunks."""
    period_ns = round(1e9 / sample_rate)
    head = struct.pack("<9I", 0, 0, period_ns, MIDDLE_C, 0, 0, 0, 1, 0)
    chunk = head + struct.pack("<6I", 0, 0, 0, frames - 1, 0, 0)
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        file.write(bytes(size % 2) + struct.pack("<4sI", b"smpl", len(chunk)) + chunk)
        size = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", size - 8))


def _to_flac(path: Path, _: int, frames: int) -> None:
    """Two more tags, as game engines read them in Vorbis comments."""
    data = path.read_bytes()
    place = 4  # after the letters fLaC
    while True:
        kind, size = data[place] & 0x7F, int.from_bytes(data[place + 1 : place + 4], "big")
        body = data[place + 4 : place + 4 + size]
        if kind == VORBIS_COMMENT:
            tags = _with_tags(body, _tags(frames))
            header = bytes([data[place]]) + len(tags).to_bytes(3, "big")
            path.write_bytes(data[:place] + header + tags + data[place + 4 + size :])
            return
        assert not data[place] & 0x80, "libsndfile writes tags into every FLAC file"
        place += 4 + size


def _to_ogg(path: Path, _: int, frames: int) -> None:
    """The same tags, in the second packet of the stream."""
    ogg.replace_second_packet(path, lambda packet: _tagged_vorbis(packet, frames))


def _tagged_vorbis(packet: bytes, frames: int) -> bytes:
    """A comment header: its mark, the comment, a last bit that is set."""
    assert packet.startswith(VORBIS_MARK), "libsndfile writes tags into every Ogg file"
    return VORBIS_MARK + _with_tags(packet[len(VORBIS_MARK) : -1], _tags(frames)) + packet[-1:]


def _tags(frames: int) -> tuple[bytes, ...]:
    return b"LOOPSTART=0", b"LOOPLENGTH=%d" % frames


def _with_tags(comment: bytes, tags: tuple[bytes, ...]) -> bytes:
    """A Vorbis comment: the vendor's name, the number of tags, the tags; each with its length before it."""
    (vendor,) = struct.unpack_from("<I", comment)
    (count,) = struct.unpack_from("<I", comment, 4 + vendor)
    more = b"".join(struct.pack("<I", len(tag)) + tag for tag in tags)
    return comment[: 4 + vendor] + struct.pack("<I", count + len(tags)) + comment[8 + vendor :] + more


WRITERS: dict[str, Callable[[Path, int, int], None]] = {"WAV": _to_wav, "FLAC": _to_flac, "OGG": _to_ogg}
