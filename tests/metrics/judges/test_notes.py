"""The judges of notes: tones they never learned, at any level; what the card beside them says."""

import json

import numpy as np
import pytest

from halfstep.audio.chroma import hz_of
from halfstep.metrics.judges import FOLDER
from halfstep.metrics.judges.notes import MELS, levels_of, note_judge

SECOND = np.arange(16000) / 16000


def tone(pitch: int, harmonics: int = 6) -> np.ndarray:
    parts = [np.sin(2 * np.pi * k * hz_of(pitch) * SECOND) / k for k in range(1, harmonics + 1)]
    return (0.2 * np.sum(parts, axis=0)).astype(np.float32)


def test_a_tone_is_heard_at_its_pitch():
    """Tones of six harmonics come from no soundfont; a window of three seconds gives three answers."""
    judge = note_judge("pitch")
    pitches = range(40, 88, 4)
    said = judge.logits(np.stack([np.tile(tone(pitch), 3) for pitch in pitches])).argmax(-1)
    assert said.shape == (len(pitches), 3)
    right = np.array([int(name) for name in judge.classes])[said] == np.array(pitches)[:, None]
    assert right.mean() > 0.85


@pytest.mark.parametrize("name", ["pitch", "instrument"])
def test_level_changes_nothing(name: str):
    loud = tone(60)[None]
    judge = note_judge(name)
    np.testing.assert_allclose(judge.logits(loud), judge.logits(loud / 30), atol=2e-2)


def test_what_is_heard_lies_between_0_and_1_also_in_silence():
    mel = MELS["pitch"]
    for samples in (tone(50), np.zeros(16000, np.float32)):
        seen = levels_of(samples, mel)
        assert seen.shape == (mel.n_mels, 16)
        assert seen.min() >= 0
        assert seen.max() == 1


def test_one_window_alone_is_heard_as_among_others():
    """In training mode, where batch norm looks at the batch, it would not be."""
    windows = np.stack([tone(pitch) for pitch in (45, 52, 70)])
    for name in ("pitch", "instrument"):
        judge = note_judge(name)
        together = judge.logits(windows)
        alone = np.concatenate([judge.logits(window[None]) for window in windows])
        np.testing.assert_allclose(together, alone, atol=1e-4)


def test_the_card_says_how_often_they_are_right():
    """On soundfonts that were not learned from; the accuracy is that of the published confusion matrix."""
    cards = json.loads((FOLDER / "notes.json").read_text(encoding="utf-8"))
    for name, card in cards.items():
        assert tuple(card["classes"]) == note_judge(name).classes
        for kind, test in card["tests"].items():
            assert kind.partition(",")[0] not in card["learned_from"]
            confusion = np.array(test["confusion"])
            assert confusion.shape == (len(card["classes"]), len(card["classes"]))
            assert confusion.sum() == test["notes"]
            np.testing.assert_allclose(np.trace(confusion) / test["notes"], test["accuracy"], atol=1e-4)
            least = {"pitch": 0.95, "instrument": 0.85 if kind.endswith("as rendered") else 0.8}
            assert test["accuracy"] >= least[name]
            assert test.get("apart", test)["accuracy"] >= least[name]
