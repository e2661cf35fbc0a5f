"""The drums that lead, and their judge, by known answers."""

from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.files.midi import read_midi
from halfstep.audio.tones import tones

STUDIES = Path(__file__).parents[2] / "studies"
SAMPLE_RATE = 22050


@pytest.mark.parametrize("bpm", [90, 120])
def test_the_track_has_its_beats_and_is_judged_to_have_its_tempo(
    bpm: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.syspath_prepend(STUDIES)
    from led_by_drums import KICK, SNARE, drum_track, judged, off

    drum_track(tmp_path / "drums.mid", bpm)
    score = read_midi(tmp_path / "drums.mid")
    beats = [note.start for note in score.notes if note.pitch in (KICK, SNARE)]
    np.testing.assert_allclose(beats, np.arange(32) * 60 / bpm, atol=2e-3)
    assert score.seconds == pytest.approx(32 * 60 / bpm, abs=0.01)
    sound = np.concatenate(list(tones(score.notes, 10.0, SAMPLE_RATE)))
    tempo, on_grid = judged(sound, SAMPLE_RATE, bpm)
    wrong, up_to_octaves = off(tempo, bpm)
    assert up_to_octaves <= wrong
    assert up_to_octaves < 0.04
    assert on_grid > 0.9
    assert off(tempo, 1.2 * bpm)[1] > 0.1
    assert judged(sound, SAMPLE_RATE, 1.2 * bpm)[1] < 0.6
    assert off(2 * bpm, bpm) == pytest.approx((1, 0))
