"""Plans are learned from the guides of a data set, in every key, and planned by the model that is to follow them."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.audio.files.writing import write
from halfstep.audio.guide import BOTH, CHORDS, GUIDE_KINDS, RHYTHM, guide_values, measured_guide, plan_mean_std, to_plan
from halfstep.bundle import read_manifest, verify
from halfstep.data.dataset import Library
from halfstep.data.decode import DecodeConfig
from halfstep.data.guides import FOLDER, Guides
from halfstep.data.labels import LabelSource
from halfstep.data.preparing import PrepareConfig, prepare
from halfstep.data.synthetic import piece
from halfstep.data.windows import Windows
from halfstep.errors import InputError
from halfstep.generation.requests import Piece
from halfstep.runs.presets import PITCH_BANDS
from halfstep.tasks.plan.kind import build_plan
from halfstep.tasks.plan.task import PlanConfig, PlanTask

SMALL = [
    "net.widths=[16, 16]", "net.blocks=[1, 1]", "net.attention=[false, true]", "net.attention_heads=4",
    "net.embedding=8", "train.batch_size=4", "train.measure_every=20", "train.warmup_steps=2", "train.precision=fp32",
    "distill.start_steps=4", "distill.updates=2", "distill.batch_size=4", 'conditions.names=["style"]',
]  # fmt: skip


def words(*settings: str) -> list[str]:
    return [word for setting in (*SMALL, *settings) for word in ("--set", setting)]


def trained(data: Path, out: Path, *settings: str, preset: str = "plan") -> int:
    return run(["train", str(data), "--out", str(out), "--preset", preset, "--steps", "2", *words(*settings)])


@pytest.fixture(scope="module")
def pitched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in bands that hold pitch, of two styles; read only."""
    folder = tmp_path_factory.mktemp("pitched")
    for style in ("one", "two"):
        (folder / "music" / style).mkdir(parents=True)
        for seed in range(3):
            write(folder / "music" / style / f"{style}{seed}.wav", [piece(4, seed + ord(style[0]))], 44100, {})
    decode = DecodeConfig(mel=PITCH_BANDS, min_frames=96)
    config = PrepareConfig(decode=decode, heldout_share=0.34, labels=(LabelSource.parsed("style=folders"),))
    prepare([folder / "music"], folder / "data", config, 1)
    return folder / "data"


@pytest.fixture(scope="module")
def plans(pitched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of plans; read only."""
    out = tmp_path_factory.mktemp("plans") / "run"
    assert trained(pitched, out, "plan.frames=96") == 0
    return out


@pytest.fixture(scope="module")
def music(pitched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of music that follows a guide; read only."""
    out = tmp_path_factory.mktemp("music") / "run"
    settings = ("music.guide=both", "music.frames=96", "music.components=32")
    assert trained(pitched, out, *settings, preset="flagship") == 0
    return out


def test_the_rows_of_a_track_are_its_guide(pitched: Path, tmp_path: Path):
    library = Library(pitched)
    guides = Guides(library, BOTH, tmp_path)
    for track in library.tracks:
        bands = library.array(track)[0 : track.frames].astype(np.float32).T
        wanted = to_plan(BOTH, measured_guide(BOTH, dict.fromkeys(GUIDE_KINDS, bands), library.mel))
        np.testing.assert_allclose(guides.array(track)[10:40].T, wanted[:, 10:40], atol=1e-3)
    kept = sorted((tmp_path / FOLDER).iterdir())
    assert len(kept) == len(library.tracks)
    before = [path.stat().st_mtime_ns for path in kept]
    first, again = library.tracks[0], Guides(library, BOTH, tmp_path)
    np.testing.assert_array_equal(guides.array(first)[0:9], again.array(first)[0:9])
    assert [path.stat().st_mtime_ns for path in kept] == before
    whole = kept[0].read_bytes()
    for broken in (b"", b"no array", whole[:100]):
        kept[0].write_bytes(broken)
        for track in library.tracks:
            again.array(track)[0:9]
        assert kept[0].read_bytes() == whole  # measured anew
    mean, std = plan_mean_std(BOTH)
    clip = Windows(guides, "train", 48).evenly(3)
    assert clip.shape == (3, 15, 48)
    assert np.all(clip >= (0 - mean[:, None]) / std[:, None] - 1e-3)


def test_before_a_run_is_there_nothing_is_kept(pitched: Path, tmp_path: Path):
    guides = Guides(Library(pitched), CHORDS, tmp_path / "none")
    assert guides.array(guides.tracks[0])[0:5].shape == (5, 12)
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_of_waveforms_has_no_guides(waveforms: Path, tmp_path: Path):
    with pytest.raises(InputError, match="no guide"):
        Guides(Library(waveforms), BOTH, tmp_path)


@pytest.mark.parametrize("guide", [CHORDS, BOTH, RHYTHM])
def test_an_example_is_in_a_drawn_key(guide: str):
    config = PlanConfig(guide=guide, frames=96, nothing_share=1.0)
    clips = np.random.default_rng(0).standard_normal((40, guide_values(guide), 96), np.float32)
    task = PlanTask(config)
    windows = task.windows(task.example(clips, np.random.default_rng(1)).x.numpy())
    keys = set[int]()
    for window, clip in zip(windows, clips, strict=True):
        turned = [np.concatenate([np.roll(clip[:12], by, axis=0), clip[12:]]) for by in range(12)]
        same = [by for by, one in enumerate(turned) if np.array_equal(one, window)]
        if guide == RHYTHM:
            np.testing.assert_array_equal(window, clip)
        else:
            keys.update(same)
    assert guide == RHYTHM or len(keys) > 8
    np.testing.assert_array_equal(task.windows(task.free(clips).x.numpy()), clips)


@pytest.mark.parametrize(
    ("changes", "said"), [({"guide": "none"}, "guide"), ({"frames": 97}, "multiple"), ({"frames": 3}, "24")]
)
def test_settings_that_do_not_fit_are_refused(changes: dict, said: str):
    with pytest.raises(ValueError, match=said):
        PlanConfig(**changes)


def test_a_model_plays_what_a_run_plans(music: Path, plans: Path, tmp_path: Path):
    out = tmp_path / "model"
    assert run(["export", str(music), "--out", str(out), "--weights", "int8", "--plan", str(plans)]) == 0
    assert verify(out) == []
    plan = read_manifest(out).plan
    assert plan is not None
    assert [one.name for one in plan.conditions] == ["style"]
    model = halfstep.load(out)
    leader = model.engine.guide(Piece(seconds=2, seed=1, asked={"style": "two"}))
    assert leader is not None
    assert leader(0, 100).shape == (17, 100)
    assert np.isfinite(model.generate(1, seed=1, steps=2, style="two", vocoder="griffin-lim").samples).all()


def test_a_run_of_plans_alone_is_no_model(plans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run(["export", str(plans), "--out", str(tmp_path / "model")]) == 2
    assert "--plan" in capsys.readouterr().err


def test_a_plan_of_anything_else_is_refused(
    music: Path, plans: Path, pitched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, other = str(tmp_path / "model"), tmp_path / "chords"
    shutil.copytree(music, tmp_path / "music")
    assert run(["export", str(music), "--out", out, "--plan", str(tmp_path / "music")]) == 2
    assert "a run of --preset plan" in capsys.readouterr().err
    assert trained(pitched, other, "plan.frames=96", "plan.guide=chords") == 0
    capsys.readouterr()
    assert run(["export", str(music), "--out", out, "--plan", str(other)]) == 2
    assert "follows both" in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_what_is_measured_cannot_be_asked_of_plans(pitched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    settings = ("plan.frames=96", 'conditions.names=["style","key"]')
    assert trained(pitched, tmp_path / "run", *settings) == 2
    assert "measured of log bands" in capsys.readouterr().err


def test_plans_with_chords_want_bands_that_hold_pitch(library: Path, tmp_path: Path):
    slaney = Library(library)
    with pytest.raises(InputError, match=r"plan\.guide=rhythm"):
        build_plan(PlanConfig(n_mels=128), slaney.mel, slaney, tmp_path)
    assert build_plan(PlanConfig(n_mels=128, guide=RHYTHM), slaney.mel, slaney, tmp_path).rows == 3


def test_the_student_of_fewest_steps_plans(
    music: Path, plans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    copy = tmp_path / "run"
    shutil.copytree(plans, copy)
    assert run(["distill", str(copy), "--to", "2"]) == 0
    assert f"--plan {copy}" in capsys.readouterr().out
    out = str(tmp_path / "model")
    words = ["export", str(music), "--out", out, "--weights", "int8", "--plan", str(copy), "--plan-weights", "int4"]
    assert run(words) == 0
    plan = read_manifest(Path(out)).plan
    assert plan is not None
    assert (plan.denoiser.steps, plan.denoiser.respacing, plan.denoiser.most_steps) == (1, "jump", None)
    assert verify(Path(out)) == []
    with np.load(Path(out) / "components.npz") as stored:
        assert stored["matrix"].dtype == np.float16


@pytest.mark.parametrize(
    ("words", "said"), [(["--plan-weights", "int4"], "--plan"), (["--plan", "RUN", "--plan-weights", "int3"], "int3")]
)
def test_how_a_plan_is_stored_is_checked_before_anything_is(
    music: Path, plans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
):
    words = [str(plans) if word == "RUN" else word for word in words]
    assert run(["export", str(music), "--out", str(tmp_path / "model"), *words]) == 2
    assert said in capsys.readouterr().err


def test_two_channels_are_planned_from_their_own_data_set(tmp_path: Path):
    """A plan is of the bands alone: no data set of one channel has to be prepared for it."""
    for style in ("one", "two"):
        (tmp_path / "music" / style).mkdir(parents=True)
        for seed in range(3):
            (mono,) = piece(4, seed + ord(style[0]), 44100)
            write(tmp_path / "music" / style / f"{style}{seed}.wav", [np.stack([mono, mono / 2])], 44100, {})
    decode = DecodeConfig(mel=replace(PITCH_BANDS, image_bands=4), min_frames=96)
    labels = (LabelSource.parsed("style=folders"),)
    prepare([tmp_path / "music"], tmp_path / "data", PrepareConfig(decode=decode, heldout_share=0.34, labels=labels), 1)
    assert trained(tmp_path / "data", tmp_path / "plan", "plan.frames=96") == 0
    of_music = ("music.guide=both", "music.frames=96", "music.components=32")
    assert trained(tmp_path / "data", tmp_path / "run", *of_music, preset="flagship") == 0
    out = ["--out", str(tmp_path / "model"), "--plan", str(tmp_path / "plan")]
    assert run(["export", str(tmp_path / "run"), *out]) == 0
    model = halfstep.load(tmp_path / "model")
    assert model.manifest.plan is not None
    assert model.generate(1, seed=1, style="one", vocoder="griffin-lim").samples.shape == (2, 44100)
