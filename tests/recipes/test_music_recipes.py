"""Recipes that make music to learn from: pianos, music met twice, tempo, soundtracks by licence."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

RECIPES = Path(__file__).parents[2] / "recipes/music"


@pytest.fixture(scope="module", autouse=True)
def recipes():
    sys.path.insert(0, str(RECIPES))
    yield
    sys.path.remove(str(RECIPES))


def test_pianos_are_chosen_by_name_and_in_proportion_to_their_weights():
    from pianos import PIANOS, piano_for

    names = [f"piece-{number}" for number in range(4000)]
    chosen = [piano_for(name) for name in names]
    assert chosen[:50] == [piano_for(name) for name in names[:50]]
    shares = np.array([chosen.count(piano) for piano in PIANOS]) / len(names)
    weights = np.array([piano.weight for piano in PIANOS])
    assert weights.sum() == pytest.approx(1)
    assert np.all(np.abs(shares - weights) < 4 * np.sqrt(weights * (1 - weights) / len(names)))


def test_a_recording_ends_where_its_sound_does_and_peaks_where_all_do(tmp_path: Path):
    from pianos import PEAK, write_flac

    sound = np.zeros((44_100, 2), np.float32)
    sound[1000:20_000] = 0.25
    sound[20_000:30_000] = 1e-6
    sf.write(tmp_path / "take.wav", sound, 44_100, subtype="FLOAT")
    write_flac(tmp_path / "take.wav", tmp_path / "take.flac")
    written, sample_rate = sf.read(tmp_path / "take.flac")
    assert (written.shape, sample_rate) == ((20_000, 2), 44_100)
    assert np.abs(written).max() == pytest.approx(PEAK, abs=2**-14)
    assert sf.info(tmp_path / "take.flac").subtype == "PCM_16"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["take.flac", "take.wav"]


def test_silence_is_refused(tmp_path: Path):
    from fetch_soundtracks import FetchError
    from pianos import write_flac

    sf.write(tmp_path / "take.wav", np.zeros((100, 2)), 44_100, subtype="FLOAT")
    with pytest.raises(FetchError, match="silence"):
        write_flac(tmp_path / "take.wav", tmp_path / "take.flac")


def test_music_is_known_again_in_another_key_tempo_and_edition_and_other_music_is_not():
    from same_music import KnownMusic, features

    rng = np.random.default_rng(0)
    onset, pitch = np.arange(200) / 2, rng.integers(60, 80, 200)
    known = KnownMusic()
    assert known.add("first", features(onset, pitch)) is None
    assert known.add("other", features(onset, rng.integers(60, 80, 200))) is None
    with_bass = np.concatenate([onset, onset[::2]]) * 1.3, np.concatenate([pitch + 5, np.full(100, 40)])
    assert known.add("second", features(*with_bass)) == "first"
    assert known.add("shorter", features(onset[:80], pitch[:80])) == "first"
    assert known.add("too short to tell", features(onset[:3], pitch[:3])) is None


def test_a_tempo_that_is_only_a_default_gives_way_to_the_pace_and_a_stated_one_does_not():
    from score import Score, at_pace

    def score(beat_seconds: float) -> Score:
        onset = np.arange(0, 100, 0.5)
        notes = {"onset": onset, "end": onset + 0.5, "pitch": np.full(200, 60), "loudness": np.ones(200)}
        return Score(**notes, tempo=np.array([(0.0, beat_seconds)]), bar_beats=4.0)

    assert score(0.6).seconds() == pytest.approx(60)
    assert at_pace(score(0.6), 4.0).seconds() == pytest.approx(60)
    at_80_and_120 = 100 * np.sqrt(60 / 80 * 60 / 120)  # Seconds of 100 beats; two strokes a beat, four a second.
    assert at_pace(score(1.0), 4.0).seconds() == pytest.approx(at_80_and_120)
    assert at_pace(score(0.02), 4.0).seconds() == pytest.approx(at_80_and_120)


COPYRIGHT = """Files: music/first.ogg
Copyright: 2010 A. Composer
License: CC-BY-SA-3.0

Files: music/second.ogg
Copyright: 2010 B. Composer
License: GPL-2+
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tools that know one package, hyperrogue-music of two tracks; as the real ones, they look where they run."""
    tree = tmp_path / "tree"
    for name in ("first", "second"):
        (tree / "usr/share/hyperrogue/music").mkdir(parents=True, exist_ok=True)
        (tree / f"usr/share/hyperrogue/music/{name}.ogg").write_bytes(b"OggS" + name.encode())
    (tree / "usr/share/doc/hyperrogue-music").mkdir(parents=True)
    (tree / "usr/share/doc/hyperrogue-music/copyright").write_text(COPYRIGHT)
    tools = {
        "apt-get": 'touch "hyperrogue-music_1_all.deb"',
        "dpkg-deb": 'test -f "$2" && echo 1',
        "dpkg": f'test -f "$2" && cp -r "{tree}/." "$3"',
    }
    folder = tmp_path / "tools"
    folder.mkdir()
    for name, script in tools.items():
        (folder / name).write_text(f"#!/bin/sh\nset -e\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_soundtracks_are_fetched_into_a_relative_folder(package: Path, capsys: pytest.CaptureFixture[str]):
    from fetch_soundtracks import main

    assert main(["music", "--set", "hyperrogue"]) == 0
    assert capsys.readouterr().err == ""
    assert (package / "music/hyperrogue/first.ogg").read_bytes() == b"OggSfirst"
    assert json.loads((package / "music/kinds.json").read_text()) == {
        "hyperrogue/first.ogg": "ambient",
        "hyperrogue/second.ogg": "ambient",
    }


def test_tracks_under_the_gpl_are_left_out_when_asked_also_those_fetched_before(package: Path):
    from fetch_soundtracks import main

    command = [str(package / "music"), "--set", "hyperrogue"]
    folder = package / "music/hyperrogue"
    assert main(command) == 0
    assert {entry["licence"] for entry in json.loads((folder / "LICENCES.json").read_text())} == {
        "CC-BY-SA-3.0",
        "GPL-2+",
    }
    assert main([*command, "--no-gpl"]) == 0
    assert [entry["file"] for entry in json.loads((folder / "LICENCES.json").read_text())] == ["first.ogg"]
    assert sorted(path.name for path in folder.glob("*.ogg")) == ["first.ogg"]
    assert list(json.loads((package / "music/kinds.json").read_text())) == ["hyperrogue/first.ogg"]
