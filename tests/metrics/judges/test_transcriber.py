"""The transcriber writes down what was played, where it was played; notes picked from likelihoods by hand."""

import numpy as np
import pytest

from halfstep.audio.chroma import hz_of
from halfstep.data.synthetic import pluck
from halfstep.metrics.judges.transcriber import FRAMES_PER_SECOND, HOP, KEYS, SAMPLE_RATE, pick_notes, transcriber

SCALE = [60, 62, 64, 65, 67, 69, 71, 72]


def played(keys, apart: float, sample_rate: int, lead: float = 0.3):
    """Plucked strings, one after another, [n]."""
    samples = np.zeros(round((lead + apart * len(keys) + 1.5) * sample_rate), np.float32)
    for number, key in enumerate(keys):
        at = round((lead + number * apart) * sample_rate)
        string = pluck(hz_of(key), 0.6, sample_rate)
        samples[at : at + len(string)] += 0.2 * string
    return samples


@pytest.mark.parametrize("sample_rate", [22050, 44100])
def test_a_scale_is_written_down(sample_rate: int):
    notes = transcriber().notes(played(SCALE, 0.5, sample_rate), sample_rate)
    assert notes.key.tolist() == SCALE
    np.testing.assert_allclose(notes.onset, 0.3 + 0.5 * np.arange(len(SCALE)), atol=0.05)


def test_where_pieces_meet_no_note_is_lost_and_none_is_late():
    """A note every .37 s over 20 s: the network sees 2 s at a time."""
    keys, apart = [SCALE[k % 7] for k in range(50)], 0.37
    notes = transcriber().notes(played(keys, apart, SAMPLE_RATE), SAMPLE_RATE)
    late = [np.abs(notes.onset[notes.key == key] - 0.3 - apart * k).min() for k, key in enumerate(keys)]
    assert max(late) < 0.05
    assert len(notes) <= 55


def test_a_chord_has_its_notes():
    samples = sum(played([key], 1.0, SAMPLE_RATE) for key in (48, 64, 67))
    assert sorted(transcriber().notes(np.asarray(samples, np.float32), SAMPLE_RATE).key) == [48, 64, 67]


@pytest.mark.parametrize("size", [0, 1, 3 * SAMPLE_RATE])
def test_silence_has_no_notes(size: int):
    sounding, onset = transcriber().likelihoods(np.zeros(size, np.float32), SAMPLE_RATE)
    assert sounding.shape == onset.shape == (-(-size // HOP), KEYS)
    assert len(transcriber().notes(np.zeros(size, np.float32), SAMPLE_RATE)) == 0


def likelihoods(frames: int = 100) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((frames, KEYS), np.float32), np.zeros((frames, KEYS), np.float32)


def test_a_note_lasts_from_its_onset_until_it_is_silent():
    sounding, onset = likelihoods()
    sounding[8:40, 39] = 0.9
    onset[9:12, 39] = (0.6, 0.8, 0.6)
    notes = pick_notes(sounding, onset)
    assert (len(notes), notes.key[0]) == (1, 60)
    np.testing.assert_allclose([notes.onset[0], notes.duration[0]], np.array([10, 30]) / FRAMES_PER_SECOND)


def test_a_new_onset_ends_the_note_before_and_a_short_doubt_does_not():
    sounding, onset = likelihoods()
    sounding[10:60, 0] = 0.9
    sounding[20:25, 0] = 0.1  # 58 ms
    onset[[10, 40], 0] = 0.9
    notes = pick_notes(sounding, onset)
    np.testing.assert_allclose(notes.onset * FRAMES_PER_SECOND, [10, 40])
    np.testing.assert_allclose(notes.duration * FRAMES_PER_SECOND, [30, 20])


def test_a_long_silence_ends_it_and_the_end_of_the_sound_too():
    sounding, onset = likelihoods()
    sounding[10:30, 5] = sounding[60:, 5] = 0.9
    onset[[10, 70], 5] = 0.9
    notes = pick_notes(sounding, onset)
    np.testing.assert_allclose(notes.duration * FRAMES_PER_SECOND, [20, 30])


def test_weak_onsets_short_notes_and_onsets_without_sound_are_none():
    sounding, onset = likelihoods()
    sounding[10:60, 1], onset[10, 1] = 0.9, 0.4
    sounding[10:14, 2], onset[10, 2] = 0.9, 0.9
    onset[10, 3] = 0.9
    assert len(pick_notes(sounding, onset)) == 0


def test_notes_come_in_the_order_of_their_onsets():
    sounding, onset = likelihoods()
    for key, frame in ((3, 50), (9, 10), (40, 30)):
        sounding[frame : frame + 20, key], onset[frame, key] = 0.9, 0.9
    assert pick_notes(sounding, onset).key.tolist() == [30, 61, 24]
