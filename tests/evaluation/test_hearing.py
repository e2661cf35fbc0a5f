"""What was heard stays heard; other settings begin again; threads and order change nothing."""

from pathlib import Path

import numpy as np
import pytest

from halfstep.data.synthetic import piece
from halfstep.evaluation.hearing import AT_ONCE, Hearing, Row, listen_to_all
from halfstep.evaluation.sounds import Sounds
from halfstep.metrics.judges.musicnn import musicnn


def row(asked: list[int], windows: int = AT_ONCE + 3) -> Row:
    def source(numbers: range) -> Sounds:
        asked.extend(numbers)
        return Sounds(np.stack([piece(1.2, k, 16000)[0] for k in numbers]))

    return Row(name="a row", kind="real", source=source, windows=windows)


def hearing(folder: Path, settings: dict) -> Hearing:
    return Hearing(folder / "work", listen_to_all(16000, musicnn()), settings)


def silent(done: float, of: float, word: str) -> None:
    """Nobody watches."""


def test_what_was_heard_is_read_back_and_a_missing_part_is_heard_again(tmp_path: Path):
    asked: list[int] = []
    first = hearing(tmp_path, {"seed": 1}).hear_all([row(asked)], silent, workers=2)["a row"]
    assert sorted(asked) == list(range(AT_ONCE + 3))
    asked.clear()
    again = hearing(tmp_path, {"seed": 1})
    same = again.hear_all([row(asked)], silent)["a row"]
    assert (asked, again.windows) == ([], 0)
    parts = sorted(tmp_path.glob("work/a-row/*.npz"))
    whole = parts[1].read_bytes()
    parts[1].unlink()
    (parts[0].parent / ".000000.7.partial.npz").write_bytes(b"killed while writing")
    mended = hearing(tmp_path, {"seed": 1}).hear_all([row(asked)], silent, workers=1)["a row"]
    assert asked == [AT_ONCE, AT_ONCE + 1, AT_ONCE + 2]
    assert not list(tmp_path.glob("work/a-row/.*partial*"))
    for other in (same, mended):
        np.testing.assert_array_equal(first.judged.embedding, other.judged.embedding)
        np.testing.assert_array_equal(first.judged.pitch, other.judged.pitch)
        np.testing.assert_array_equal(first.clips, other.clips)
    assert len(whole) == len(parts[1].read_bytes())


def test_other_settings_begin_again(tmp_path: Path):
    asked: list[int] = []
    hearing(tmp_path, {"seed": 1}).hear_all([row(asked, 2)], silent)
    hearing(tmp_path, {"seed": 2}).hear_all([row(asked, 2)], silent)
    assert asked == [0, 1, 0, 1]


def test_a_source_that_fails_says_so(tmp_path: Path):
    def source(numbers: range) -> Sounds:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        hearing(tmp_path, {}).hear_all([Row(name="x", kind="real", source=source, windows=2)], silent)
