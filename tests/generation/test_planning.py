"""New music follows a plan of its model's own, in the key that is asked for, wherever nothing else leads it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pitched_bands import PITCH

from halfstep.audio.chroma import CLASSES, KEYS, MAJOR, MINOR, NOTES, key_fits, key_of
from halfstep.audio.guide import BOTH, CHORDS, GUIDES, RHYTHM, guide_rows, guide_values, kind_rows, plan_mean_std
from halfstep.bundle import DenoiserFile, PlanFile, load_folder, read_manifest, verify, write_manifest
from halfstep.conditioning import LabelCondition
from halfstep.errors import InputError
from halfstep.generation.engine import Engine
from halfstep.generation.guiding import Guide, guide_for
from halfstep.generation.leaders import Leader
from halfstep.generation.model import Model
from halfstep.generation.planning import KEPT_FRAMES, PARTS, EndlessPlan, OnSixteenths, classes_of, planned
from halfstep.generation.requests import Continuation, Loop, Piece

STYLE = LabelCondition(name="style", values=("piano", "strings"))


def plan_file(guide: str = BOTH, **changes: Any) -> PlanFile:
    mean, std = (tuple(map(float, part)) for part in plan_mean_std(guide))
    whole = PlanFile(
        denoiser=DenoiserFile(steps=2, file="plan.onnx"), frames=96, packing="patch", mean=mean, std=std, parameters=1,
        conditions=(STYLE,),
    )  # fmt: skip
    return replace(whole, **changes)


@pytest.fixture(scope="module")
def planning(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """A model whose plans are Gaussian noise, shifted by the style that is asked for; read only."""
    return write_model(
        tmp_path_factory.mktemp("planning"), mel=PITCH, guide=BOTH, conditions=(STYLE,), plan=plan_file(),
        band_mean=(-4.0,) * PITCH.n_mels, band_std=(0.5,) * PITCH.n_mels,
    )  # fmt: skip


@pytest.fixture(scope="module")
def engine(planning: Path) -> Engine:
    return Engine(load_folder(planning))


def planner_of(engine: Engine) -> Engine:
    assert engine.planner is not None
    return engine.planner


def led(engine: Engine, request: Piece | Loop | Continuation) -> Leader:
    leader = engine.guide(request)
    assert leader is not None
    return leader


def test_new_music_follows_the_plan_of_its_seed(engine: Engine):
    rows = led(engine, Piece(seconds=4, seed=3))(0, 400)
    assert rows.shape == (guide_rows(BOTH), 400)
    assert rows.min() >= 0 and rows.max() == 1
    chords, rhythm = kind_rows(BOTH)
    np.testing.assert_array_equal(rows[chords][-1], 1)  # given
    np.testing.assert_array_equal(rows[rhythm][-1], 1)
    strongest = rows[chords][:-1].max(axis=0)
    np.testing.assert_array_equal(strongest[strongest > 0.25], 1)
    assert np.mean(strongest) > 0.4
    np.testing.assert_array_equal(led(engine, Piece(seconds=9, seed=3))(0, 400), rows)
    assert np.abs(led(engine, Piece(seconds=4, seed=4))(0, 400) - rows).max() > 0.5


def test_before_it_begins_there_is_nothing_to_follow(engine: Engine):
    leader = led(engine, Piece(seconds=4))
    np.testing.assert_array_equal(leader(-30, 0), 0)
    np.testing.assert_array_equal(leader(-5, 20)[:, 5:], leader(0, 20))


def test_it_is_the_same_however_far_it_is_asked_for_at_once(engine: Engine):
    whole = led(engine, Piece(seconds=4, seed=3))(0, 500)
    leader = led(engine, Piece(seconds=4, seed=3))
    parts = [leader(start, start + 60) for start in range(0, 480, 40)]
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(part, whole[:, number * 40 : number * 40 + 60])


def test_of_its_past_it_keeps_what_a_window_reaches_back_to():
    blocks = (np.full((2, 1000), number, np.float32) for number in range(100))
    plan = EndlessPlan(blocks)
    assert plan(40_000, 40_001)[0, 0] == 40
    assert plan(40_000 - KEPT_FRAMES + 2000, 40_001 - KEPT_FRAMES + 2000)[0, 0] == 40 - KEPT_FRAMES // 1000 + 1
    with pytest.raises(ValueError, match="in order"):
        plan(10_000, 10_001)


def test_a_loop_goes_round_with_its_plan(engine: Engine):
    loop = Loop(seconds=6, seed=3)
    frames = loop.samples(PITCH) / PITCH.hop_length
    leader = led(engine, loop)
    assert isinstance(leader, Guide)
    places = np.arange(100.0)
    np.testing.assert_array_equal(leader.at(places + frames), leader.at(places))
    assert np.abs(leader.at(places) - leader.at(places + 50)).max() > 0.5


def test_a_style_that_is_asked_for_is_asked_of_the_plan_too(engine: Engine):
    """The network of `write_model` is shifted by what it is asked."""
    plain, strings = (
        led(engine, Piece(seconds=4, seed=3, asked=asked))(0, 200) for asked in ({}, {"style": "strings"})
    )
    assert np.abs(plain - strings).mean() > 0.05


def test_a_drift_drifts_in_the_plan_too(engine: Engine):
    pieces = [Piece(seconds=20, seed=3, asked={"style": asked}) for asked in ("piano", "piano..strings", "strings")]
    piano, drift, strings = (led(engine, piece)(0, 600) for piece in pieces)
    assert np.abs(drift - piano)[:, :60].mean() < np.abs(drift - strings)[:, :60].mean()
    assert np.abs(drift - piano)[:, -60:].mean() > np.abs(drift - strings)[:, -60:].mean()


def scale_of(leader: Leader) -> np.ndarray:
    return leader(0, 96)[classes_of(BOTH)].sum(axis=1, dtype=np.float64)


@pytest.mark.parametrize("key", ["A", "C#m", "Eb", "Gm"])
def test_it_is_turned_into_the_key_that_is_asked_for(engine: Engine, key: str):
    """Of noise, which is in no key plainly: that of the mode's keys fits best."""
    for seed in range(4):
        fits = key_fits(scale_of(led(engine, Piece(seconds=4, seed=seed, asked={"key": key}))))
        of_mode = [name for name in KEYS if name.endswith("m") == key.endswith("m")]
        assert max(of_mode, key=lambda name: fits[name]) == key


def in_keys(monkeypatch: pytest.MonkeyPatch, *profiles: np.ndarray) -> list[int]:
    """The plans of a seed, one after another; the streams of those that are made."""
    tried: list[int] = []

    def plan(planner: Engine, request: Piece, guide: str, stream: int) -> Leader:
        tried.append(stream)
        profile = profiles[min(len(tried), len(profiles)) - 1]
        rows = np.ones((guide_rows(BOTH), 96), np.float32)
        rows[classes_of(BOTH)] = profile[:, None] / profile.max()
        return Guide(rows, 96.0)

    monkeypatch.setattr("halfstep.generation.planning._plan", plan)
    return tried


def test_the_first_plan_that_is_plainly_in_the_mode_is_taken(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    d_major, minor = np.roll(np.array(MAJOR), NOTES.index("D")), np.array(MINOR)
    tried = in_keys(monkeypatch, d_major, d_major, minor, d_major)
    leader = planned(planner_of(engine), Piece(seconds=4), BOTH, "Em")
    assert key_of(scale_of(leader)) == "Em"
    assert tried == [2, 3, 4]
    in_keys(monkeypatch, d_major)
    assert key_of(scale_of(planned(planner_of(engine), Piece(seconds=4), BOTH, "F"))) == "F"
    assert key_of(scale_of(planned(planner_of(engine), Piece(seconds=4), BOTH, None))) == "D"


def test_of_those_that_are_not_the_plainest_is(engine: Engine, monkeypatch: pytest.MonkeyPatch):
    noise = np.random.default_rng(0).uniform(0, 12, (6, 12))
    plans = [np.array(MAJOR) + part for part in (*noise[:3], noise[3] / 2, *noise[4:])]
    tried = in_keys(monkeypatch, *plans)
    leader = planned(planner_of(engine), Piece(seconds=4), BOTH, "G")
    wanted = max(max(fit for name, fit in key_fits(plan).items() if not name.endswith("m")) for plan in plans)
    assert len(tried) == 6 and wanted < 0.9
    assert key_fits(scale_of(leader))["G"] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    "asked",
    [{"density": 3}, {"chords": "Am F"}, {"key": "Am", "density": 3}, {"key": "free"}, {"key": "free", "tempo": 90}],
)
def test_what_leads_otherwise_takes_the_place_of_a_plan(engine: Engine, asked: dict[str, Any]):
    request = Piece(seconds=4, seed=3, asked=asked)
    leader = engine.guide(request)
    without = guide_for(request, engine.manifest)
    assert (leader is None) == (without is None) == (asked == {"key": "free"})
    if leader is not None and without is not None:
        np.testing.assert_array_equal(leader(0, 300), without(0, 300))


def onsets(rows: np.ndarray) -> np.ndarray:
    """Of the rows of a rhythm [3, frames], together."""
    return rows[kind_rows(BOTH)[1]][:-1].sum(axis=0)


@pytest.mark.parametrize("tempo", [80.0, 117.0])
def test_at_a_tempo_its_onsets_are_on_sixteenths_and_every_beat_has_one(engine: Engine, tempo: float):
    plain = led(engine, Piece(seconds=9, seed=3))
    leader = led(engine, Piece(seconds=9, seed=3, asked={"tempo": tempo}))
    assert isinstance(leader, OnSixteenths)
    rows, beat = leader(0, 600), 60 / tempo * PITCH.frames_per_second
    np.testing.assert_array_equal(rows[kind_rows(BOTH)[0]], plain(0, 600)[kind_rows(BOTH)[0]])
    beats = np.arange(beat, 590, beat)
    near = [rows[kind_rows(BOTH)[1]][:-1, int(place) - 2 : int(place) + 4].max(axis=1) for place in beats]
    assert np.min(near) > 0.8
    peaks = np.flatnonzero((onsets(rows)[1:-1] > onsets(rows)[:-2]) & (onsets(rows)[1:-1] >= onsets(rows)[2:])) + 1
    off = np.abs(peaks / beat * PARTS - np.round(peaks / beat * PARTS)) * beat / PARTS
    assert np.quantile(off, 0.9) <= 2.5  # frames: a stroke is seen coming


def test_on_sixteenths_it_is_the_same_however_far_it_is_asked_for_at_once(engine: Engine):
    asked = {"tempo": 100}
    whole = led(engine, Piece(seconds=4, seed=3, asked=asked))(0, 400)
    leader = led(engine, Piece(seconds=4, seed=3, asked=asked))
    for start in range(0, 330, 40):
        np.testing.assert_allclose(leader(start, start + 60), whole[:, start : start + 60], atol=1e-6)
    np.testing.assert_array_equal(led(engine, Piece(seconds=4, seed=3, asked=asked))(-9, 30)[:, :9], 0)


@pytest.mark.parametrize(("drawn", "beatless", "moved"), [
    ((), (), False), (("key",), (), False), (("key", "tempo"), (), True), (("key", "tempo"), ("strings",), False),
])  # fmt: skip
def test_a_tempo_is_drawn_where_the_model_says_so(engine: Engine, drawn: Any, beatless: Any, moved: bool):
    manifest = replace(engine.manifest, drawn=drawn, beatless=beatless)
    request = Piece(seconds=4, seed=3, asked={"style": "strings"})
    leader = guide_for(request, manifest, planner_of(engine))
    assert isinstance(leader, OnSixteenths) == moved
    if isinstance(leader, OnSixteenths):
        assert 70 <= leader.tempo <= 110
        assert not leader.struck


def test_a_style_may_follow_no_plan(engine: Engine):
    manifest = replace(engine.manifest, drawn=("key",), unplanned=("strings",))
    for style, own in (("strings", True), ("strings:2,piano", True), ("piano:2,strings", False), ("piano", False)):
        request = Piece(seconds=4, seed=3, asked={"style": style})
        leader, drawn = guide_for(request, manifest, planner_of(engine)), guide_for(request, manifest)
        assert leader is not None and drawn is not None
        assert np.array_equal(leader(0, 200), drawn(0, 200)) == own, style


def test_a_loop_goes_round_on_its_beats(engine: Engine):
    loop = Loop(seconds=9.6, seed=3, asked={"tempo": 100})  # sixteen beats
    leader, frames = led(engine, loop), loop.samples(PITCH) / PITCH.hop_length
    rows = leader.at(np.arange(np.ceil(frames)))
    beat = frames / 16
    near = [rows[kind_rows(BOTH)[1]][:-1, int(k * beat) - 3 : int(k * beat) + 4].max(axis=1) for k in range(1, 16)]
    assert np.min(near) > 0.8


def test_beside_a_recording_nothing_is_planned(engine: Engine):
    assert engine.guide(Continuation(seconds=4, context="take.wav")) is None


def test_a_guide_that_is_given_is_followed(engine: Engine, tmp_path: Path):
    from halfstep.audio.files.midi import Note, Score

    score = Score(notes=(Note(start=0, end=1, pitch=60, velocity=90, drum=False),), seconds=2)
    leader = led(engine, Piece(seconds=4, guide=score))
    assert isinstance(leader, Guide)


def test_music_is_made_of_it_and_goes_on_from_any_moment(planning: Path):
    model = Model(load_folder(planning))
    whole = model.generate(3, seed=3).samples
    np.testing.assert_array_equal(model.generate(3, seed=3).samples, whole)
    assert np.abs(model.generate(3, seed=3, key="free").samples - whole).max() > 0
    later = next(iter(model.passages(Piece(seconds=3, seed=3), 40)))
    assert later.frame == 40


def test_the_folder_is_read_as_it_was_written(planning: Path):
    assert read_manifest(planning).plan == plan_file()
    assert verify(planning) == []
    assert "plan.onnx" in read_manifest(planning).networks


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"plan": plan_file(frames=97)}, "multiple of 3"),
        ({"unplanned": ("brass",)}, "unplanned"),
        ({"plan": plan_file(packing="snake")}, "adjacent"),
        ({"plan": plan_file(packing="fold")}, "adjacent"),
        ({"plan": plan_file(mean=(0.0,) * 4)}, "4 values"),
        ({"plan": plan_file(conditions=(LabelCondition(name="style", values=("a", "b")),))}, "same values"),
        ({"plan": plan_file(denoiser=DenoiserFile(steps=2, file="../plan.onnx"))}, "file"),
        ({"plan": plan_file(denoiser=DenoiserFile(steps=2, file="other.onnx"))}, "a table with other.onnx"),
        ({"plan": plan_file(RHYTHM), "guide": RHYTHM, "plan.frames": 0}, ""),
    ],
)
def test_what_does_not_fit_is_refused(planning: Path, tmp_path: Path, changes: dict[str, Any], said: str):
    if "plan.frames" in changes:
        changes = {"plan": replace(changes["plan"], frames=0), "guide": RHYTHM}
        said = "frames"
    for name in ("denoiser-1.onnx", "denoiser-4.onnx", "plan.onnx"):
        (tmp_path / name).write_bytes((planning / name).read_bytes())
    with pytest.raises(InputError, match=said):
        write_manifest(tmp_path, replace(read_manifest(planning), **changes))


def test_a_plan_of_a_model_that_follows_nothing_is_refused(planning: Path, tmp_path: Path):
    for name in ("denoiser-1.onnx", "denoiser-4.onnx", "plan.onnx"):
        (tmp_path / name).write_bytes((planning / name).read_bytes())
    with pytest.raises(InputError, match="plan"):
        write_manifest(tmp_path, replace(read_manifest(planning), guide="none"))


def test_a_plan_that_is_not_whole_is_said_by_verify(planning: Path, tmp_path: Path):
    for path in planning.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "plan.onnx").write_bytes(b"no network")
    assert any("plan.onnx" in problem for problem in verify(tmp_path))
    (tmp_path / "plan.onnx").write_bytes((tmp_path / "denoiser-1.onnx").read_bytes())
    write_manifest(tmp_path, read_manifest(tmp_path))
    assert any("plan.onnx" in problem for problem in verify(tmp_path))


def test_every_guide_has_its_values():
    assert {guide: guide_values(guide) for guide in GUIDES} == {"none": 0, CHORDS: CLASSES, RHYTHM: 3, BOTH: 15}
    assert len(KEYS) == 24
