"""MIDI files: notes at their seconds, and one line for what cannot be followed."""

from pathlib import Path
from typing import Any

import pytest

from halfstep.audio.files.midi import Note, is_midi, read_midi
from halfstep.errors import InputError

mido = pytest.importorskip("mido")
BEAT = 480
"""Ticks."""


def written(path: Path, *messages: Any, beat: int = BEAT) -> Path:
    file = mido.MidiFile(ticks_per_beat=beat)
    file.tracks.append(mido.MidiTrack(messages))
    file.save(path)
    return path


def on(note: int, ticks: int = 0, velocity: int = 90, channel: int = 0) -> Any:
    return mido.Message("note_on", note=note, velocity=velocity, time=ticks, channel=channel)


def off(note: int, ticks: int = 0, channel: int = 0) -> Any:
    return mido.Message("note_off", note=note, time=ticks, channel=channel)


def tempo(bpm: float, ticks: int = 0) -> Any:
    return mido.MetaMessage("set_tempo", tempo=round(60e6 / bpm), time=ticks)


def test_notes_are_in_seconds_and_every_tempo_is_honoured(tmp_path: Path):
    path = written(
        tmp_path / "a.mid",
        *(tempo(60), on(60), off(60, BEAT)),
        *(tempo(120), on(64), off(64, BEAT)),
        *(on(38, BEAT, channel=9), off(38, BEAT, channel=9)),
    )
    score = read_midi(path)
    assert score.seconds == pytest.approx(2.5)
    expected = [(0.0, 1.0, 60, False), (1.0, 1.5, 64, False), (2.0, 2.5, 38, True)]
    assert [(one.start, one.end, one.pitch, one.drum) for one in score.notes] == [
        pytest.approx(one) for one in expected
    ]


def test_a_note_ends_where_it_is_struck_again_or_at_the_end(tmp_path: Path):
    score = read_midi(written(tmp_path / "a.mid", on(60), on(60, BEAT), on(60, BEAT, velocity=0), on(72), off(1, BEAT)))
    assert [(one.pitch, one.start, one.end) for one in score.notes] == [(60, 0, 0.5), (60, 0.5, 1.0), (72, 1.0, 1.5)]
    assert score.notes[0] == Note(start=0, end=0.5, pitch=60, velocity=90, drum=False)


def test_content_and_name_say_what_it_is(tmp_path: Path):
    assert is_midi(written(tmp_path / "music.bin", on(60), off(60, 1)))
    (tmp_path / "other.bin").write_bytes(b"RIFF....")
    assert not is_midi(tmp_path / "other.bin")
    assert is_midi(tmp_path / "absent.MID")
    with pytest.raises(InputError, match="no file but a folder"):
        is_midi(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a MIDI file"),
        (b"RIFFxxxxWAVE", "not a MIDI file"),
        (b"MThd\0\0\0\6\0\1\0\1\1\xe0MTrk\0\0\0\xff\0\x90", "not a MIDI file"),
        (b"MThd\0\0\0\6\0\2\0\0\1\xe0", "not a MIDI file"),
        (b"MThd\0\0\0\6\0\1\0\0\xe7\x28", "frames of film"),
        (b"MThd\0\0\0\6\0\1\0\0\1\xe0", "no notes"),
        (b"MThd" + bytes(4 << 20), "more than 4 MB"),
    ],
)
def test_what_is_no_music_is_said_in_one_line(tmp_path: Path, data: bytes, said: str):
    path = tmp_path / "bad.mid"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said) as refusal:
        read_midi(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_what_is_endless_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match=r"999 s of MIDI, at most 900"):
        read_midi(written(tmp_path / "long.mid", tempo(60), on(60), off(60, 999), beat=1))
    many = written(tmp_path / "many.mid", *(one for pitch in range(30) for one in (on(60), off(60, 1))))
    monkeypatch.setattr("halfstep.audio.files.midi.MOST_NOTES", 10)
    with pytest.raises(InputError, match="more than 10 notes"):
        read_midi(many)
    monkeypatch.setattr("halfstep.audio.files.midi.MOST_SOUNDING_SECONDS", 1.0)
    with pytest.raises(InputError, match="last 1 s and more"):
        read_midi(written(tmp_path / "held.mid", on(60), off(60, 4 * BEAT)))
