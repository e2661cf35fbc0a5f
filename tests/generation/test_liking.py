"""A style taken from a recording: windows of it, one after the other, as the model is given them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.audio.files.io import Audio
from halfstep.audio.timbre import KINDS
from halfstep.conditioning import LabelCondition, Likeness, NumberCondition
from halfstep.errors import InputError
from halfstep.generation.liking import cut

STYLES = LabelCondition(name="style", values=("low", "high"))
TILT = np.repeat([np.linspace(-1, 1, 8), np.zeros(8)], [1, KINDS - 1], axis=0).ravel()
"""Of the timbre of eight bands: how much of the level lies high."""
MEASURED = replace(STYLES, likeness=Likeness(weights=(tuple(-3 * TILT), tuple(3 * TILT)), bias=(0.0, 0.0)))


@pytest.mark.parametrize(
    ("frames", "expected"),
    [(100, [24, 24, 24, 24]), (107, [24] * 4), (108, [24] * 4 + [12]), (30, [24]), (7, [7]), (1, [])],
)
def test_windows_lie_one_after_the_other_however_the_frames_come(frames: int, expected: list[int]):
    bands = np.arange(frames, dtype=np.float32)[None]
    for size in (1, 5, 200):
        blocks = [bands[:, start : start + size] for start in range(0, frames, size)]
        windows = list(cut(blocks, 24))
        assert [window.shape[1] for window in windows] == expected
        if windows:
            np.testing.assert_array_equal(np.concatenate(windows, axis=1), bands[:, : sum(expected)])


def noise_around(hz: float, seconds: float = 2.0, rate: int = 8000) -> np.ndarray:
    """White noise within half an octave of hz."""
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(round(seconds * rate)))
    away = np.abs(np.log2(np.maximum(np.fft.rfftfreq(round(seconds * rate), 1 / rate), 1) / hz))
    return (0.1 * np.fft.irfft(spectrum * np.exp(-away))).astype(np.float32)[None]


def test_a_recording_has_most_of_the_style_that_it_is_of(tmp_path: Path, write_model: Callable[..., Path]):
    model = halfstep.load(write_model(tmp_path / "m", conditions=(MEASURED,)))
    low, high = noise_around(150), noise_around(3000)
    assert model.like(Audio(low, 8000)) == {"low": 1.0}
    for gain in (1, 0.01):  # no matter how loud, nor out of which channels
        assert model.like(Audio(np.concatenate([gain * high] * 2), 8000)) == {"high": 1.0}
    mixed = model.like(Audio(np.concatenate([low, high], axis=1), 8000))
    assert mixed["low"] == pytest.approx(0.5, abs=0.1)
    assert sum(mixed.values()) == pytest.approx(1)
    asked = model.generate(0.5, style=model.like(high[0])).samples
    np.testing.assert_array_equal(asked, model.generate(0.5, style="high").samples)


def test_a_model_that_cannot_say_so_is_named(tmp_path: Path, tiny_model: Path, write_model: Callable[..., Path]):
    take = Audio(noise_around(150), 8000)
    with pytest.raises(InputError, match=r"style: model tiny-gauss has no such control \(it has none\)"):
        halfstep.load(tiny_model).like(take)
    tempo = NumberCondition(name="tempo", values=(60.0, 120.0), unit="BPM")
    model = halfstep.load(write_model(tmp_path / "m", conditions=(STYLES, tempo)))
    with pytest.raises(InputError, match="style: the model does not know what its labels sound like; export it anew"):
        model.like(take)
    with pytest.raises(InputError, match="tempo: is a number from 60 to 120 BPM"):
        model.like(take, "tempo")
    short = replace(STYLES, likeness=Likeness(weights=((1.0,), (0.0,)), bias=(0.0, 0.0)))
    with pytest.raises(InputError, match="likeness of style has 1 weights a label, 32 were expected"):
        halfstep.load(write_model(tmp_path / "short", conditions=(short,))).like(take)
    measured = halfstep.load(write_model(tmp_path / "n", conditions=(MEASURED,)))
    with pytest.raises(InputError, match=r"the recording: 0.000 s long, too short to sound like anything"):
        measured.like(Audio(np.ones((1, 1), np.float32), 8000))
