"""A DDPM run and a run with a ladder, played as they are: any number of steps, the samplers' noise, side by side."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.app.cli import run
from halfstep.bundle import read_manifest
from halfstep.errors import InputError
from halfstep.evaluation.subject import BASELINE, comparable, open_subject
from halfstep.generation.model import Model
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.runs.experiment import Experiment
from halfstep.runs.playable import playable
from halfstep.runs.presets import PRESETS
from halfstep.tasks.music.task import MusicConfig
from halfstep.training.denoising import DiffusionConfig
from halfstep.training.ladder import DistillConfig
from halfstep.training.loop import NoObserver
from halfstep.training.train_config import TrainConfig
from halfstep.vocoders.griffin_lim import GriffinLimStream


def experiment(diffusion: DiffusionConfig) -> Experiment:
    return Experiment(
        name="small", expects="a sound", task=MusicConfig(frames=24), diffusion=diffusion,
        net=UNet1dConfig(widths=(16, 16), blocks=(1, 1), attention=(False, True), attention_heads=4, embedding=8),
        train=TrainConfig(steps=3, batch_size=4, warmup_steps=0),
        distill=DistillConfig(start_steps=8, updates=2, batch_size=4),
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(library: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of DDPM with a learned variance and times by loss, and one of x under the sigmoid schedule, distilled."""
    folder = tmp_path_factory.mktemp("runs")
    ddpm = DiffusionConfig(
        schedule="ddpm-cosine", train_steps=20, parameterization="eps", variance="learned", times="importance"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("halfstep.runs.run_folder.Run.observer", lambda *_, **__: NoObserver())
        patch.setattr("halfstep.runs.export_model.installed_vocoders", lambda: [])
        patch.setattr("halfstep.runs.distill.LadderReport", lambda *_: Nobody())
        for name, diffusion in (("ddpm", ddpm), ("ladder", DiffusionConfig(schedule="sigmoid"))):
            patch.setitem(PRESETS, "small", lambda diffusion=diffusion: experiment(diffusion))
            assert run(["train", str(library), "--out", str(folder / name), "--preset", "small"]) == 0
        assert run(["distill", str(folder / "ladder"), "--to", "2"]) == 0
        for name in ("ddpm", "ladder"):
            playable(folder / name)
    return folder / "ddpm", folder / "ladder"


class Nobody:
    """A report of a ladder that is not written."""

    rows: tuple[dict[str, float], ...] = ()

    def landed(self, *_: object) -> None:
        return None


@pytest.fixture
def ddpm(runs: tuple[Path, Path]) -> Model:
    return halfstep.load(playable(runs[0]))


def test_a_ddpm_model_says_how_it_is_played(ddpm: Model):
    manifest = ddpm.manifest
    assert (manifest.process.schedule, manifest.process.train_steps) == ("ddpm-cosine", 20)
    (entry,) = manifest.denoisers
    assert (entry.steps, entry.most_steps, entry.sampler, entry.variance) == (20, 20, "ancestral", "learned")
    assert manifest.default_steps == 20
    assert manifest.serving == "any number from 1 to 20"


def test_more_steps_than_the_chain_has_are_refused(ddpm: Model):
    with pytest.raises(InputError, match="steps 21: .* serves any number from 1 to 20"):
        ddpm.generate(0.2, steps=21)


def test_samplers_and_respacings_are_heard_apart_and_each_again(ddpm: Model):
    asked = [{}, {"sampler": "ddim"}, {"respacing": "linspace"}, {"respacing": "quadratic"}, {"steps": 7}]
    made = [ddpm.generate(0.3, steps=asks.pop("steps", 6), **asks).samples for asks in asked]
    assert all(np.isfinite(samples).all() for samples in made)
    for number, one in enumerate(made):
        assert all(np.abs(one - other).max() > 0 for other in made[:number])
    np.testing.assert_array_equal(made[0], ddpm.generate(0.3, steps=6).samples)


def test_the_noise_of_a_frame_and_step_does_not_depend_on_blocks(ddpm: Model):
    """A stream in small blocks, a longer piece and a shorter one are the same music."""
    piece = ddpm.generate(0.9, seed=3, steps=5).samples
    blocks, got = ddpm.stream(3, 5, 0.07), []
    while sum(block.samples.shape[1] for block in got) < piece.shape[1]:
        got.append(next(blocks))
    streamed = np.concatenate([block.samples for block in got], axis=1)[:, : piece.shape[1]]
    np.testing.assert_array_equal(streamed, piece)
    np.testing.assert_array_equal(ddpm.generate(0.4, seed=3, steps=5).samples, piece[:, : round(0.4 * 44100)])


def test_what_is_known_is_held_by_the_ancestral_sampler(ddpm: Model):
    sampler = ddpm.engine.sampler(6)
    rng = np.random.default_rng(0)
    noise, known = rng.standard_normal((2, 128, 24)).astype(np.float32)
    mask = (np.arange(24) < 9).astype(np.float32)
    window = sampler.inpainted(noise, known, mask, lambda step: rng.standard_normal((128, 24)).astype(np.float32))
    np.testing.assert_allclose(window[:, :9], known[:, :9], atol=1e-4)


def test_a_run_with_a_ladder_plays_its_teacher_and_its_students(runs: tuple[Path, Path], tmp_path: Path):
    for steps in (8, 4, 2, 11):
        out = tmp_path / f"{steps}.wav"
        assert run(["generate", str(out), "--model", str(runs[1]), "--seconds", "0.3", "--steps", str(steps)]) == 0
        assert np.isfinite(soundfile.read(out)[0]).all()
    model = halfstep.load(playable(runs[1]))
    assert model.manifest.serving == "any number from 1 to 4096"
    with pytest.raises(InputError, match="the network for 2 steps is distilled"):
        model.generate(0.3, steps=2, sampler="ancestral")
    assert len({model.engine.sampler(steps)._network is model.engine.sampler(8)._network for steps in (11, 5)}) == 1


def test_ladder_teacher_and_baseline_stand_side_by_side_from_one_noise(runs: tuple[Path, Path], tmp_path: Path):
    ddpm, ladder = runs
    with open_subject(str(ladder), tmp_path, (2,)) as subject, open_subject(str(ddpm), tmp_path / "b") as other:
        comparable(other, subject)
        vocoder = lambda: GriffinLimStream(subject.mel, seed=0)  # noqa: E731
        rows = [*subject.rows(2, 0, vocoder), *other.rows(2, 0, vocoder, BASELINE)]
        assert [(row.kind, row.steps) for row in rows] == [
            ("teacher", 8), ("teacher", 2), ("student", 4), ("student", 2), ("baseline", 20)
        ]  # fmt: skip
        assert len({row.name for row in rows}) == len(rows)
        assert "DDPM: 20 network calls" in rows[-1].about
        made = [row.source(range(1)).log_mel for row in rows]
        assert all(mel is not None and np.isfinite(mel).all() for mel in made)
        with pytest.raises(InputError, match="both are called so"):
            comparable(subject, subject)


def test_a_model_without_its_teacher_takes_no_other_steps(runs: tuple[Path, Path], tmp_path: Path):
    assert run(["export", str(runs[1]), "--out", str(tmp_path / "m"), "--steps", "4", "--steps", "16"]) == 0
    entries = read_manifest(tmp_path / "m").denoisers
    assert [(one.steps, one.most_steps) for one in entries] == [(4, None), (16, 4096)]
    with pytest.raises(InputError, match="teacher_steps 9000"), open_subject(str(tmp_path / "m"), tmp_path, (9000,)):
        pass
