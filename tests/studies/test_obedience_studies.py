"""The judges of what is asked, by known answers: music that is known to obey, and to leave its style half-way."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from halfstep.audio.files.io import Audio
from halfstep.conditioning import LabelCondition, NumberCondition
from halfstep.runs.likeness import discriminant

STUDIES = Path(__file__).parents[2] / "studies"
RATE = 22050
SECONDS = 4


@pytest.fixture(autouse=True)
def on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(STUDIES)


def chord(*pitches: int, level: float = 0.1) -> np.ndarray:
    t = np.arange(SECONDS * RATE) / RATE
    tones = [np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * t) for pitch in pitches]
    return (level * np.sum(tones, axis=0)).astype(np.float32)


def obeying(**asked: Any) -> list[np.ndarray]:
    """Two pieces: of a key its tonic chord, of a level a tone so loud."""
    if "key" in asked:
        root = {"C": 60, "Eb": 63, "F#": 66}[asked["key"]]
        return [chord(root, root + 4, root + 7)] * 2
    return [chord(81, level=10 ** (asked["loudness_like"] / 20))] * 2


def test_music_in_its_key_is_said_to_be_in_it(capsys: pytest.CaptureFixture[str]):
    from obeyed import best_key, classes_of, curve_of_keys, on_scale

    classes = classes_of(chord(60, 64, 67), RATE)
    assert best_key(classes, ("C", "F#", "Am")) == "C"
    assert on_scale(classes, "C") > on_scale(classes, "F#") + 0.5
    assert on_scale(np.full(12, 1 / 12), "F#m") == pytest.approx(7 / 12)
    keys = LabelCondition(name="key", values=("C", "Eb", "F#"))
    curve_of_keys(keys, obeying, [chord(60, 64, 67)], RATE)
    said = capsys.readouterr().out
    assert "key (6, 3 keys): best of 24 1.00, of those known 1.00 (nothing asked 0.33)" in said


def test_a_level_that_is_obeyed_has_a_slope_of_one(capsys: pytest.CaptureFixture[str]):
    from obeyed import curve_of_numbers

    levels = NumberCondition(name="loudness_like", values=(-40.0, -30.0, -20.0), unit="LUFS")
    curve_of_numbers(levels, obeying, obeying(loudness_like=-25), RATE)
    assert "loudness_like: correlation 1.00, slope 1.00; nothing asked -28" in capsys.readouterr().out


def test_onsets_are_counted():
    from obeyed import density

    clicks = np.zeros(8 * RATE, np.float32)
    clicks[RATE // 4 :: RATE // 2] = 1.0
    assert density(clicks, RATE) == pytest.approx(2, abs=0.25)


def of_kind(kind: str, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(SECONDS * RATE)).astype(np.float32) if kind == "noise" else chord(60 + seed)


@pytest.fixture(scope="module")
def clips() -> Callable[[str], list[np.ndarray]]:
    def of(kind: str) -> list[np.ndarray]:
        from held_style import embedded

        return [embedded(of_kind(kind, seed), RATE) for seed in range(6)]

    return of


def test_where_a_stream_leaves_its_style_is_seen(clips: Callable[[str], list[np.ndarray]]):
    from held_style import Judge, clips_of_stream

    styles = ("noise", "tones")
    judge = Judge(styles, discriminant([np.stack(clips(style)[:4]) for style in styles]))
    assert judge.judged(clips("noise")[4:]).tolist() == [0, 0]
    assert judge.judged(clips("tones")[4:]).tolist() == [1, 1]

    def stream(style: str, **_: object):
        for k in count():
            yield Audio(of_kind(style if k < 3 else "noise", k)[None], RATE)

    model: Any = SimpleNamespace(stream=stream, sample_rate=RATE)
    heard = clips_of_stream(model, "tones", minutes=0.1, every=1.0, seed=0, steps=None)
    assert judge.judged(heard).tolist() == [1, 1, 1, 0, 0, 0]
