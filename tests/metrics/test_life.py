"""Long-range life against music whose drift, repetitions and silences are put there."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halfstep.data.synthetic import piece
from halfstep.metrics.life import Life, LongestRun, life

RATE = 16000
NOISE = (0.1 * np.random.default_rng(0).standard_normal(60 * RATE)).astype(np.float32)
MUSIC = piece(60, seed=1, sample_rate=RATE)[0]
MINUTES = np.arange(len(NOISE)) / RATE / 60


def of(samples: np.ndarray) -> Life:
    return life([samples.astype(np.float32)], RATE)


@pytest.mark.parametrize("slope_db", [-20.0, 0.0, 1.0])
def test_loudness_slope_of_a_ramp(slope_db: float):
    result = of(NOISE * 10 ** (slope_db * MINUTES / 20))
    assert result.loudness_slope_db == pytest.approx(slope_db, abs=0.05)
    assert result.centroid_slope_cents == pytest.approx(0, abs=2)
    assert result.repeated_share == 0  # noise repeats nothing, nor does a fade


@pytest.mark.parametrize("cents", [-600.0, 100.0])
def test_centroid_slope_of_a_glide(cents: float):
    hz = 1000 * 2 ** (cents * MINUTES / 1200)
    result = of(0.5 * np.sin(2 * np.pi * np.cumsum(hz) / RATE))
    assert result.centroid_slope_cents == pytest.approx(cents, rel=0.02)


def test_drift_is_the_slope_over_the_whole_length():
    result = Life(
        seconds=90,
        loudness_slope_db=2,
        centroid_slope_cents=-40,
        repeated_share=0,
        longest_silence_seconds=0,
        longest_zeros_seconds=0,
    )
    assert (result.loudness_drift_db, result.centroid_drift_cents) == (3, -60)


def test_pauses_change_no_slope():
    """Silence is gated: a piece with a rest in its second half does not fade."""
    samples = NOISE.copy()
    samples[40 * RATE : 45 * RATE] = 0
    assert of(samples).loudness_slope_db == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize(("offset", "gain"), [(0, 1.0), (3777, 1.0), (1234, 0.5)])
def test_a_repeated_passage_is_found(offset: int, gain: float):
    """Three seconds twice, anywhere, at any level: of the windows, two a second, one to three in either copy."""
    samples = MUSIC.copy()
    samples[40 * RATE + offset : 43 * RATE + offset] = gain * samples[11 * RATE : 14 * RATE]
    assert of(MUSIC).repeated_share == 0
    assert 2 / 117 <= of(samples).repeated_share <= 6 / 117


def test_music_of_one_loop_repeats_all_the_time():
    assert of(np.tile(MUSIC[: 5 * RATE], 8)).repeated_share > 0.9


def test_a_stream_that_freezes_repeats():
    """A chord held to the end, and one held from the beginning."""
    time = np.arange(60 * RATE) / RATE
    chord = 0.1 * np.sin(2 * np.pi * np.array([[220], [277], [330]]) * time).sum(0)
    assert of(chord).repeated_share > 0.95
    samples = NOISE.copy()
    samples[30 * RATE :] = chord[30 * RATE :]
    assert 0.4 < of(samples).repeated_share < 0.55


def test_silence_and_zeros_are_timed_to_the_sample():
    samples = np.where(np.abs(NOISE) < 2e-3, np.float32(2e-3), NOISE)[: 20 * RATE]
    assert of(samples).longest_silence_seconds == 0
    samples[5 * RATE : 6 * RATE] = 0
    samples[12 * RATE : 15 * RATE] = 5e-4 * np.sign(NOISE[12 * RATE : 15 * RATE])
    result = of(samples)
    assert result.longest_zeros_seconds == 1
    assert result.longest_silence_seconds == 3


def test_one_channel_alone_is_no_silence():
    left, right = NOISE[: 10 * RATE], np.zeros(10 * RATE, np.float32)
    result = life([np.stack([left, right])], RATE)
    assert result.longest_zeros_seconds < 0.01
    assert result.loudness_slope_db == pytest.approx(of(left / 2).loudness_slope_db, abs=1e-6)


def test_an_empty_stream_has_no_slope():
    result = of(np.zeros(10 * RATE))
    assert np.isnan(result.loudness_slope_db) and np.isnan(result.centroid_slope_cents)
    assert (result.repeated_share, result.longest_silence_seconds, result.longest_zeros_seconds) == (0, 10, 10)


def test_how_the_stream_is_split_changes_nothing():
    music = piece(20, seed=2, sample_rate=RATE)
    whole = life([music], RATE)
    places = np.sort(np.random.default_rng(0).integers(0, music.shape[1], 40))
    split = life(np.split(music, places, axis=1), RATE)
    assert split.seconds == whole.seconds == 20
    assert split.loudness_slope_db == pytest.approx(whole.loudness_slope_db, abs=1e-4)
    assert split.centroid_slope_cents == pytest.approx(whole.centroid_slope_cents, abs=1e-2)
    assert split.repeated_share == whole.repeated_share
    assert split.longest_silence_seconds == whole.longest_silence_seconds


@given(st.lists(st.lists(st.booleans(), max_size=9), max_size=9))
def test_the_longest_run_of_any_blocks(blocks: list[list[bool]]):
    run = LongestRun()
    for block in blocks:
        run.push(np.array(block, bool))
    text = "".join("1" if value else "0" for block in blocks for value in block)
    assert run.longest == max(map(len, text.split("0")))


def test_less_than_two_blocks_are_refused():
    with pytest.raises(ValueError, match=r"5\.000 s of music: at least 6 s"):
        of(NOISE[: 5 * RATE])
