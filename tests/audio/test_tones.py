"""Notes as sound: block by block what they are at once, and no louder than their velocities."""

import numpy as np
import pytest

from halfstep.audio import tones as module
from halfstep.audio.files.midi import Note
from halfstep.audio.tones import tones

RATE = 8000


def note(pitch: int, start: float, end: float, velocity: int = 100, *, drum: bool = False) -> Note:
    return Note(start=start, end=end, pitch=pitch, velocity=velocity, drum=drum)


NOTES = [note(57, 0.0, 0.7), note(69, 0.35, 1.0), *(note(drum, 0.2, 0.3, drum=True) for drum in (36, 38, 42))]


def test_blocks_of_any_size_are_the_same_sound(monkeypatch: pytest.MonkeyPatch):
    whole = np.concatenate(list(tones(NOTES, 1.2, RATE)))
    assert whole.shape == (9600,)
    monkeypatch.setattr(module, "BLOCK_SECONDS", 0.1)
    np.testing.assert_allclose(np.concatenate(list(tones(NOTES, 1.2, RATE))), whole, atol=1e-6)


@pytest.mark.parametrize("drum", [False, True])
def test_a_note_is_as_loud_as_its_velocity_squared_and_silent_around_it(drum: bool):
    loud, soft = (np.concatenate(list(tones([note(38, 0.3, 0.6, velocity, drum=drum)], 1.2, RATE)))
                  for velocity in (120, 60))  # fmt: skip
    np.testing.assert_allclose(soft, loud / 4, atol=1e-6)
    assert np.abs(loud).max() > 0.5
    assert not loud[: round(0.3 * RATE) - 1].any()
    assert not loud[round(0.75 * RATE) :].any()


def test_a_note_above_half_the_rate_is_silent():
    assert not np.concatenate(list(tones([note(127, 0.0, 0.5)], 0.5, RATE))).any()
