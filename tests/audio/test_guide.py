"""What a guide says of sound whose chords and onsets are known."""

import numpy as np
import pytest
from pitched_bands import PITCH

from halfstep.audio.files.midi import Note
from halfstep.audio.guide import (
    BOTH,
    CHORDS,
    GUIDE_KINDS,
    GUIDES,
    RHYTHM,
    chords,
    from_plan,
    guide_rows,
    guide_values,
    kind_rows,
    measured_guide,
    plan_mean_std,
    rhythm,
    to_plan,
)
from halfstep.audio.mel import log_mel
from halfstep.audio.tones import tones

C, E, G = 3, 7, 10
"""Counted from A."""


def bands(*notes: Note, seconds: float = 3.0) -> np.ndarray:
    return log_mel(np.concatenate(list(tones(notes, seconds, PITCH.sample_rate))), PITCH)


def note(pitch: int, start: float, end: float, velocity: int = 90, *, drum: bool = False) -> Note:
    return Note(start=start, end=end, pitch=pitch, velocity=velocity, drum=drum)


def at(rows: np.ndarray, seconds: float) -> np.ndarray:
    return rows[:, round(seconds * PITCH.frames_per_second)]


def test_a_c_major_chord_is_c_e_and_g_while_it_sounds_and_nothing_else_is():
    rows = chords(bands(*(note(pitch, 0.6, 2.0) for pitch in (60, 64, 67))), PITCH)
    held = at(rows, 1.3)
    assert set(np.argsort(held)[-3:]) == {C, E, G}
    assert held[[C, E, G]].min() > 0.8
    assert np.delete(held, [C, E, G]).max() < 0.25
    assert not at(rows, 0.1).any()
    assert not at(rows, 2.8).any()


def test_the_same_chord_elsewhere_and_softer_is_the_same():
    """Two octaves wide, a hundredth as loud."""
    chord = chords(bands(*(note(pitch, 0.5, 2.0) for pitch in (48, 64, 79))) - np.float32(np.log(100)), PITCH)
    assert set(np.argsort(at(chord, 1.2))[-3:]) == {C, E, G}


def test_a_chord_changes_within_half_a_second():
    rows = chords(bands(note(60, 0.0, 1.5), note(66, 1.5, 3.0)), PITCH)
    before, after = at(rows, 1.2), at(rows, 1.8)
    assert (int(np.argmax(before)), int(np.argmax(after))) == (C, 9)
    assert max(before[9], after[C]) < 0.1


@pytest.mark.parametrize(("drum", "row"), [(36, 0), (42, 2)])
def test_clicks_are_onsets_at_their_times_in_their_group(drum: int, row: int):
    times = (0.5, 1.0, 1.75, 2.25)
    rows = rhythm(bands(*(note(drum, t, t + 0.1, drum=True) for t in times)), PITCH)
    strong = np.flatnonzero(rows[row] > 0.4) / PITCH.frames_per_second
    window = PITCH.window / PITCH.sample_rate
    for time in times:
        assert np.abs(strong - time).min() < window
    assert all(min(abs(one - time) for time in times) < window for one in strong)


def test_where_nothing_sets_in_there_is_no_rhythm():
    assert not rhythm(np.full((96, 50), -3, np.float32), PITCH).any()


def test_rows_are_those_of_its_kinds_and_say_which_are_given():
    sound = bands(note(60, 0.5, 2.0))
    for guide, kinds in GUIDES.items():
        assert guide_rows(guide) == sum(GUIDE_KINDS[kind].values + 1 for kind in kinds)
    rows = measured_guide(BOTH, {RHYTHM: sound}, PITCH)
    of_chords, of_rhythm = kind_rows(BOTH)
    assert not rows[of_chords].any()
    np.testing.assert_array_equal(rows[of_rhythm], measured_guide(RHYTHM, {RHYTHM: sound}, PITCH))
    assert (rows[of_rhythm][-1] == 1).all()
    np.testing.assert_array_equal(measured_guide(CHORDS, {CHORDS: sound}, PITCH)[:-1], chords(sound, PITCH))


@pytest.mark.parametrize("guide", [CHORDS, RHYTHM, BOTH])
def test_what_is_planned_comes_back_as_it_was(guide: str):
    sound = bands(*(note(pitch, 0.6, 2.0) for pitch in (60, 64, 67)), note(72, 1.5, 2.5))[:, 60:200]
    rows = measured_guide(guide, dict.fromkeys(GUIDE_KINDS, sound), PITCH)
    values = to_plan(guide, rows)
    assert values.shape == (guide_values(guide), rows.shape[1])
    np.testing.assert_allclose(from_plan(guide, values), rows, atol=1e-6)


def test_what_a_network_plans_becomes_a_guide():
    """It may be below 0 or beyond 1, and no pitch class need be at 1."""
    values = np.random.default_rng(0).normal(0.4, 0.5, (15, 300)).astype(np.float32)
    rows = from_plan(BOTH, values)
    assert rows.shape == (guide_rows(BOTH), 300)
    assert rows.min() >= 0
    assert rows.max() <= 1
    sounds = np.clip(values[:12], 0, 1).max(axis=0) > 0.5
    np.testing.assert_array_equal(rows[:12].max(axis=0)[sounds], 1)
    np.testing.assert_array_equal(rows[[12, 16]], 1)
    np.testing.assert_allclose(rows[13:16], np.clip(values[12:], 0, 1) ** 2, atol=1e-6)
    assert not from_plan(BOTH, -np.ones((15, 4), np.float32))[:12].any()  # silence


def test_standardised_plans_have_a_variance_of_about_one():
    sound = bands(*(note(48 + 5 * k % 24, 0.2 * k, 0.2 * k + 0.4) for k in range(14)))
    values = to_plan(BOTH, measured_guide(BOTH, dict.fromkeys(GUIDE_KINDS, sound), PITCH))
    mean, std = plan_mean_std(BOTH)
    assert 0.3 < np.mean(((values - mean[:, None]) / std[:, None]) ** 2) < 3
