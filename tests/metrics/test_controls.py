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


def figures(values: dict[str, float], measure: str = "fad", spread: float = 0.3) -> dict[str, dict[str, Figure]]:
    """Every row alike uncertain, and together: what a resampling adds to one it adds to all, but for a tenth."""
    rng = np.random.default_rng(0)
    alike = rng.normal(0, spread, 200)
    own = {row: alike + rng.normal(0, spread / 10, 200) for row in values}
    return {row: {measure: Figure.of(v, own[row] - own[row].mean(), windows=9)} for row, v in values.items()}


GOOD = {
    HALVES: 0.2, "noise 40 dB": 1, "noise 30 dB": 3, "noise 20 dB": 9, "noise 10 dB": 20, "noise 0 dB": 40,
    "low-pass 16 kHz": 0.3, "low-pass 8 kHz": 0.1, "low-pass 4 kHz": 4, "low-pass 2 kHz": 12,
    "wrong instrument": 30, "white noise": 90, REPEATED: 60,
}  # fmt: skip


def test_a_measure_that_answers_as_it_should_passes_all():
    result = verdicts(figures(GOOD), {"fad": 0.3})
    assert len(result) == 6
    assert all(one.passed for one in result), result


@pytest.mark.parametrize(
    ("wrong", "control"),
    [
        ({"noise 20 dB": 1}, "noise 40 to 0 dB"),
        ({"low-pass 2 kHz": 0.1, "low-pass 4 kHz": 0.1}, "low-pass 16 to 2 kHz"),
        ({"white noise": 25}, "white noise worst"),
        ({"wrong instrument": 0.2}, "wrong instrument"),
        ({REPEATED: 0}, REPEATED),
        ({HALVES: 0.4, "low-pass 8 kHz": 0.4}, "real halves"),
    ],
)
def test_one_that_does_not_is_told_why(wrong: dict[str, float], control: str):
    failed = [one for one in verdicts(figures(GOOD | wrong), {"fad": 0.3}) if not one.passed]
    assert [one.control for one in failed] == [control]
    assert failed[0].why


def test_a_small_change_of_the_same_windows_is_seen_within_wide_intervals():
    """2.04 (1.5 to 2.6) and 1.9 (1.3 to 2.5) are apart if every window says so, and not if each row is by itself."""
    rows = {HALVES: 2.04, "low-pass 16 kHz": 2.04, "low-pass 8 kHz": 2.03, "low-pass 4 kHz": 2.0}
    noise = {f"noise {snr} dB": 2.04 - (40 - snr) / 50 for snr in (40, 30, 20, 10, 0)}
    values = {**rows, **noise, "low-pass 2 kHz": 1.9, "wrong instrument": 3, "white noise": 1, REPEATED: 1.2}
    of = figures(values, "pis")
    low, high = of[HALVES]["pis"].low, of[HALVES]["pis"].high
    assert low is not None and low < 1.9
    assert high is not None and high > 2.04
    assert [one.control for one in verdicts(of, {}) if one.passed is False] == []
    shuffled = {row: np.random.default_rng(k).normal(0, 0.3, 200) for k, row in enumerate(of)}
    apart = {row: {"pis": Figure.of(values[row], shuffled[row] - shuffled[row].mean(), windows=9)} for row in of}
    assert "low-pass 16 to 2 kHz" in [one.control for one in verdicts(apart, {}) if one.passed is False]


def test_what_a_measure_does_not_claim_is_not_asked_and_no_pass():
    not_asked = {one.control: one for one in verdicts(figures(GOOD, "pis"), {}) if one.passed is None}
    assert list(not_asked) == ["wrong instrument", "real halves"]
    assert all("without a reference" in one.why for one in not_asked.values())
