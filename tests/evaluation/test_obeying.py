"""What a report asks of a model: all its music is made so, and what is obtained stands beside it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.files.io import Audio, read
from halfstep.audio.files.writing import write
from halfstep.bundle import load_folder
from halfstep.conditioning import Asked, LabelCondition, NumberCondition
from halfstep.data import synthetic
from halfstep.errors import InputError
from halfstep.evaluation import obeying
from halfstep.evaluation.report import _asked_line, _asked_table
from halfstep.evaluation.subject import open_subject
from halfstep.generation.guiding import guide_for, guide_of
from halfstep.generation.model import Model
from halfstep.generation.requests import Piece

CONTROLS = (
    LabelCondition(name="style", values=("soft", "loud")),
    LabelCondition(name="key", values=("C", "Am")),
    NumberCondition(name="loudness_like", values=(-60.0, -10.0), unit="LUFS"),
)


@pytest.fixture(scope="module")
def controlled(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """The more is asked, the louder its noise."""
    return write_model(tmp_path_factory.mktemp("obeying") / "controlled", id="controlled", conditions=CONTROLS)


def test_windows_and_streams_are_made_as_asked(controlled: Path, tmp_path: Path):
    def levels(asked: Mapping[str, str]) -> tuple[float, float]:
        with open_subject(str(controlled), tmp_path, (), asked) as subject:
            row = next(subject.rows(2, 0, subject.vocoder))
            window = row.source(range(2)).log_mel
            assert window is not None
            return float(window.mean()), float(next(subject.mels(0, 1)).mean())

    plain, style = levels({}), levels({"style": "loud"})
    assert plain == levels({})
    assert style != pytest.approx(plain, abs=0.1)
    assert np.sign(style[0] - plain[0]) == np.sign(style[1] - plain[1])


def test_a_tempo_leads_windows_as_it_leads_streams(tmp_path: Path, write_model: Callable[..., Path]):
    guided = write_model(tmp_path / "guided", id="guided", guide="rhythm")

    def made(asked: Mapping[str, str]) -> tuple[np.ndarray, np.ndarray]:
        with open_subject(str(guided), tmp_path, (), asked) as subject:
            window = next(subject.rows(1, 0, subject.vocoder)).source(range(1)).log_mel
            assert window is not None
            return window, next(subject.mels(0, 1))

    for free, at_tempo in zip(made({}), made({"tempo": "180"}), strict=True):
        assert np.abs(free - at_tempo).max() > 1e-4


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"tempo": "90"}, r"tempo: model controlled has no such control \(it has style, key, loudness_like\)"),
        ({"style": "glad"}, "style 'glad': not known; it is of soft, loud"),
        ({"style": "soft..loud"}, r"style soft..loud: a report is of one thing; leave `..` out"),
    ],
)
def test_what_cannot_be_asked_is_named_before_any_work(
    controlled: Path, tmp_path: Path, asked: dict[str, str], said: str
):
    with pytest.raises(InputError, match=said), open_subject(str(controlled), tmp_path, (), asked):
        pass


def test_what_is_obtained_stands_beside_what_was_asked(controlled: Path, monkeypatch: pytest.MonkeyPatch):
    """Of three pieces: one without sound counts for no number; the key is right in one of three."""
    made: list[tuple[int, Mapping[str, Asked]]] = []

    def play(self: Model, piece: Piece) -> Audio:
        made.append((piece.seed, piece.asked))
        return Audio(np.full((1, 100), piece.seed, np.float32), 8000)

    monkeypatch.setattr(Model, "play", play)
    monkeypatch.setattr(obeying, "PIECES", 3)
    monkeypatch.setattr(obeying, "NUMBERS", {"loudness_like": lambda one, rate: -np.inf if one[0] == 4 else -one[0]})
    monkeypatch.setattr(obeying, "LABELS", {"key": lambda one, rate: "Am" if one[0] == 5 else "C"})
    asked = {"style": "loud", "key": "Am:3,C", "loudness_like": "-20"}
    with open_subject(str(controlled), Path(), (), asked) as subject:
        rows = obeying.obeying(subject.model, subject.asked, None, seed=4)
    assert made == [(4, asked), (5, asked), (6, asked), (4, {}), (5, {}), (6, {})]
    assert [(row["control"], row["obtained"], row["pieces"]) for row in rows] == [
        ("style", None, 3), ("key", pytest.approx(1 / 3), 3), ("loudness_like", -5.5, 3),
    ]  # fmt: skip
    report = {"asked": rows}
    assert _asked_line(report) == " Asked of the model: style loud, key Am:3,C, loudness like -20."
    assert _asked_table(report)[1] == [
        ["style", "loud", "-", "-", "share of pieces", "3"],
        ["key", "Am:3,C", "0.33", "0.33", "share of pieces", "3"],
        ["loudness_like", "-20", "-5.50", "-5.50", "LUFS", "3"],
    ]
    assert _asked_line({}) == ""


def test_how_well_a_guide_is_followed_stands_beside_music_that_nothing_led(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write_model: Callable[..., Path]
):
    """By pieces that are the guide itself, over and over, and others that are noise."""
    model = Model(load_folder(write_model(tmp_path / "guided", id="guided", guide="both")))
    take = tmp_path / "take.wav"
    write(take, [synthetic.piece(7, 3, 8000)], 8000, {}, "FLOAT")
    sound, rng = read(take).samples, np.random.default_rng(0)

    def play(self: Model, piece: Piece) -> Audio:
        noise = rng.standard_normal((1, 96_000), np.float32)
        return Audio(noise if piece.guide is None else np.resize(sound, (1, 96_000)), 8000)

    monkeypatch.setattr(Model, "play", play)
    monkeypatch.setattr(obeying, "PIECES", 2)
    rows = obeying.obeying(model, {}, take, 0)
    assert [(row["control"], row["asked"]) for row in rows] == [
        ("guide: chords", "take.wav"), ("guide: rhythm", "take.wav"),
    ]  # fmt: skip
    for row in rows:
        assert row["obtained"] == pytest.approx(1)
        assert abs(row["nothing_asked"]) < 0.2
    assert _asked_line({"asked": rows}) == " Asked of the model: guide: chords take.wav, guide: rhythm take.wav."
    with pytest.raises(InputError, match="tempo: the guide has a tempo of its own"):
        guide_for(Piece(seconds=1, asked={"tempo": "90"}, guide=take), model.manifest)
    with pytest.raises(InputError, match="guide: model controlled follows none"):
        guide_of(take, replace(model.manifest, id="controlled", guide="none"))
