"""What a run can be asked for: fitted to the labels of its data set, learned with them, and obeyed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import halfstep
from halfstep.app.cli import run
from halfstep.audio.timbre import timbre
from halfstep.conditioning import Conditions, LabelCondition, NumberCondition
from halfstep.data.dataset import Library
from halfstep.data.windows import Windows
from halfstep.diffusion.rates import Rates
from halfstep.errors import InputError
from halfstep.generation.model import Model
from halfstep.nets.condition import Condition
from halfstep.runs.conditions import Conditioning, ConditionsConfig, fitted_conditions, measured_of
from halfstep.runs.experiment import Experiment, with_settings
from halfstep.runs.export_model import Card, export_run
from halfstep.runs.presets import preset
from halfstep.runs.run_folder import Run, open_run, settle
from halfstep.training.checkpoint import save_tensors
from halfstep.training.denoising import denoising_loss
from halfstep.training.example import Example
from halfstep.training.loop import NoObserver, train

STYLES = ("low", "middle", "high")
UPDATES = 100


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, write_library: Callable[..., Path]) -> Path:
    """Six tracks and three that are held out, of three styles: the bands that are loud say which."""
    return write_library(tmp_path_factory.mktemp("labelled") / "data", (80,) * 6, (60,) * 3, STYLES)


@pytest.fixture(scope="module")
def trained(labelled: Path) -> Path:
    """A finished run, without what looks at it on the way."""
    net = ["net.widths=[24]", "net.blocks=[1]", "net.attention=[false]", "net.embedding=32", "music.frames=24"]
    quick = [
        "train.batch_size=16",
        "train.learning_rate=1e-2",
        "train.warmup_steps=3",
        "train.ema_decay=0",
        "train.precision=fp32",
        "train.compile=off",
        "music.nothing_share=1.0",
    ]
    wanted = with_settings(preset("tiny"), [*net, *quick, 'conditions.names=["style"]'])
    assert isinstance(wanted, Experiment)
    opened = Run(labelled.parent / "run", wanted, Library(labelled), torch.device("cpu"))
    opened.path.mkdir()
    settle(opened)
    torch.manual_seed(0)
    config, loss = replace(wanted.train, steps=UPDATES, epochs=None), denoising_loss(wanted.diffusion)
    network = train(
        opened.network(), loss, opened.batches(16), opened.path, config, NoObserver(), opened.device, lambda *_: None
    )
    save_tensors(opened.path / "teacher.safetensors", network.state_dict(), {"steps": UPDATES, "figures": {}})
    return opened.path


def test_labels_of_the_training_split_are_the_values(labelled: Path, tmp_path: Path):
    config, library = ConditionsConfig(names=("style",)), Library(labelled)
    assert fitted_conditions(ConditionsConfig(), library, tmp_path, 24) == Conditions()
    fitted = fitted_conditions(config, library, tmp_path, 24)
    assert fitted == Conditions((LabelCondition(name="style", values=tuple(sorted(STYLES))),))
    assert fitted_conditions(config, library, tmp_path, 24) == fitted  # as it was kept
    with pytest.raises(InputError, match=r"mood labels the training tracks with 0 values.*labelled with style"):
        fitted_conditions(ConditionsConfig(names=("mood",)), library, tmp_path / "other", 24)


def test_a_label_weighs_what_is_said_of_it(labelled: Path):
    library = Library(labelled)
    assert ConditionsConfig(names=("style",)).weigh(library) is None
    weigh = ConditionsConfig(names=("style",), weights=(f"{STYLES[0]}:2.5", f"{STYLES[2]}:0.5")).weigh(library)
    assert weigh is not None
    weights = {STYLES[0]: 2.5, STYLES[1]: 1.0, STYLES[2]: 0.5}
    assert [weigh(track) for track in library.tracks] == [weights[track.labels["style"][0]] for track in library.tracks]
    for config in (ConditionsConfig(names=("style",), weights=("jazz:2",)), ConditionsConfig(weights=("jazz:2",))):
        with pytest.raises(InputError, match=r"conditions\.weights: jazz is no label"):
            config.weigh(library)


@pytest.mark.parametrize(
    "changes",
    [{"names": ("a", "a")}, {"dropout": 1.0}, {"dropout_each": -0.1}]
    + [{"weights": (text,)} for text in ("piano", "piano:0", ":2", "piano:-1", "piano:nan", "piano:1e3")],
)
def test_settings_out_of_range_are_refused(changes: dict[str, Any]):
    with pytest.raises(ValueError, match="expected"):
        ConditionsConfig(**changes)


def test_clips_come_with_the_labels_of_their_tracks_or_with_none(labelled: Path):
    library = Library(labelled)
    tracks, clips = library.tracks, np.zeros((len(library.tracks), 128, 24), np.float32)
    two = Conditions(
        (LabelCondition(name="style", values=STYLES), LabelCondition(name="mood", values=("calm", "wild")))
    )
    conditioning = Conditioning(two, ConditionsConfig(names=("style", "mood"), dropout=0.25, dropout_each=0.5), library)
    rows = conditioning.of(clips, tracks)
    assert [STYLES[int(row.argmax())] for row in rows] == [track.labels["style"][0] for track in tracks]
    many = tracks * 500
    example = Example(x=torch.zeros(len(many), 1), condition=Condition())
    pooled = conditioning.given(example, np.tile(clips, (500, 1, 1)), many, np.random.default_rng(0)).condition.pooled
    assert pooled is not None
    given = pooled.numpy()
    assert (given.any(axis=1) == (given[:, :3] == np.tile(rows, (500, 1))[:, :3]).all(axis=1)).all()
    assert given.any(axis=1).mean() == pytest.approx(0.75 * 0.5, abs=0.03)


@pytest.fixture(scope="module")
def model(trained: Path) -> Model:
    export_run(trained, trained.parent / "model", Card(id="m"))
    return halfstep.load(trained.parent / "model")


def test_the_style_asked_for_is_the_one_that_is_made(model: Model):
    noise, sampler = np.random.default_rng(0).standard_normal((128, 24), np.float32), model.engine.sampler(2)
    for style in STYLES:
        asked = model.manifest.asks.course({"style": style}, "m").at(0)
        made = sampler.log_mel(sampler.asked(asked).unconditional(noise)).mean(1)
        assert STYLES[int(np.argmax([part.mean() for part in np.array_split(made, 3)]))] == style


def test_music_that_is_held_out_is_like_its_own_style(model: Model, labelled: Path):
    """Measured of the training tracks as the model is exported: bands of the others have most of their style."""
    (condition,) = model.manifest.conditions
    assert isinstance(condition, LabelCondition)
    likeness, library = condition.known_likeness(), Library(labelled)
    for track in library.split("heldout"):
        bands = np.asarray(library.array(track), np.float32).T
        shares = condition.mixture(likeness.shares(np.stack([timbre(bands[:, k : k + 24]) for k in (0, 24)])))
        assert shares[track.labels["style"][0]] > 0.9


def test_onnx_is_asked_as_torch_is(model: Model, trained: Path):
    with open_run(trained) as opened:
        teacher, task = opened.teacher(), opened.task
    asked = model.manifest.asks.course({"style": "low"}, "m").at(0)[None]
    z_t = np.random.default_rng(1).standard_normal((1, task.channels, task.length), np.float32)
    aligned = np.zeros((1, task.aligned, task.length), np.float32)
    rates = Rates(torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
    condition = Condition(aligned=torch.from_numpy(aligned), pooled=torch.from_numpy(asked))
    with torch.no_grad():
        expected = teacher(torch.from_numpy(z_t), rates, condition).numpy()
    np.testing.assert_allclose(model.folder.denoiser(2)(z_t, 0.0, 1.0, aligned, asked), expected, atol=1e-4)
    free = model.folder.denoiser(2)(z_t, 0.0, 1.0, aligned)
    assert np.abs(free - expected).max() > 0.01


def test_what_the_data_set_has_not_is_said_before_the_run_begins(
    labelled: Path, command: Callable[..., list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = [*command(labelled, tmp_path / "run"), "--set", 'conditions.names=["mood"]']
    assert run(words) == 2
    assert "prepare the data set with --label mood=folders" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_what_is_measured_needs_no_label_and_is_a_number_between_quantiles(labelled: Path, tmp_path: Path):
    library, config = Library(labelled), ConditionsConfig(names=("loudness_like", "style"))
    conditions = fitted_conditions(config, library, tmp_path, 24)
    number = conditions.named[0]
    assert isinstance(number, NumberCondition)
    assert number.unit == "LUFS"
    windows = Windows(library, "train", 24)
    clips, places = windows.batch(3, 16)[0], windows.drawn(3, 16)
    measured = [float(measured_of("loudness_like", clip, library)) for clip in clips]
    assert number.values[0] < np.median(measured) < number.values[-1]
    vectors = Conditioning(conditions, config, library).of(clips, [track for track, _ in places])
    got = vectors[:, : len(number.values)] @ np.array(number.values)
    np.testing.assert_allclose(got, np.clip(measured, number.values[0], number.values[-1]), rtol=1e-4)
