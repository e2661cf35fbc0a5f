"""What a training begins with is heard as it was learned: the weights, under their own packing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import halfstep
from halfstep.audio.files.io import Audio
from halfstep.audio.guide import guide_rows
from halfstep.bundle import read_manifest
from halfstep.data.dataset import Library
from halfstep.diffusion.rates import Rates
from halfstep.errors import InputError
from halfstep.packing import COMPONENTS_FILE
from halfstep.runs.export_model import Card, ExportConfig, export_run
from halfstep.runs.run_folder import open_run
from halfstep.runs.start import start_from
from halfstep.runs.train import train_command
from halfstep.tasks.music.task import Music

SETTINGS = [
    "net.widths=[16, 16]", "net.attention_heads=4", "net.embedding=8", "music.frames=24", "music.packing=components",
    "music.components=20", "music.patch_frames=3", "train.batch_size=2", "train.warmup_steps=1", "train.precision=fp32",
    "train.compile=off",
]  # fmt: skip

RATES = Rates(torch.full((2, 1, 1), 0.6), torch.full((2, 1, 1), 0.8))


def learned(data: Path, run: Path, start: Path | str | None = None, *more: str, steps: int = 2) -> Path:
    train_command(data, run, "tiny", [*SETTINGS, *more], steps, lambda *_: None, start)
    return run


@pytest.fixture(scope="module")
def first(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return learned(library, tmp_path_factory.mktemp("first") / "run")


@pytest.fixture(scope="module")
def model(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its teacher, played in 4 steps, stored in eight bits."""
    out = tmp_path_factory.mktemp("first") / "model"
    export_run(first, out, Card(id="first"), ExportConfig(weights="int8"))
    return out


@pytest.fixture(scope="module")
def other(write_library: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_library(tmp_path_factory.mktemp("other") / "data", (150, 200), (90,), styles=("low", "high"))


@pytest.mark.parametrize("kind", ["run", "model"])
def test_weights_and_packing_are_those_of_the_start(kind: str, first: Path, model: Path, other: Path, tmp_path: Path):
    begun = learned(other, tmp_path / "run", first if kind == "run" else str(model), "train.learning_rate=1e-9")
    with open_run(begun) as run, open_run(first) as before:
        weights, learned_before = run.teacher().state_dict(), before.teacher().state_dict()
        np.testing.assert_array_equal(run.band[0], Library(other).band_mean)  # the scale is that of its own music
    source = first if kind == "run" else model
    assert (begun / COMPONENTS_FILE).read_bytes() == (source / COMPONENTS_FILE).read_bytes()
    with np.load(begun / COMPONENTS_FILE) as own, np.load(first / COMPONENTS_FILE) as its:
        np.testing.assert_allclose(own["matrix"], its["matrix"], atol=0 if kind == "run" else 1e-3)
    for name, weight in learned_before.items():
        off = 0 if kind == "run" else float(weight.abs().max()) / 200
        torch.testing.assert_close(weights[name], weight, atol=off + 1e-6, rtol=0)


def test_the_same_command_goes_on_without_the_start(first: Path, other: Path, tmp_path: Path):
    run = learned(other, tmp_path / "run", first)
    learned(other, run, steps=3)
    assert (run / COMPONENTS_FILE).read_bytes() == (first / COMPONENTS_FILE).read_bytes()


def test_a_start_that_is_none_is_refused_and_nothing_is_begun(other: Path, tmp_path: Path):
    (tmp_path / "empty").mkdir()
    for start in (tmp_path / "empty", tmp_path / "absent", "no-model"):
        with pytest.raises(InputError, match="not a finished run, and no model"):
            learned(other, tmp_path / "run", start)
    assert not (tmp_path / "run").exists()


def test_a_network_or_a_packing_of_other_sizes_is_refused(first: Path, other: Path, tmp_path: Path):
    with pytest.raises(InputError, match="its weights are of another network"):
        learned(other, tmp_path / "wide", first, "net.widths=[16, 32]")
    with pytest.raises(InputError, match=r"components\.npz: is \(20, 384\), the settings say \(16, 384\)"):
        learned(other, tmp_path / "fewer", first, "music.components=16")


def test_a_run_that_is_not_finished_says_so(first: Path, tmp_path: Path):
    half = shutil.copytree(first, tmp_path / "half")
    (half / "teacher.json").unlink()
    with pytest.raises(InputError, match="not a finished run"):
        start_from(half)


def test_the_students_weights_are_what_the_file_holds(model: Path, first: Path):
    """As they are played: a scale of eight bits off, at most."""
    with open_run(first) as run:
        teacher = run.teacher().state_dict()
    result = start_from(model).weights({name: value.shape for name, value in teacher.items()})
    assert read_manifest(model).denoisers[0].file.endswith(".onnx")
    for name, value in teacher.items():
        torch.testing.assert_close(result[name], value, atol=float(value.abs().max()) / 200, rtol=0)


@pytest.mark.parametrize("kind", ["run", "model"])
def test_a_guide_that_the_start_did_not_know_weighs_nothing_at_first_and_is_exported(
    kind: str, first: Path, model: Path, other: Path, tmp_path: Path
):
    start = first if kind == "run" else str(model)
    begun = learned(other, tmp_path / "run", start, "train.learning_rate=1e-12", "music.guide=rhythm", steps=1)
    with open_run(begun) as run, open_run(first) as before:
        entering, known = (one.teacher().state_dict()["net.enter.weight"] for one in (run, before))
    old = known.shape[1]
    off = 0 if kind == "run" else float(known.abs().max()) / 200
    torch.testing.assert_close(entering[:, :old], known, atol=off + 1e-6, rtol=0)
    assert entering.shape[1] == old + guide_rows("rhythm")
    assert entering[:, old:].abs().max() < 1e-9
    manifest = export_run(begun, tmp_path / "model", Card(id="m"))
    assert manifest.guide == read_manifest(tmp_path / "model").guide == "rhythm"
    with pytest.raises(InputError, match=r"draw.* key: key, or key,tempo, of a run that follows chords"):
        export_run(begun, tmp_path / "led", Card(id="m"), ExportConfig(drawn=("key",)))
    assert not (tmp_path / "led").exists()
    clicks = Audio(np.eye(1, 30000, 9000, dtype=np.float32), 44100)
    assert halfstep.load(tmp_path / "model").generate(0.3, steps=1, guide=clicks).samples.any()


@pytest.mark.parametrize("kind", ["run", "model"])
def test_what_the_start_could_not_be_asked_for_weighs_nothing_at_first_and_is_kept_by_what_starts_from_it(
    kind: str, first: Path, model: Path, other: Path, tmp_path: Path
):
    start, asks = first if kind == "run" else str(model), 'conditions.names=["loudness_like"]'
    begun = learned(other, tmp_path / "run", start, "train.learning_rate=1e-12", asks, steps=1)
    with open_run(begun) as run, open_run(first) as before:
        weights, known = (one.teacher().state_dict() for one in (run, before))
    assert weights.keys() - known.keys() == {"net.pooled.weight"}
    assert weights["net.pooled.weight"].abs().max() < 1e-9
    off = 0 if kind == "run" else float(known["net.enter.weight"].abs().max()) / 200
    torch.testing.assert_close(weights["net.enter.weight"], known["net.enter.weight"], atol=off + 1e-6, rtol=0)

    taught = learned(other, tmp_path / "taught", start, asks, "train.learning_rate=1e-2", steps=3)
    export_run(taught, tmp_path / "model", Card(id="m"))
    with open_run(taught) as run:
        wanted = run.teacher().state_dict()["net.pooled.weight"]
    shapes = {"net.pooled.weight": tuple(wanted.shape)}
    assert wanted.abs().max() > 1e-4
    torch.testing.assert_close(
        start_from(tmp_path / "model").weights(shapes)["net.pooled.weight"], wanted,
        atol=float(wanted.abs().max()) / 200, rtol=0,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["run", "model"])
def test_a_label_that_both_know_is_asked_for_by_the_weights_it_had(
    kind: str, write_library: Callable[..., Path], tmp_path: Path
):
    """In whatever place; one that is new weighs nothing."""
    asks = 'conditions.names=["style"]'
    data = write_library(tmp_path / "data", (150, 200), (90,), styles=("low", "high"))
    more = write_library(tmp_path / "more", (150, 200, 150), (90,), styles=("high", "a new one", "low"))
    before = learned(data, tmp_path / "before", None, asks, "train.learning_rate=1e-2", steps=3)
    export_run(before, tmp_path / "model", Card(id="m"), ExportConfig(weights="int8"))
    start = before if kind == "run" else str(tmp_path / "model")
    begun = learned(more, tmp_path / "run", start, asks, "train.learning_rate=1e-12", steps=1)
    with open_run(before) as old, open_run(begun) as new:
        assert [old.conditions.columns, new.conditions.columns] == [
            (("style", "high"), ("style", "low")), (("style", "a new one"), ("style", "high"), ("style", "low")),
        ]  # fmt: skip
        known, weights = (one.teacher().state_dict()["net.pooled.weight"] for one in (old, new))
    off = 0 if kind == "run" else float(known.abs().max()) / 200
    torch.testing.assert_close(weights[:, 1:], known, atol=off + 1e-6, rtol=0)
    assert weights[:, 0].abs().max() < 1e-9
    left = learned(more, tmp_path / "left", start, "train.learning_rate=1e-12", steps=1)
    with open_run(left) as run:
        assert "net.pooled.weight" not in run.teacher().state_dict()


@pytest.mark.parametrize("kind", ["run", "model"])
def test_from_one_channel_to_two(
    kind: str, first: Path, model: Path, write_library: Callable[..., Path], tmp_path: Path
):
    """The music of the mid is what it was, to the network as to the ear; the image is fitted below it, and learned."""
    stereo = write_library(tmp_path / "data", image_bands=2)
    start = first if kind == "run" else str(model)
    with pytest.raises(InputError, match=r"components is 20: the start has 20 of one channel; give more"):
        learned(stereo, tmp_path / "as-many", start)
    more = ("music.components=26", "music.guide=rhythm")
    begun = learned(stereo, tmp_path / "run", start, "train.learning_rate=1e-12", *more, steps=1)
    with open_run(begun) as run, open_run(first) as before:
        wide, narrow = run.task, before.task
        assert isinstance(wide, Music)
        assert isinstance(narrow, Music)
        off = 0 if kind == "run" else 1e-3
        mono = before.windows("train").evenly(2)
        rows = np.concatenate([mono, np.ones_like(mono[:, :4])], axis=1)
        known, x = narrow.packing.flat(mono), wide.packing.flat(rows)
        np.testing.assert_allclose(x[:, :20], known, atol=10 * off + 1e-5)
        assert wide.channels == 26
        assert wide.packing.components is not None
        matrix = wide.packing.components.matrix
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(26), atol=1e-3)
        assert 0 < wide.packing.components.explained < 1
        z = np.random.default_rng(0).standard_normal(x.shape).astype(np.float32)
        nothing = np.zeros((2, 24), np.float32)
        predicted = run.teacher()(torch.from_numpy(z), RATES, wide.given(rows, nothing).condition)
        alone = before.teacher()(torch.from_numpy(z[:, :20]), RATES, narrow.given(mono, nothing).condition)
        torch.testing.assert_close(predicted[:, :20], alone, atol=20 * off + 1e-5, rtol=0)
        every = np.ones((2, 24), np.float32)
        predicted = run.teacher()(torch.from_numpy(z), RATES, wide.given(rows, every).condition)
        alone = before.teacher()(torch.from_numpy(z[:, :20]), RATES, narrow.given(mono, every).condition)
        torch.testing.assert_close(predicted[:, :20], alone, atol=20 * off + 1e-5, rtol=0)
    taught = learned(stereo, tmp_path / "taught", start, "train.learning_rate=1e-2", *more, steps=3)
    with open_run(taught) as run:
        assert run.teacher().state_dict()["net.leave.weight"][20:].abs().max() > 1e-3
    export_run(taught, tmp_path / "stereo", Card(id="m"))
    assert halfstep.load(tmp_path / "stereo").generate(0.3, steps=1, vocoder="griffin-lim").samples.shape[0] == 2


@pytest.mark.parametrize("kind", ["run", "model"])
def test_what_the_start_had_learned_from_is_credited_too(
    kind: str, first: Path, model: Path, write_library: Callable[..., Path], tmp_path: Path
):
    start, longer = first if kind == "run" else str(model), write_library(tmp_path / "data", (900, 1100), (90,))
    begun = learned(longer, tmp_path / "run", start, "train.learning_rate=1e-9")
    again = learned(longer, tmp_path / "again", begun, "train.learning_rate=1e-9")
    with open_run(first) as run:
        earlier = [track.source for track in run.library.split("train")]
    credits = tmp_path / "credits.json"
    credits.write_text(json.dumps([{"file": Path(earlier[0]).name, "licence": "CC0-1.0", "title": "First"}]))
    for folder in (begun, again):
        with open_run(folder) as run:
            own = [track.source for track in run.library.split("train")]
        export_run(folder, tmp_path / f"m-{folder.name}", Card(id="m", credits=(credits,)))
        origins = read_manifest(tmp_path / f"m-{folder.name}").trained_on
        assert [one.source for one in origins] == [*own, *earlier]
        assert (origins[len(own)].title, origins[len(own)].licence) == ("First", "CC0-1.0")
