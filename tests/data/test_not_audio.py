import pytest

from halfstep.data.not_audio import SIGNS, kind


@pytest.mark.parametrize(("at", "sign", "name"), SIGNS)
def test_known_signs(tmp_path, at, sign, name):
    (tmp_path / "x").write_bytes(b"\x01" * at + sign + bytes(300))
    assert kind(tmp_path / "x") == name


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"plain words", "text"),
        ("Übung, déjà vu, 音楽".encode() * 40, "text"),
        ("x" * 511 + "é", "text"),
        (b"\n\n<HTML><body>", "HTML"),
        (b"<!doctype html>", "HTML"),
        (b"\x00\x01\x02", "unknown data"),
        (bytes(range(128, 256)) * 4, "unknown data"),
    ],
)
def test_text_pages_and_the_rest(tmp_path, content, name):
    path = tmp_path / "x"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert kind(path) == name
