"""Spoilt music, and the verdicts: a measure that answers as it should passes, one that does not is told why."""

import numpy as np
import pytest

from halfstep.data.synthetic import piece
from halfstep.metrics.controls import HALVES, REPEATED, SPOILT, noisy, verdicts
from halfstep.metrics.judge import Figure

SAMPLES = np.stack([piece(1, seed)[0] for seed in range(4)])


@pytest.mark.parametrize("name", SPOILT)
def test_every_spoiler_is_a_function_of_the_window_alone(name: str):
    spoilt = SPOILT[name](SAMPLES, 44100, range(10, 14))
    assert spoilt.shape == SAMPLES.shape
    assert spoilt.dtype == np.float32
    np.testing.assert_array_equal(spoilt[2:3], SPOILT[name](SAMPLES[2:3], 44100, range(12, 13)))
    assert np.abs(spoilt - SAMPLES).max() > 1e-5


def test_noise_has_the_level_it_says():
    added = noisy(20)(SAMPLES, 44100, range(4)) - SAMPLES
    decibels = 20 * np.log10(SAMPLES.std(1) / added.std(1))
    np.testing.assert_allclose(decibels, 20, atol=0.1)


def test_low_pass_takes_what_is_above_and_leaves_what_is_below():
    low = SPOILT["low-pass 2 kHz"](SAMPLES, 44100, range(4))
    hz = np.fft.rfftfreq(44100, 1 / 44100)
    before, after = (np.abs(np.fft.rfft(part)) for part in (SAMPLES, low))
    np.testing.assert_allclose(after[:, hz <= 2000], before[:, hz <= 2000], atol=1e-2)
    assert after[:, hz > 2000].max() < 1e-2


def figures(values: dict[str, float]) -> dict[str, dict[str, Figure]]:
    return {row: {"fad": Figure(value=v, low=v - 0.5, high=v + 0.5, windows=9)} for row, v in values.items()}


GOOD = {
    HALVES: 0.2, "noise 40 dB": 1, "noise 30 dB": 3, "noise 20 dB": 9, "noise 10 dB": 20, "noise 0 dB": 40,
    "low-pass 16 kHz": 0.3, "low-pass 8 kHz": 0.1, "low-pass 4 kHz": 4, "low-pass 2 kHz": 12,
    "wrong instrument": 30, "white noise": 90, REPEATED: 60,
}  # fmt: skip


def test_a_measure_that_answers_as_it_should_passes_all():
    found = verdicts(figures(GOOD))
    assert len(found) == 6
    assert all(one.passed for one in found), found


@pytest.mark.parametrize(
    ("wrong", "control"),
    [
        ({"noise 20 dB": 1}, "noise 40 to 0 dB"),
        ({"low-pass 2 kHz": 0.5, "low-pass 4 kHz": 0.4}, "low-pass 16 to 2 kHz"),
        ({"white noise": 50}, "white noise worst"),
        ({"wrong instrument": 0.3}, "wrong instrument"),
        ({REPEATED: 0}, REPEATED),
        ({HALVES: 7, "noise 40 dB": 7, "noise 30 dB": 7, "low-pass 16 kHz": 8, "low-pass 8 kHz": 8,
          "low-pass 4 kHz": 8}, "real halves"),
    ],
)  # fmt: skip
def test_one_that_does_not_is_told_why(wrong: dict[str, float], control: str):
    failed = [one for one in verdicts(figures(GOOD | wrong)) if not one.passed]
    assert [one.control for one in failed] == [control]
    assert failed[0].why
