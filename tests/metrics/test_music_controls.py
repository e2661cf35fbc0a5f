"""Music spoilt on purpose, and the verdicts on what each measure says of it."""

import numpy as np
import pytest

from halfstep.data.synthetic import piece
from halfstep.metrics.controls import HALVES, REPEATED, SPOILT
from halfstep.metrics.judge import Figure
from halfstep.metrics.music import music_figures
from halfstep.metrics.music_controls import EXPECTED, FALLS, MUSIC_SPOILT, RISES, music_verdicts
from halfstep.metrics.music_sets import judge_music, measure_music

RATE = 22050
SAMPLES = np.stack([piece(5, seed, RATE)[0] for seed in range(6)])


@pytest.mark.parametrize("name", MUSIC_SPOILT)
def test_every_spoiler_is_a_function_of_the_window_alone(name: str):
    spoilt = MUSIC_SPOILT[name](SAMPLES, RATE, range(10, 16))
    assert spoilt.shape == SAMPLES.shape
    assert spoilt.dtype == np.float32
    np.testing.assert_array_equal(spoilt[2:3], MUSIC_SPOILT[name](SAMPLES[2:3], RATE, range(12, 13)))
    assert np.abs(spoilt - SAMPLES).max() > 0.01


def test_time_shuffled_keeps_every_sample_but_for_the_fades():
    spoilt = MUSIC_SPOILT["time-shuffled"](SAMPLES[:1], RATE, range(1))
    assert np.isin(spoilt, SAMPLES[0]).mean() > 0.9


def test_backwards_turns_decay_round_and_leaves_the_tuning():
    before = music_figures(SAMPLES[0], RATE)
    after = music_figures(MUSIC_SPOILT["backwards"](SAMPLES[:1], RATE, range(1))[0], RATE)
    assert before["decay_db_per_second"] == pytest.approx(-after["decay_db_per_second"], rel=0.1)
    assert before["decay_db_per_second"] < -5
    assert after["tuning"] == pytest.approx(before["tuning"], abs=0.01)


def test_detuned_is_off_by_what_it_says():
    """A tone of 440 Hz, half a second at a time anywhere from -50 to 50 cents."""
    tone = np.sin(2 * np.pi * 440 * np.arange(20 * RATE) / RATE).astype(np.float32)
    assert music_figures(MUSIC_SPOILT["detuned"](tone[None], RATE, range(1))[0], RATE)["tuning"] < 0.4


@pytest.mark.slow
def test_the_measures_pass_on_plucked_strings():
    """The synthetic pieces in two halves; of real music: docs/experiments/measures-of-music.md."""
    halves = np.stack([piece(5, 100 + seed, RATE)[0] for seed in range(12)])
    reference, other = measure_music(halves[0::2], RATE), halves[1::2]
    spoilt = {**MUSIC_SPOILT, "white noise": SPOILT["white noise"], "low-pass 4 kHz": SPOILT["low-pass 4 kHz"]}
    rows = {HALVES: other} | {name: spoil(other, RATE, range(6)) for name, spoil in spoilt.items()}
    rows[REPEATED] = np.repeat(np.resize(other[3, RATE : 2 * RATE], (1, other.shape[1])), 6, axis=0)
    figures = {name: judge_music(measure_music(its, RATE), reference) for name, its in rows.items()}
    failed = {(one.control, one.measure) for one in music_verdicts(figures) if not one.passed}
    # A second of one broken chord has all its pitch classes, and strings that ring for 1.5 s have few in 5 s anyway.
    assert failed <= {(REPEATED, "pitch_class_entropy")}, failed


def figure(value: float, around: np.ndarray | None = None) -> Figure:
    if not np.isfinite(value):
        return Figure(value=value, windows=9)
    return Figure.of(value, np.random.default_rng(0).normal(0, 0.001, 200) if around is None else around, 9)


def answers(scale: float = 1.5) -> dict[str, dict[str, Figure]]:
    """Every measure moves by `scale` times what it must, or stays still."""
    names = {one.measure for asked in EXPECTED.values() for one in asked}
    result = {row: {name: figure(1.0) for name in names} for row in (HALVES, *EXPECTED)}
    for row, asked in EXPECTED.items():
        for one in asked:
            moved = {FALLS: -1, RISES: 1}.get(one.does, 0) * scale * one.least
            result[row][one.measure] = figure(1 + moved)
    return result


def test_measures_that_answer_as_they_should_pass_all():
    assert all(one.passed for one in music_verdicts(answers()))


def test_measures_that_move_too_little_fail_all_but_those_that_stay():
    failed = {(one.control, one.measure) for one in music_verdicts(answers(0.5)) if not one.passed}
    assert failed == {
        (row, one.measure) for row, asked in EXPECTED.items() for one in asked if one.does in (FALLS, RISES)
    }


def test_one_that_should_stay_and_moves_is_told_why():
    result = answers()
    result["backwards"]["tuning"] = figure(0.9)
    (failed,) = [one for one in music_verdicts(result) if not one.passed]
    assert (failed.control, failed.measure) == ("backwards", "tuning")
    assert "should move by 0.02 at most" in failed.why


def test_a_move_within_chance_does_not_pass():
    result = answers()
    result["detuned"]["tuning"] = figure(0.5, np.random.default_rng(1).normal(0, 1, 200))
    (failed,) = [one for one in music_verdicts(result) if not one.passed]
    assert failed.why.endswith("by more than chance")


def test_what_is_no_longer_there_has_fallen_but_has_not_stayed():
    result = answers()
    result["wavering"]["held_share"] = result["backwards"]["held_share"] = figure(float("nan"))
    assert [one.control for one in music_verdicts(result) if not one.passed] == ["backwards"]


def test_what_the_music_never_had_proves_nothing():
    result = answers()
    result[HALVES]["decay_db_per_second"] = figure(float("nan"))
    failed = {one.control for one in music_verdicts(result) if not one.passed}
    assert failed == {"backwards", "low-pass 4 kHz"}
