"""Frame headers of MPEG audio: is the last frame of an MP3 whole. ISO 11172-3, 2.4.1.3."""

from pathlib import Path

TAIL_BYTES = 1 << 16
CHAINED = 3  # headers in a row, each where the one before says, are no accident
ID3V1_BYTES = 128
APE_FOOTER_BYTES = 32

BITRATES_V1 = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
BITRATES_V2 = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
RATES_V1 = (44100, 48000, 32000)


def frame_bytes(header: bytes) -> int | None:
    """Length of the layer III frame that begins with these 4 bytes; None if they begin none."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0 or header[1] & 0x06 != 0x02:
        return None
    version = header[1] >> 3 & 3  # 0 is version 2.5, 2 is 2, 3 is 1
    rate_index, bitrate_index = header[2] >> 2 & 3, header[2] >> 4
    if version == 1 or rate_index == 3 or not 1 <= bitrate_index <= 14:
        return None
    rate = RATES_V1[rate_index] // {3: 1, 2: 2, 0: 4}[version]
    kbps = (BITRATES_V1 if version == 3 else BITRATES_V2)[bitrate_index - 1]
    padding = header[2] >> 1 & 1
    return (144000 if version == 3 else 72000) * kbps // rate + padding


def samples_a_frame(sample_rate: int) -> int:
    """Of each channel, in a layer III frame: version 1 has twice as many as those for lower rates."""
    return 1152 if sample_rate >= min(RATES_V1) else 576


NOTE_PLACES = (36, 21, 13)
"""Behind the header and side information of stereo and mono frames of version 1, mono ones of the others."""


def note_place(header: bytes) -> int | None:
    """Where in a frame with this header an encoder writes its note on the whole stream; None where it is no frame."""
    if frame_bytes(header) is None:
        return None
    version1, mono = header[1] >> 3 & 3 == 3, header[3] >> 6 == 3
    stereo_place, mono_place = NOTE_PLACES[:2] if version1 else NOTE_PLACES[1:]
    return mono_place if mono else stereo_place


def ends_whole(path: Path) -> bool:
    """Whether the last layer III frame of the file is all there; true as well where no frames are found."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - TAIL_BYTES))
        tail = _without_tags(file.read())
    at = first_of_chain(tail)
    while at is not None and at < len(tail):
        size = frame_bytes(tail[at : at + 4])
        if size is None:
            break
        if at + size > len(tail):
            return False
        at += size
    return True


def _without_tags(tail: bytes) -> bytes:
    if tail[-ID3V1_BYTES : -ID3V1_BYTES + 3] == b"TAG":
        tail = tail[:-ID3V1_BYTES]
    footer = tail[-APE_FOOTER_BYTES:]
    if footer[:8] == b"APETAGEX":
        tail = tail[: -int.from_bytes(footer[12:16], "little")]
    return tail


def first_of_chain(tail: bytes) -> int | None:
    """Where the first frames in a row begin."""
    at = tail.find(b"\xff")
    while at >= 0:
        if is_chain(tail, at):
            return at
        at = tail.find(b"\xff", at + 1)
    return None


def is_chain(tail: bytes, at: int) -> bool:
    """Whether frames begin there, one behind the other, as far as can be seen."""
    for _ in range(CHAINED):
        size = frame_bytes(tail[at : at + 4])
        if size is None:
            return False
        at += size
    return at <= len(tail)
