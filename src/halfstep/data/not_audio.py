"""What a file is that is no audio: a word for the report, from its first bytes. Nothing in it is followed."""

from pathlib import Path

HEAD_BYTES = 512

# At which byte, what stands there, what that makes the file.
SIGNS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x30\x26\xb2\x75", "Windows Media, which is not read; convert it to FLAC"),
    (0, b"\x1a\x45\xdf\xa3", "Matroska or WebM, which is not read; convert it to FLAC"),
    (8, b"AVI ", "a video"),
    (0, b"\x00\x00\x01\xba", "a video"),
    (0, b"#EXTM3U", "a playlist"),
    (0, b"[playlist]", "a playlist"),
    (0, b"\x89PNG", "a picture"),
    (0, b"\xff\xd8\xff", "a picture"),
    (0, b"GIF8", "a picture"),
    (0, b"%PDF", "a PDF"),
    (0, b"PK\x03\x04", "an archive"),
    (0, b"\x1f\x8b", "an archive"),
    (0, b"MThd", "MIDI, notes without sound"),
)


def kind(path: Path) -> str:
    """Such as "a playlist", "text" or "unknown data". OSError if the file cannot be read."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    for at, sign, name in SIGNS:
        if head[at : at + len(sign)] == sign:
            return name
    if b"<html" in head.lower() or b"<!doctype" in head.lower():
        return "HTML"
    return "text" if _is_text(head) else "unknown data"


def _is_text(head: bytes) -> bool:
    whole_characters = head[: HEAD_BYTES - 3].decode("utf-8", "ignore")
    return b"\x00" not in head and len(whole_characters.encode()) >= len(head) - 6
