"""What was heard stays heard; other settings begin again; threads and order change nothing."""

from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.mel import MelConfig
from halfstep.data.synthetic import piece
from halfstep.evaluation.facts import stream_facts
from halfstep.evaluation.figures import STEREO_MEASURES, table
from halfstep.evaluation.hearing import AT_ONCE, Hearing, Row, listen_to_all, listen_to_music
from halfstep.evaluation.page import figures_table
from halfstep.evaluation.pictures import player_address, spectrogram
from halfstep.evaluation.real import REFERENCE, REFERENCE_NAME
from halfstep.evaluation.settings import Options
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


def test_pairs_are_heard_by_their_mid_and_have_an_image_besides(tmp_path: Path):
    """Twelve decibels to the left, against music in the middle: so it stands in the table of streams."""
    mono = np.stack([piece(3.0, k, 16000)[0] for k in range(2)])

    def wide(left: float, right: float) -> Sounds:
        return Sounds(np.stack([left * mono, right * mono], axis=1).astype(np.float32))

    gain = 10 ** (12 / 20)
    sources = {REFERENCE_NAME: wide(1, 1), "left": wide(2 * gain / (1 + gain), 2 / (1 + gain)), "mono": Sounds(mono)}
    rows = [
        Row(
            name=name,
            kind=REFERENCE if name == REFERENCE_NAME else "real",
            source=lambda _, sounds=sounds: sounds,
            windows=2,
        )
        for name, sounds in sources.items()
    ]
    judged = Hearing(tmp_path / "work", listen_to_music(16000), {}).hear_all(rows, silent, workers=1)
    np.testing.assert_allclose(judged["left"].music.figures, judged["mono"].music.figures, rtol=1e-3)
    assert judged["mono"].stereo is None
    options = Options(data=tmp_path, out=tmp_path)
    left, plain = stream_facts(rows, judged, options)
    assert left["figures"]["level_difference_db"]["value"] == pytest.approx(12, abs=0.01)
    assert left["figures"]["coherence"]["value"] == pytest.approx(1, abs=0.01)
    assert left["figures"]["level_distance_db"]["value"] == pytest.approx(12, abs=1)
    assert not plain["figures"].keys() & STEREO_MEASURES.keys()
    assert "level moved dB" in table([left])
    assert "level moved dB" not in table([plain])
    assert "level moved dB" in figures_table([left])
    assert player_address(judged["left"].clips[0], 16000).startswith("data:audio/mpeg")
    assert spectrogram(judged["left"].clips[0], MelConfig(sample_rate=16000)).startswith(b"\x89PNG")
