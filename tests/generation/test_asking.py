"""What is asked of a model reaches every window of a piece: by a network that shifts its music by what it is asked."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import halfstep
from halfstep.audio.files.io import Audio
from halfstep.conditioning import Asked, LabelCondition
from halfstep.errors import InputError
from halfstep.generation.canvas import mel_stream
from halfstep.generation.model import Model
from halfstep.generation.requests import Piece

STYLES = LabelCondition(name="style", values=("one", "two"))
FRAMES = 240


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Model:
    return halfstep.load(write_model(tmp_path_factory.mktemp("asked") / "styles", conditions=(STYLES,)))


def levels(model: Model, asked: Mapping[str, Asked], seconds: float = 2.0) -> np.ndarray:
    """Mean of each frame, standardised, over that of the same piece which is asked nothing."""

    def mels(asked: Mapping[str, Asked]) -> np.ndarray:
        piece = Piece(seconds=seconds, asked=asked)
        stream, parts = mel_stream(model.engine.sampler_of(piece), model.engine.canvas(piece)), []
        while sum(part.shape[1] for part in parts) < FRAMES:
            parts.append(next(stream))
        return np.concatenate(parts, axis=1)[:, :FRAMES]

    return (mels(asked) - mels({})).mean(0) / 0.5


def test_every_window_has_what_is_asked_in_its_share(model: Model):
    one, two = levels(model, {"style": "one"}), levels(model, {"style": "two"})
    assert one.min() > 0.5
    np.testing.assert_allclose(two, 2 * one, rtol=1e-3)  # the network is linear, and the first value counts once
    np.testing.assert_allclose(levels(model, {"style": "one:1,two:3"}), 1.75 * one, rtol=1e-3)


def test_a_drift_begins_with_the_one_and_ends_with_the_other(model: Model):
    one, drifting = levels(model, {"style": "one"}), levels(model, {"style": "one..two"}, FRAMES * 64 / 8000)
    shares = drifting / one
    assert shares[:12].mean() < 1.15
    assert shares[-8:].mean() > 1.85
    assert np.all(np.diff([part.mean() for part in np.array_split(shares, 10)]) > 0)


def test_all_kinds_of_music_are_asked_and_a_stream_is_as_its_piece(model: Model):
    take = Audio(0.1 * np.sin(np.arange(8000) / 5)[None].astype(np.float32), 8000)
    plain, asked = dict[str, Any](), dict[str, Any](style="two")
    kinds: tuple[dict[str, Any], ...] = (
        {},
        {"loop": True},
        {"context": take},
        {"context": take, "loop": True},
        {"context": take, "into": take},
    )
    for kind in kinds:
        made = [model.generate(0.5, **kind, **one).samples for one in (plain, asked)]
        assert made[0].shape == made[1].shape
        assert np.abs(made[0] - made[1]).max() > 1e-3
    mended = [model.mend(take, 0.4, 0.6, **one).samples for one in (plain, asked)]
    assert np.abs(mended[0] - mended[1]).max() > 1e-3
    streamed = model.stream(block_seconds=0.5, over_seconds=0.5, style="one..two")
    np.testing.assert_array_equal(next(streamed).samples, model.generate(0.5, style="one..two").samples)
    later = model.stream(block_seconds=0.1, over_seconds=0.5, start=2.0, style="one..two")
    assert np.isfinite(next(later).samples).all()


def test_nothing_asked_is_the_music_of_a_model_without_conditions(model: Model, tiny_model: Path):
    own = halfstep.load(tiny_model).generate(0.5, seed=3).samples
    np.testing.assert_array_equal(model.generate(0.5, seed=3).samples, own)


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"style": "three"}, "style 'three': not known"), ({"mood": "x"}, r"mood: model tiny-gauss has no such control")],
)
def test_what_the_model_has_not_is_said_before_any_music(model: Model, asked: dict[str, Any], said: str):
    for loop in (False, True):
        with pytest.raises(InputError, match=said):
            model.generate(1, loop=loop, **asked)
    with pytest.raises(InputError, match="cannot drift"):
        model.generate(1, loop=True, style="one..two")
    with pytest.raises(InputError, match=said):
        model.stream(**asked)
