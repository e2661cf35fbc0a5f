"""Chords lead music to a key: what they are, when they come, and that nothing else is led by them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pitched_bands import PITCH

from halfstep.audio.chord_names import KINDS, Chord, read_chords
from halfstep.audio.chroma import KEYS, NOTES, key_of
from halfstep.audio.files.midi import Note
from halfstep.audio.guide import BOTH, CHORDS, RHYTHM, chords, kind_rows
from halfstep.audio.mel import LogMelStream
from halfstep.audio.tones import tones
from halfstep.bundle import Manifest, read_manifest, write_manifest
from halfstep.bundle.manifest import FREE
from halfstep.conditioning import LabelCondition
from halfstep.errors import InputError
from halfstep.generation.guiding import Harmony, Leader, Together, guide_for
from halfstep.generation.harmony import (
    CHORD_BEATS,
    CHORD_SECONDS,
    FASTEST,
    MAJOR,
    MINOR,
    PASSAGE,
    PHRASE,
    SLOWEST,
    Progression,
    chord_rows,
    chord_shapes,
)
from halfstep.generation.requests import Continuation, Loop, Mend, Piece, Request, Restyle
from halfstep.generation.strokes import OF_A_BAR

TAKE = "take.wav"


@pytest.fixture
def pitched(tiny_manifest: Manifest) -> Manifest:
    return replace(tiny_manifest, mel=PITCH, band_mean=(-6.0,) * 96, band_std=(1.0,) * 96, guide=BOTH)


@pytest.mark.parametrize("mode", [MAJOR, MINOR])
def test_chances_are_chances(mode: Any):
    for row in (*mode.follow, mode.last):
        assert sum(row) == pytest.approx(1)
        assert len(row) == len(mode.chords)
    assert mode.last[0] == 0  # what ends a passage leads back to the tonic


def test_phrases_begin_on_the_tonic_and_passages_come_twice():
    for key in ("C", "F#m"):
        progression = Progression(key, 5)
        made = [progression(number) for number in range(64)]
        tonic = NOTES.index(key.removesuffix("m"))
        assert all(chord.root == tonic and (chord.kind == "m") == key.endswith("m") for chord in made[::PHRASE])
        for first in range(0, 64, 2 * PASSAGE):
            assert made[first : first + PASSAGE] == made[first + PASSAGE : first + 2 * PASSAGE]
        assert len({tuple(made[first : first + PASSAGE]) for first in range(0, 64, 2 * PASSAGE)}) > 1
        assert progression(40) == made[40]  # in any order
        assert [Progression(key, 5)(number) for number in (63, 2)] == [made[63], made[2]]


@pytest.mark.parametrize("key", ["A", "Ebm"])
def test_chords_are_of_the_key_and_follow_each_other_as_often_as_is_said(key: str):
    mode = MINOR if key.endswith("m") else MAJOR
    roots = [(NOTES.index(key.removesuffix("m")) + root) % 12 for root, _ in mode.chords]
    followed, ended = np.zeros((6, 6)), np.zeros(6)
    for seed in range(1500):
        progression = Progression(key, seed)
        made = [progression(number) for number in range(PASSAGE)]
        places = [roots.index(chord.root) for chord in made]
        assert all(mode.chords[place][1] == chord.kind for place, chord in zip(places, made, strict=True))
        for before, after in pairwise(places[:PHRASE]):
            followed[before, after] += 1
        ended[places[-1]] += 1
    seen = followed.sum(axis=1) > 200
    shares = followed[seen] / followed[seen].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, np.array(mode.follow)[seen], atol=0.07)
    np.testing.assert_allclose(ended / 1500, mode.last, atol=0.04)


def test_a_seed_draws_its_key_and_tempo_and_an_asked_key_changes_no_passage():
    drawn = [Progression(None, seed) for seed in range(600)]
    assert {one.key for one in drawn} == set(KEYS)
    tempi = np.array([one.tempo for one in drawn])
    assert SLOWEST <= tempi.min() < SLOWEST + 2 and FASTEST - 2 < tempi.max() <= FASTEST
    asked = Progression("C", 3)
    up = Progression("D", 3)
    assert [(chord.root - asked(n).root) % 12 for n, chord in ((n, up(n)) for n in range(32))] == [2] * 32
    assert asked.tempo == drawn[3].tempo


def test_a_chord_has_the_rows_of_its_sound():
    """Of the tones of a minor chord on D as a recording has them: its bass and its triad."""
    notes = [Note(start=0, end=2, pitch=pitch, velocity=90, drum=False) for pitch in (50, 62, 65, 69)]
    stream = LogMelStream(PITCH)
    bands = [*(stream.push(block) for block in tones(notes, 2.0, 8000)), stream.finish()]
    sound = chords(np.concatenate(bands, axis=1), PITCH)[:, 20:40].mean(axis=1)
    made = np.roll(chord_shapes(PITCH)["m"], NOTES.index("D"))
    assert np.corrcoef(sound, made)[0, 1] > 0.9
    assert set(np.argsort(made)[-3:]) == {NOTES.index(note) for note in ("D", "F", "A")}


def test_chords_pass_over_and_a_frame_has_its_strongest_at_one():
    progression, frames = Progression("C", 0), 100.0
    rows = chord_rows(progression, np.arange(0, 800.0), frames, PITCH)
    assert rows.shape == (12, 800)
    np.testing.assert_allclose(rows.max(axis=0), 1, atol=1e-6)
    for number in range(8):
        chord = progression(number)
        expected = np.roll(chord_shapes(PITCH)[chord.kind], chord.root)
        np.testing.assert_allclose(rows[:, 100 * number + 50], expected, atol=1e-6)
    changed = np.abs(np.diff(rows, axis=1)).max(axis=0)
    assert changed.max() < 0.5  # over 16 frames, most in the middle of them
    assert not changed[40:60].any()
    np.testing.assert_allclose(rows[:, 0], np.roll(chord_shapes(PITCH)[""], NOTES.index("C")), atol=1e-6)


def test_a_loop_has_whole_chords_and_goes_round(pitched: Manifest):
    seconds = 3.7 * CHORD_SECONDS
    made = guide_for(Loop(seconds=seconds, asked={"key": "G"}), pitched)
    assert isinstance(made, Harmony)
    assert made.count == 4
    frames = round(seconds * 8000) / 256
    np.testing.assert_allclose(made.at(np.array([0.0, 3.3])), made.at(frames + np.array([0.0, 3.3])), atol=1e-6)


def strokes_and_chords(made: Leader | None) -> tuple[bool, bool]:
    """Whether it leads by strokes, and by chords."""
    if made is None:
        return False, False
    of_chords, of_rhythm = kind_rows(BOTH)
    rows = made(0, 200)
    return bool((rows[of_rhythm][-1] == 1).all()), bool((rows[of_chords][-1] == 1).all())


@pytest.mark.parametrize(
    ("drawn", "request_", "led"),
    [
        ((), Piece(seconds=1), (False, False)),
        ((), Piece(seconds=1, asked={"key": "Am"}), (False, True)),
        ((), Piece(seconds=1, asked={"tempo": "90"}), (True, False)),
        ((), Piece(seconds=1, asked={"key": "Am", "density": "3"}), (True, True)),
        (("key",), Piece(seconds=1), (False, True)),
        (("key", "tempo"), Piece(seconds=1, asked={"chords": "C"}), (True, True)),
        (("key",), Piece(seconds=1, asked={"tempo": "90"}), (True, True)),
        (("key", "tempo"), Piece(seconds=1), (True, True)),
        (("key", "tempo"), Piece(seconds=1, asked={"key": "C"}), (True, True)),
        (("key", "tempo"), Piece(seconds=1, asked={"key": FREE}), (False, False)),
        (("key", "tempo"), Piece(seconds=1, asked={"key": FREE, "tempo": "90"}), (True, False)),
        (("key", "tempo"), Loop(seconds=10), (True, True)),
        (("key", "tempo"), Loop(seconds=1.5), (False, True)),  # no pace that it draws fits
        (("key", "tempo"), Continuation(seconds=1, context=TAKE), (False, False)),
        (("key", "tempo"), Continuation(seconds=1, context=TAKE, asked={"key": "C"}), (False, True)),
        (("key", "tempo"), Mend(recording=TAKE, start=0, stop=1).timed(1), (False, False)),
        (("key", "tempo"), Restyle(recording=TAKE).timed(1), (False, False)),
    ],
)
def test_what_is_drawn_and_what_is_asked(pitched: Manifest, drawn: Any, request_: Request, led: Any):
    assert strokes_and_chords(guide_for(request_, replace(pitched, drawn=drawn))) == led


def test_chords_change_with_the_bars_of_a_tempo(pitched: Manifest):
    made = guide_for(Piece(seconds=1, asked={"key": "C", "tempo": "100"}), pitched)
    assert isinstance(made, Together)
    (harmony,) = (part for part in made.parts if isinstance(part, Harmony))
    assert harmony.chord_frames == pytest.approx(CHORD_BEATS * 0.6 * PITCH.frames_per_second)
    places = np.array([-1.0, 0.5, 77.3])
    np.testing.assert_array_equal(made.at(places), sum(part.at(places) for part in made.parts))
    assert not made(-3, 0).any()


def test_a_drawn_tempo_has_the_accents_of_a_bar_and_an_asked_one_none(pitched: Manifest):
    """The first beat is the strongest, the third the next; each chord begins with the first."""
    at, drawing, tempo = kind_rows(BOTH)[1], replace(pitched, drawn=("key", "tempo")), Progression(None, 4).tempo
    drawn, even = (
        guide_for(Piece(seconds=1, seed=4, asked=asked), drawing) for asked in ({}, {"tempo": tempo, "key": "C"})
    )
    assert isinstance(drawn, Together)
    assert even is not None
    (harmony,) = (part for part in drawn.parts if isinstance(part, Harmony))
    beat = harmony.chord_frames / CHORD_BEATS
    assert beat == pytest.approx(60 / tempo * PITCH.frames_per_second)
    frames = round(31 * beat)
    struck = even(0, frames)[at][:3]
    accents = np.array(OF_A_BAR)[np.round((np.arange(frames) + 2) / beat).astype(int) % 4]
    np.testing.assert_allclose((drawn(0, frames)[at][:3] / np.maximum(struck, 1e-9))[:, struck.min(axis=0) > 0.2],
                               np.tile(accents[struck.min(axis=0) > 0.2], (3, 1)), atol=1e-5)  # fmt: skip


@pytest.mark.parametrize(
    ("style", "beats"),
    [
        (None, True),
        ("piano", True),
        ("calm", False),
        ("calm:2,piano", False),
        ("calm,piano", True),
        ("piano..calm", True),
    ],
)
def test_a_kind_of_music_without_a_beat_draws_no_tempo(pitched: Manifest, style: str | None, beats: bool):
    styles = LabelCondition(name="style", values=("calm", "piano"))
    own = replace(pitched, conditions=(styles,), drawn=("key", "tempo"), beatless=("calm",))
    asked = {} if style is None else {"style": style}
    assert strokes_and_chords(guide_for(Piece(seconds=1, asked=asked), own)) == (beats, True)
    assert strokes_and_chords(guide_for(Piece(seconds=1, asked={**asked, "tempo": "90"}), own)) == (True, True)


def test_a_drawn_key_is_the_key_of_its_chords(pitched: Manifest):
    right = 0
    for seed in range(24):
        made = guide_for(Piece(seconds=1, seed=seed), replace(pitched, drawn=("key",)))
        assert isinstance(made, Harmony)
        sums = made(0, 3000)[kind_rows(BOTH)[0]][:12].sum(axis=1, dtype=np.float64)
        right += key_of(sums) == Progression(None, seed).key
    assert right >= 18  # others are taken for a neighbour


def test_chords_by_name_come_one_after_the_other_and_again(pitched: Manifest):
    text = "Am | F#m7, Cb - Gsus4 G7"
    expected = [Chord(0, "m"), Chord(9, "m7"), Chord(2, ""), Chord(10, "sus4"), Chord(10, "7")]
    assert list(read_chords(text)) == expected
    made = guide_for(Piece(seconds=1, asked={"chords": text}), pitched)
    assert isinstance(made, Harmony)
    middle = made.at((np.arange(12) + 0.5) * made.chord_frames)[kind_rows(BOTH)[0]][:12]
    for number in range(12):
        chord = expected[number % 5]
        shape = np.roll(chord_shapes(PITCH)[chord.kind], chord.root)
        np.testing.assert_allclose(middle[:, number], shape, atol=1e-6)
        notes = {(chord.root + note) % 12 for note in KINDS[chord.kind]}
        assert set(np.argsort(shape)[-len(notes) :]) == notes
    loop = guide_for(Loop(seconds=7 * CHORD_SECONDS, asked={"chords": text}), pitched)
    assert isinstance(loop, Harmony) and loop.count == 5  # all of them, whole


@pytest.mark.parametrize("text", ["", "H", "am", "A B7b9", "C#b", " | ", "A " * 257])
def test_what_is_no_chord_is_said_by_name(pitched: Manifest, text: str):
    with pytest.raises(InputError, match="chord"):
        guide_for(Piece(seconds=1, asked={"chords": text}), pitched)
    with pytest.raises(InputError, match="chords"):
        pitched.asks.course({"chords": text}, "m")


def test_chords_and_a_key_are_not_asked_for_together(pitched: Manifest):
    with pytest.raises(InputError, match="leave one of the two out"):
        guide_for(Piece(seconds=1, asked={"chords": "C", "key": "C"}), pitched)


@pytest.mark.parametrize("asked", ["A:2,C", {"A": 1, "C": 1}])
def test_a_mixture_of_keys_is_refused(pitched: Manifest, asked: Any):
    with pytest.raises(InputError, match="no mixture"):
        guide_for(Piece(seconds=1, asked={"key": asked}), pitched)


def test_a_model_says_what_it_draws(tmp_path: Path, write_model: Callable[..., Path]):
    own = {"mel": PITCH, "band_mean": (-6.0,) * 96, "band_std": (1.0,) * 96, "guide": BOTH, "drawn": ("key", "tempo")}
    folder = write_model(tmp_path / "m", **own)
    manifest = read_manifest(folder)
    assert manifest.drawn == ("key", "tempo")
    (key,) = (one for one in manifest.asks.all if one.name == "key")
    assert isinstance(key, LabelCondition)
    assert key.values == (*KEYS, FREE)
    of_network = LabelCondition(name="key", values=("A", "C"))
    for changes in (
        {"guide": RHYTHM}, {"guide": CHORDS}, {"drawn": ("tempo",)}, {"drawn": ("key", "density")},
        {"conditions": (of_network,)}, {"beatless": ("calm",)},
    ):  # fmt: skip
        with pytest.raises(InputError, match="drawn|beatless"):
            write_manifest(folder, replace(manifest, **changes))
    write_manifest(folder, replace(manifest, drawn=()))
    assert "drawn" not in (folder / "model.json").read_text()
