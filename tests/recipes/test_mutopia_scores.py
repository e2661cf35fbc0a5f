"""Scores of the Mutopia Project: which are chosen, what is said of them, and, where LilyPond is, their MIDI files."""

import shutil
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).parents[2] / "recipes/music"
HEADER = r"""
\version "2.24.0"
\header {
  title = "%(title)s"
  mutopiacomposer = "SatieE"
  mutopiainstrument = "%(instrument)s"
  source = "Salabert, 1888"
  %(licence)s
  maintainer = "A. Typesetter"
  footer = "Mutopia-2024/01/02-77"
}
"""
SCORE = r"\score { { \repeat unfold 1 { %s } } \layout { } \midi { \tempo 4 = 90 } }"


@pytest.fixture(scope="module", autouse=True)
def recipes():
    sys.path.insert(0, str(RECIPES))
    yield
    sys.path.remove(str(RECIPES))


def write_score(clone: Path, name: str, notes: str = "c'4 d' e' f'", **said: str) -> Path:
    """A clone's folder of one score by Satie, in the public domain unless `said` otherwise."""
    folder = clone / "ftp" / "SatieE" / name
    folder.mkdir(parents=True)
    stated = {"title": name, "instrument": "Piano", "licence": 'license = "Public Domain"'} | said
    (folder / f"{name}.ly").write_text(HEADER % stated + SCORE % notes, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("instrument", "solo"),
    [
        ("Piano", True),
        ("Harpsichord, Piano", True),
        ("harpsichord,clavichord", True),
        ("Harpsichord, Organ, Piano", True),
        ("Piano/Harpsichord/Clavichord", True),
        ("Organ", False),
        ("Piano, Orgue", False),
        ("Piano Duet", False),
        ("Voice and Piano", False),
        ("Piano, Violin", False),
        ("", False),
    ],
)
def test_only_a_keyboard_alone_is_chosen(instrument: str, solo: bool):
    from mutopia_scores import is_solo_keyboard

    assert is_solo_keyboard(instrument) is solo


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"license": "Public Domain"}, "public-domain"),
        ({"copyright": "Public  domain."}, "public-domain"),
        ({"copyright": "Creative Commons Attribution-ShareAlike 3.0"}, "CC-BY-SA-3.0"),
        ({"license": "Creative Commons Attribution 4.0", "copyright": "(c) 2011 somebody"}, "CC-BY-4.0"),
        ({"license": "CC-BY-SA 4.0"}, "CC-BY-SA-4.0"),
        ({"license": "CC0 1.0"}, "CC0-1.0"),
        ({"license": "Creative Commons Attribution-ShareAlike 3.0 Unported"}, "CC-BY-SA-3.0"),
    ],
)
def test_a_licence_has_the_name_it_has_everywhere(fields: dict[str, str], licence: str):
    from mutopia_scores import licence_of

    assert licence_of(fields) == licence


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"title": "Public Domain"},
        {"copyright": "Copyright 1998 somebody"},
        {"license": "Creative Commons Attribution-NonCommercial 3.0"},
        {"license": "Creative Commons Attribution-NoDerivs 3.0"},
        {"license": "All rights reserved", "copyright": "Public Domain"},
    ],
)
def test_a_licence_that_is_missing_or_another_leaves_a_score_out(fields: dict[str, str]):
    from mutopia_scores import LeftOut, licence_of

    with pytest.raises(LeftOut, match="licence"):
        licence_of(fields)


def test_editions_say_where_they_are_from_and_others_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from mutopia_scores import editions

    write_score(tmp_path, "gymnopedie")
    write_score(tmp_path, "song", instrument="Voice and Piano")
    write_score(tmp_path, "unlicensed", licence="")
    write_score(tmp_path, "restricted", licence='license = "Public Domain" % but non-commercial')
    (edition,) = editions(tmp_path)
    assert (edition.name, edition.composer) == ("satie-e-gymnopedie", "Erik Satie")
    assert (edition.terms.licence, edition.terms.encoder) == ("public-domain", "A. Typesetter")
    assert edition.source == "Mutopia Project; Mutopia-2024/01/02-77; gymnopedie; Salabert, 1888"
    named = capsys.readouterr().err
    assert [name in named for name in ("song", "unlicensed", "restricted", "gymnopedie")] == [True, True, True, False]


def test_share_alike_without_anybody_to_name_is_left_out(tmp_path: Path):
    from mutopia_scores import editions

    folder = write_score(tmp_path, "nobody", licence='license = "Creative Commons Attribution-ShareAlike 4.0"')
    score = folder / "nobody.ly"
    score.write_text(score.read_text().replace('maintainer = "A. Typesetter"', ""))
    assert list(editions(tmp_path)) == []


def test_parts_of_a_score_and_its_second_paper_size_are_not_scores_of_their_own():
    from mutopia_scores import main_files

    texts = {
        "a4-dance.ly": '\\include "notes.ily"\n\\score { \\music \\midi { } }',
        "letter-dance.ly": '\\include "notes.ily"\n\\score { \\music \\midi { } }',
        "notes.ily": "music = { c d }",
        "header.ly": '\\header { title = "Dance" }',
        "book.ly": '\\include "movement.ly"',
        "movement.ly": "\\score { { c } \\midi { } }",
    }
    assert main_files(texts) == ("a4-dance.ly", "book.ly")


def test_the_first_word_of_tempo_says_how_quick_a_score_is():
    from mutopia_scores import UNNAMED_PACE, pace_of

    slow, quick = pace_of(['c^\\markup { "Lent et douloureux" } d^"Vivace"']), pace_of(["% Lento\n{ c }", '"Presto"'])
    assert slow < pace_of(["{ c } % Presto"]) == UNNAMED_PACE < quick


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("lilypond") is None, reason="LilyPond is not installed")
def test_lilypond_makes_midi_and_nothing_else_and_a_broken_score_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from mutopia_scores import mutopia_pieces

    write_score(tmp_path, "whole")
    write_score(tmp_path, "broken", notes="c'4 } d'")
    cache = tmp_path / "cache"
    (piece,) = mutopia_pieces(tmp_path, cache)
    content = piece.midi.read_bytes()
    assert content.startswith(b"MThd")
    assert [content.count(bytes([0x90, key])) for key in (60, 62, 64, 65)] == [2, 2, 2, 2]  # Begun, and ended at 0.
    assert sorted(path.name for path in (cache / "mutopia").iterdir()) == [
        "satie-e-broken.json",
        "satie-e-whole.json",
        "satie-e-whole.mid",
    ]
    assert "left out: satie-e-broken (LilyPond finds errors in it)" in capsys.readouterr().err
