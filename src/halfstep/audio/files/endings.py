"""Does a sound file end where it says? libsndfile reads most of those that were cut off without a word."""

from pathlib import Path

from halfstep.audio.files import mpeg, ogg
from halfstep.audio.files.chunks import sound_chunks
from halfstep.audio.files.info import AudioInfo

UNKNOWN_FRAMES = 1 << 60
MP3_SLACK = 3 * 1152  # encoders differ in whether delay and padding are among the samples they declare


def cut_off(path: Path, info: AudioInfo, frames_got: int) -> str | None:
    """What the file declared and what was in it, if that was less; None for a file that is whole."""
    if info.format in IN_CHUNKS:
        return _cut_in_chunks(path, info, frames_got)
    slack = MP3_SLACK if info.format == "MP3" else 0
    declared = info.frames_declared if info.frames_declared < UNKNOWN_FRAMES else 0
    if frames_got + slack < declared:
        return f"cut off: declared {declared} samples, got {frames_got}"
    if info.format == "OGG" and not ogg.has_end(path):
        return f"cut off: declared an end that is not there, got {frames_got} samples"
    if info.format == "MP3" and not mpeg.ends_whole(path):
        return f"cut off: the last frame declared more bytes than are there, got {frames_got} samples"
    return None


def _cut_in_chunks(path: Path, info: AudioInfo, frames_got: int) -> str | None:
    """By the bytes that each chunk of sound claims, not those that libsndfile found room for."""
    with path.open("rb") as file:
        chunks, _ = sound_chunks(file)
    plain = info.subtype in SUBTYPE_BYTES
    own = SUBTYPE_BYTES.get(info.subtype, 1) * info.channels
    widths = [(chunk.frame_bytes or own) if plain else 1 for chunk in chunks]
    pairs = list(zip(chunks, widths, strict=True))
    held = sum(chunk.held // width for chunk, width in pairs)
    declared = sum((chunk.held if chunk.declared is None else chunk.declared) // width for chunk, width in pairs)
    if declared == held:
        return None
    return f"cut off: declared {declared} {'samples' if plain else 'bytes'}, got {frames_got if plain else held}"


SUBTYPE_BYTES = {
    "PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8, "ULAW": 1, "ALAW": 1,
}  # fmt: skip
"""Of samples that are stored one by one."""
IN_CHUNKS = frozenset({"WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU"})
