"""A guide reaches every window where it belongs: by a network whose music is the guide's own first row."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from pitched_bands import PITCH

import halfstep
from halfstep.app.cli import run
from halfstep.audio.files.io import Audio
from halfstep.audio.files.midi import Note, Score, read_midi
from halfstep.audio.guide import BOTH, CHORDS, RHYTHM, guide_rows, kind_rows
from halfstep.audio.tones import tones
from halfstep.bundle import Manifest
from halfstep.errors import InputError
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.guiding import Guide, guide_for, guide_of
from halfstep.generation.loops import mel_loop
from halfstep.generation.model import Model
from halfstep.generation.noise import seed_noise
from halfstep.generation.passages import passages
from halfstep.generation.requests import Piece, request_for
from halfstep.generation.strokes import DRUMS, STROKES, stroke_gaps, stroke_rows
from halfstep.generation.window import WindowSampler
from halfstep.vocoders.griffin_lim import GriffinLimStream

mido = pytest.importorskip("mido")
RAMP = Guide(np.tile(np.linspace(0, 1, 40, dtype=np.float32), (guide_rows(RHYTHM), 1)), 40.0)


def echoing(manifest: Manifest) -> WindowSampler:
    """x is the guide's first row, in every band: at t = 1, in one step, v = -x."""
    rows = guide_rows(manifest.guide) * manifest.planes
    bands = manifest.mel.n_mels

    def network(z_t: np.ndarray, alpha_t: float, sigma_t: float, aligned: np.ndarray | None) -> np.ndarray:
        assert aligned is not None
        first = aligned[:, -rows:][:, :: guide_rows(manifest.guide)]  # plane after plane
        return -np.repeat(first, bands, axis=1)

    return WindowSampler(network, manifest, 1)


@pytest.fixture(params=["none", "patch", "snake"])
def guided(request: pytest.FixtureRequest, tiny_manifest: Manifest) -> WindowSampler:
    return echoing(replace(tiny_manifest, packing=request.param, guide=RHYTHM))


def test_beyond_its_end_a_guide_begins_again_and_does_not_drift():
    rows = np.arange(1, 4, dtype=np.float32)[None]
    guide = Guide(rows, 2.5)
    np.testing.assert_array_equal(guide(-2, 8)[0], [0, 0, 1, 2, 3, 1, 2, 1, 2, 3])
    np.testing.assert_array_equal(guide(2500, 2508), guide(0, 8))


def test_a_stream_follows_it_frame_by_frame(guided: WindowSampler):
    canvas = Canvas(init_noise=seed_noise(8, 0), guide=RAMP)
    made = np.concatenate(list(itertools.islice(mel_stream(guided, canvas), 9)), axis=1)
    wanted = np.tile(RAMP(0, made.shape[1])[:1], (8, 1))
    if guided.shifts:
        np.testing.assert_allclose(guided.standardised(made), wanted, atol=1e-5)
    else:  # its crossfades are optimised: near
        assert np.abs(guided.standardised(made) - wanted).mean() < 0.05


def test_a_loop_goes_round_with_it(guided: WindowSampler):
    made = guided.standardised(mel_loop(guided, seed_noise(8, 0), 48, guide=RAMP.at))
    off = np.abs(made - RAMP(0, 48)[:1])
    assert np.median(off) < 1e-4
    assert off[:, 4:36].max() < 0.06  # its wrap passes over, from .2 to 0


def test_a_moment_of_the_stream_follows_it_from_there(tiny_manifest: Manifest):
    made = echoing(replace(tiny_manifest, packing="none", guide=RHYTHM))
    canvas = Canvas(init_noise=seed_noise(8, 0), guide=RAMP)
    first = next(iter(passages(made, canvas, GriffinLimStream(tiny_manifest.mel), 100)))
    frames = first.log_mel.shape[1]
    np.testing.assert_allclose(
        made.standardised(first.log_mel), np.tile(RAMP(100, 100 + frames)[:1], (8, 1)), atol=1e-5
    )  # fmt: skip


def test_without_one_a_model_is_given_none(tiny_manifest: Manifest):
    made = echoing(replace(tiny_manifest, guide=RHYTHM, context=False))
    assert not made.unconditional(seed_noise(8, 0)(0, 24)).any()


def chord_file(path: Path, *pitches: int, drums: bool = False, seconds: float = 2.0) -> Path:
    track = mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)])
    channel = 9 if drums else 0
    track += [mido.Message("note_on", note=pitch, velocity=90, channel=channel) for pitch in pitches]
    track += [
        mido.Message("note_off", note=pitch, time=round(960 * seconds) * (pitch == pitches[0]), channel=channel)
        for pitch in pitches
    ]  # fmt: skip
    file = mido.MidiFile(ticks_per_beat=480)
    file.tracks.append(track)
    file.save(path)
    return path


@pytest.fixture
def pitched(tiny_manifest: Manifest) -> Manifest:
    return replace(tiny_manifest, mel=PITCH, band_mean=(-6.0,) * 96, band_std=(1.0,) * 96, guide=BOTH)


def test_a_score_and_its_sound_are_one_guide(pitched: Manifest, tmp_path: Path):
    path = chord_file(tmp_path / "a.mid", 57, 60, 64)
    of_score, score = guide_of(path, pitched), read_midi(path)
    sound = np.concatenate(list(tones(score.notes, score.seconds, 8000)))
    of_sound = guide_of(Audio(0.01 * sound[None], 8000), pitched)
    assert of_score.frames == pytest.approx(of_sound.frames) == pytest.approx(2 * PITCH.frames_per_second)
    inner = slice(8, of_sound.rows.shape[1] - 8)  # at its ends a score knows that it goes round
    off = np.abs(of_sound.rows[:, inner] - of_score.rows[:, inner])
    assert off[kind_rows(BOTH)[0]].max() < 0.02
    assert off.max() < 0.15
    assert set(np.argsort(of_score.rows[:12, 30])[-3:]) == {0, 3, 7}


def test_drums_have_a_rhythm_and_no_chords(pitched: Manifest, tmp_path: Path):
    drums = chord_file(tmp_path / "drums.mid", 36, 42, drums=True)
    of_chords, of_rhythm = kind_rows(BOTH)
    rows = guide_of(drums, pitched).rows
    assert not rows[of_chords].any()
    assert (rows[of_rhythm][-1] == 1).all()
    with pytest.raises(InputError, match="drums alone, and model tiny-gauss follows chords"):
        guide_of(drums, replace(pitched, guide=CHORDS))


def onset_frames(guide: Guide, first: int, last: int) -> list[int]:
    """Where its low onsets begin."""
    strong = guide(first, last)[kind_rows(BOTH)[1]][0] > 0.3
    return (np.flatnonzero(strong[1:] & ~strong[:-1]) + 1 + first).tolist()


def test_a_pulse_strikes_on_every_beat_and_goes_round_without_a_gap(pitched: Manifest):
    beat = 60 / 93 * PITCH.frames_per_second
    made = guide_for(Piece(seconds=1, asked={"tempo": 93}), pitched)
    assert isinstance(made, Guide)
    assert made.frames == pytest.approx(STROKES * beat)
    at = np.array(onset_frames(made, 1, round(3 * STROKES * beat)))
    early = at - beat * np.arange(1, len(at) + 1)
    assert len(at) == pytest.approx(3 * STROKES, abs=1)
    assert -4 <= early.min() <= early.max() <= 0
    assert not made.rows[kind_rows(BOTH)[0]].any()


@pytest.mark.parametrize(
    ("tempo", "density", "gap"), [(120, None, 0.5), (120, 0.5, 0.5), (100, 5, 0.2), (90, 6, 1 / 6)]
)
def test_strokes_divide_the_beat_by_the_density(tempo: float, density: float | None, gap: float):
    gaps = stroke_gaps(tempo, density)
    np.testing.assert_allclose(gaps, gap)
    assert gaps.sum() == pytest.approx(STROKES * 60 / tempo)


def test_strokes_without_a_tempo_are_as_many_and_uneven():
    gaps = stroke_gaps(None, 2.5)
    assert len(gaps) / gaps.sum() == pytest.approx(2.5)
    assert gaps.min() >= 0.15
    assert gaps.max() <= 0.7
    assert gaps.std() > 0.08
    np.testing.assert_array_equal(stroke_gaps(None, 2.5), gaps)


@pytest.mark.parametrize("tempo", [60, 93])
def test_strokes_far_apart_are_measured_as_drums_are(tempo: float):
    gap = 60 / tempo
    starts = (gap * np.arange(STROKES)).tolist()
    struck = (Note(start=at, end=at + 0.1, pitch=pitch, velocity=127, drum=True) for at in starts for pitch in DRUMS)
    manifest = replace(halfstep.load().manifest, guide=RHYTHM)  # whose window is eight hops long
    drums = guide_of(Score(notes=tuple(struck), seconds=STROKES * gap), manifest)
    rows, frames = stroke_rows(tempo, None, manifest.mel)
    assert frames == pytest.approx(drums.frames)
    whole = slice(4, int(frames))  # at the very first frame nothing has set in yet
    for of_strokes, of_drums in zip(rows[:, whole], drums.rows[:3, whole], strict=True):
        assert np.corrcoef(of_strokes, of_drums)[0, 1] > 0.99


@pytest.mark.parametrize(("tempo", "density"), [(60, None), (170, None), (120, 4), (None, 3.3), (None, 5)])
def test_every_stroke_sets_in_as_strongly_however_near_the_last(tempo: float | None, density: float | None):
    mel = halfstep.load().manifest.mel
    rows, frames = stroke_rows(tempo, density, mel)
    places = np.cumsum(stroke_gaps(tempo, density)) * mel.frames_per_second
    for row in np.tile(rows[:, : int(frames)], (1, 2)):
        strong = (row[1:] > 0.7) & (row[:-1] <= 0.7)
        at = np.flatnonzero(strong)[: len(places)] + 1
        assert len(at) == len(places)
        early = places - at
        assert early.min() > 0
        assert early.max() < mel.lead / mel.hop_length + 1  # as soon as a window sees it


def test_what_begins_with_a_guide_begins_again_with_it(pitched: Manifest, tmp_path: Path):
    """A bar whose one stroke is its first, as a score and as a recording: each time that it comes round."""
    score = guide_of(chord_file(tmp_path / "bar.mid", 36, drums=True), pitched)
    t = np.arange(16000) / 8000
    struck = np.sin(2 * np.pi * 100 * t) * np.exp(-t / 0.1)
    for guide in (score, guide_of(Audio(struck[None].astype(np.float32), 8000), pitched)):
        at = np.array(onset_frames(guide, 1, 300)) / PITCH.frames_per_second
        assert len(at) == 4
        assert np.abs(at - 2 * np.arange(1, 5)).max() < 0.15


@pytest.mark.parametrize(
    ("asked", "guided", "said"),
    [
        ({"tempo": 40}, False, "tempo 40: a number from 50 to 200 BPM was expected"),
        ({"tempo": "fast"}, False, "tempo 'fast': a number was expected"),
        ({"tempo": "80..120"}, False, "by strokes or chords, which do not drift; give one"),
        ({"tempo": 90}, True, "tempo: the guide has a tempo of its own; leave one of the two out"),
        ({"key": "A"}, False, r"key: model guided has no such control \(it has tempo, density\)"),
        ({"density": 9}, False, "density 9: a number from 0.5 to 8 onsets a second was expected"),
        ({"density": 2}, True, "density: the guide has a density of its own"),
    ],
)
def test_what_a_pulse_does_not_do_is_said_before_any_music(
    model: Model, asked: dict[str, Any], guided: bool, said: str
):
    with pytest.raises(InputError, match=said):
        model.coming(request_for(seconds=1, asked=asked, guide=CLICKS if guided else None))


def test_a_tempo_is_asked_of_a_model_that_follows_a_rhythm(
    model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """A loop in bars has it too; of another model it is refused by name, as ever."""
    out = tmp_path / "o.wav"
    words = ["generate", str(out), "--model", str(model.folder.path)]
    assert run([*words, "--loop", "--bars", "1", "--beats", "3", "--bpm", "180"]) == 0
    assert "tempo 180, a loop" in capsys.readouterr().out
    assert soundfile.info(out).frames == 8000
    plain = model.generate(0.5).samples
    assert np.abs(model.generate(0.5, tempo=180).samples - plain).max() > 1e-5
    follows_chords = replace(model.manifest, guide=CHORDS)
    assert [one.name for one in model.manifest.asks.all] == ["tempo", "density"]
    assert [one.name for one in follows_chords.asks.all] == ["key", "chords"] and not model.manifest.conditions


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Model:
    return halfstep.load(write_model(tmp_path_factory.mktemp("models") / "guided", id="guided", guide=RHYTHM))


CLICKS = Audio(np.tile(np.eye(1, 4000, 2000, dtype=np.float32), (1, 2)), 8000)


def test_all_kinds_of_music_follow_it_and_a_stream_is_as_its_piece(model: Model):
    take = Audio(0.1 * np.sin(np.arange(8000) / 5)[None].astype(np.float32), 8000)
    plain, guided = dict[str, Any](), dict[str, Any](guide=CLICKS)
    kinds: tuple[dict[str, Any], ...] = ({}, {"loop": True}, {"context": take}, {"context": take, "into": take})
    for kind in kinds:
        made = [model.generate(0.5, **kind, **one).samples for one in (plain, guided)]
        assert made[0].shape == made[1].shape
        assert np.abs(made[0] - made[1]).max() > 1e-5
    for edit in (lambda **one: model.mend(take, 0.4, 0.6, **one), lambda **one: model.restyle(take, 0.9, **one)):
        assert np.abs(edit(**plain).samples - edit(**guided).samples).max() > 1e-5
    streamed = next(model.stream(block_seconds=0.5, guide=CLICKS))
    np.testing.assert_array_equal(streamed.samples, model.generate(0.5, guide=CLICKS).samples)


@pytest.mark.parametrize(
    ("guide", "said"),
    [
        ("absent.wav", "absent.wav"),
        ("absent.mid", "absent.mid"),
        (Audio(np.zeros((1, 8000), np.float32), 8000), "silent: nothing of it can be followed"),
        (Audio(np.ones((1, 1000 * 901), np.float32), 1000), "901 s, at most 900"),
    ],
)
def test_what_cannot_be_followed_is_said_before_any_music(model: Model, guide: Audio | str, said: str):
    for loop in (False, True):
        with pytest.raises((InputError, OSError), match=said):
            model.coming(request_for(seconds=1, loop=loop, guide=guide))


def test_a_model_that_follows_none_says_so(tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(InputError, match=r"^guide: model tiny-gauss follows none"):
        halfstep.load(tiny_model).generate(1, guide=CLICKS)
    chords = chord_file(tmp_path / "a.mid", 60)
    assert run(["generate", str(tmp_path / "o.wav"), "--model", str(tiny_model), "--guide", str(chords)]) == 2
    assert "--guide: model tiny-gauss follows none" in capsys.readouterr().err
    assert not (tmp_path / "o.wav").exists()


def test_the_command_line_follows_a_file_and_says_so(model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    drums, out = chord_file(tmp_path / "beat.mid", 36, drums=True), tmp_path / "o.wav"
    words = ["generate", str(out), "--model", str(model.folder.path), "--seconds", "0.5"]
    assert run([*words, "--guide", str(drums)]) == 0
    assert "guided by beat.mid" in capsys.readouterr().out
    followed = soundfile.read(out, dtype="int16")[0]
    assert run(words) == 0
    assert (followed != soundfile.read(out, dtype="int16")[0]).any()
    drums.write_bytes(b"no music")
    assert run([*words, "--guide", str(drums)]) == 2
    assert f"{drums}: not a MIDI file that can be read" in capsys.readouterr().err
