"""Statistics of notes that are counted by hand."""

import numpy as np
import pytest

from halfstep.metrics.judges.transcriber import Notes
from halfstep.metrics.note_statistics import DURATION_EDGES, histogram_distance, note_statistics


def notes(*rows: tuple[float, float, int]) -> Notes:
    onset, duration, key = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 3
    return Notes(onset=onset, duration=duration, key=key.astype(int))


def test_notes_a_second_and_polyphony():
    """2 s of one note, of which another sounds for .5 s, then a rest: 2.5 note-seconds in 2 s with sound."""
    result = note_statistics(notes((0, 2, 60), (1, 0.5, 64), (5, 1, 60)), 10)
    assert result.notes_per_second == 0.3
    assert result.polyphony == pytest.approx(3.5 / 3)


def test_a_chord_of_three_is_three():
    assert note_statistics(notes((0, 1, 60), (0, 1, 64), (0, 1, 67)), 1).polyphony == pytest.approx(3)


def test_one_note_after_another_is_one():
    assert note_statistics(notes(*((k / 2, 0.5, 60 + k) for k in range(9))), 5).polyphony == pytest.approx(1)


def test_intervals_are_between_all_neighbours_within_a_second():
    result = note_statistics(notes((0, 1, 60), (0, 1, 64), (0.8, 1, 67), (2.5, 1, 60)), 4).intervals
    expected = np.zeros(25)
    expected[[4, 7, 3]] = 1
    np.testing.assert_array_equal(result, expected)


def test_wider_intervals_than_two_octaves_are_left_out():
    result = note_statistics(notes((0, 1, 40), (0, 1, 64), (0.1, 1, 90)), 4).intervals
    assert result[24] == result.sum() == 1


def test_durations_fall_into_their_classes():
    result = note_statistics(notes((0, 0.05, 60), (1, 0.3, 60), (2, 0.3, 61), (3, 9.0, 60)), 4).durations
    expected = np.zeros(len(DURATION_EDGES) + 1)
    expected[[0, 4, 11]] = 1, 2, 1
    np.testing.assert_array_equal(result, expected)


def test_no_notes():
    result = note_statistics(notes(), 10)
    assert result.notes_per_second == result.intervals.sum() == result.durations.sum() == 0
    assert np.isnan(result.polyphony)


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [([1, 1], [2, 2], 0), ([1, 0], [0, 3], 1), ([1, 1, 0, 0], [1, 0, 1, 0], 0.5), ([3, 1], [1, 1], 0.25)],
)
def test_distance_is_the_share_that_would_have_to_be_others(a, b, distance):
    assert histogram_distance(np.array(a, float), np.array(b, float)) == pytest.approx(distance)
    assert histogram_distance(np.array(b, float), np.array(a, float)) == pytest.approx(distance)


def test_an_empty_histogram_has_no_distance():
    assert np.isnan(histogram_distance(np.zeros(3), np.ones(3)))
