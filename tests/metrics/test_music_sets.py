"""Figures of a set: means, medians, what is missing, intervals, and the reference for histograms alone."""

import numpy as np
import pytest

from halfstep.data.synthetic import piece
from halfstep.evaluation.figures import MUSIC_MEASURES
from halfstep.metrics.judge import Figure, change
from halfstep.metrics.music import music_figures
from halfstep.metrics.music_sets import FIGURES, HISTOGRAMS, Measured, judge_music, measure_music


def measured(n: int = 40, seed: int = 0, shift: float = 0.0) -> Measured:
    rng = np.random.default_rng(seed)
    intervals, durations = rng.multinomial(30, np.full(25, 1 / 25), n), rng.multinomial(10, np.full(12, 1 / 12), n)
    return Measured(
        rng.normal(shift, 1, (n, 7)), rng.uniform(-50, 50, n), intervals.astype(float), durations.astype(float)
    )


def width(figure: Figure) -> float:
    assert figure.low is not None and figure.high is not None
    return figure.high - figure.low


def test_every_figure_has_its_name_and_place_on_the_page():
    assert set(judge_music(measured(), measured(seed=1))) == set(FIGURES + HISTOGRAMS) == set(MUSIC_MEASURES)


def test_values_are_means_and_medians():
    its = measured()
    its.figures[:3, 0] = np.nan
    its.figures[0, 3] = 1e9
    result = judge_music(its, None)
    assert result["tuning"].value == pytest.approx(its.figures[3:, 0].mean())
    assert (result["tuning"].note or "").startswith("37 of 40 have any; A at 4")
    assert result["pulse"].value == pytest.approx(np.median(its.figures[:, 3]))
    assert result["held_share"].note is None


@pytest.mark.parametrize("n", [4, 5])
def test_the_median_of_few(n: int):
    its = measured(n)
    assert judge_music(its, None)["decay_db_per_second"].value == pytest.approx(np.median(its.figures[:, 4]))


def test_the_reference_pitch_is_said():
    """A quarter of a semitone up, said by what is tuned and not by what is not; 49 and -49 cents are neighbours."""
    its = measured(4)
    its.figures[:, 0] = 1, 1, 1, 0
    its.reference_cents[:] = 25, 20, 30, -20
    assert judge_music(its, None)["tuning"].note == "A at 446.4 Hz"
    its.reference_cents[:3] = 49, -49, 50
    assert judge_music(its, None)["tuning"].note == "A at 452.9 Hz"


def test_what_no_window_has_is_missing():
    its = measured()
    its.figures[:, 4] = np.nan
    its.durations[:] = 0
    result = judge_music(its, measured(seed=1))
    for name in ("decay_db_per_second", "durations"):
        assert np.isnan(result[name].value)
        assert result[name].low is None


def test_without_a_reference_nothing_is_compared():
    assert set(judge_music(measured(), None)) == set(FIGURES)


def test_histograms_that_differ_are_apart_and_alike_ones_are_near():
    other = measured(seed=1)
    other.intervals[:, :12] = 0
    assert judge_music(measured(), measured(seed=2))["intervals"].value < 0.1
    assert judge_music(other, measured(seed=2))["intervals"].value == pytest.approx(12 / 25, abs=0.05)


def test_intervals_have_the_width_of_the_standard_error():
    """Of 400 values of unit deviation: 2 x 1.96 / 20."""
    result = judge_music(measured(400), None, resamples=2000)["tuning"]
    assert width(result) == pytest.approx(0.196, rel=0.1)


def test_the_same_windows_changed_alike_are_clearly_changed():
    """A shift far below the spread of windows, but every window's."""
    before = judge_music(measured(), None)
    after = judge_music(measured(shift=0.1), None)
    moved = change(before["tuning"], after["tuning"])
    assert moved.value == pytest.approx(0.1)
    assert width(moved) < 1e-9


def test_the_same_seed_the_same_figures():
    assert judge_music(measured(), measured(seed=1), 3) == judge_music(measured(), measured(seed=1), 3)


def test_music_is_measured_window_by_window():
    samples = np.stack([piece(5, seed, 22050)[0] for seed in range(2)])
    both = measure_music(samples, 22050)
    alone = measure_music(samples[1:], 22050)
    np.testing.assert_array_equal(both.figures[1:], alone.figures)
    np.testing.assert_array_equal(both.intervals[1:], alone.intervals)
    assert both.figures[0, 0] == music_figures(samples[0], 22050)["tuning"]
    assert both.figures[0, 0] > 0.9
    assert both.durations.sum(1) == pytest.approx(5 * both.figures[:, 5])
