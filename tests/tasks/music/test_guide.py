"""A guide in training: measured of the windows, left out of some, and learned, by a network whose best is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pitched_bands import PITCH

import halfstep
from halfstep.audio.chroma import chroma, hz_of
from halfstep.audio.files.io import Audio
from halfstep.audio.files.midi import Note
from halfstep.audio.guide import BOTH, CHORDS, GUIDE_KINDS, guide_rows, kind_rows, measured_guide
from halfstep.audio.mel import log_mel
from halfstep.audio.tones import tones
from halfstep.bundle import DenoiserFile, Manifest, write_manifest
from halfstep.nets.blocks import Sizes
from halfstep.nets.denoiser import Denoiser
from halfstep.nets.unet1d import UNet1dConfig
from halfstep.packing import PACKINGS
from halfstep.runs.export_model import write_denoiser
from halfstep.tasks.music.task import Music, MusicConfig
from halfstep.training.denoising import DiffusionConfig, denoising_loss
from halfstep.training.loop import NoObserver, train
from halfstep.training.observe import errors_by_level
from halfstep.training.train_config import TrainConfig

FRAMES = 24
UPDATES = 100


def log_bands(pitch: int) -> np.ndarray:
    """A window of a sine, [96, FRAMES]."""
    wave = 0.1 * np.sin(2 * np.pi * hz_of(pitch) * np.arange(4 * FRAMES * 256) / 8000)
    return log_mel(wave.astype(np.float32), PITCH)[:, FRAMES : 2 * FRAMES]


BANDS = np.stack([log_bands(60 + k) for k in range(12)])
BANDS = np.maximum(BANDS, BANDS.max() - 5)
MEAN, STD = BANDS.mean((0, 2)), np.maximum(BANDS.std((0, 2)), 0.1)
CLIPS = ((BANDS - MEAN[:, None]) / STD[:, None]).astype(np.float32)


def music(guide: str = CHORDS, packing: str = "patch", **changes) -> Music:
    def measure(clip: np.ndarray) -> np.ndarray:
        bands: np.ndarray = clip * STD[:, None] + MEAN[:, None]
        return measured_guide(guide, dict.fromkeys(GUIDE_KINDS, bands), PITCH)

    config = MusicConfig(n_mels=96, frames=FRAMES, packing=packing, guide=guide, **changes)
    return Music(config, measure=measure)


@pytest.mark.parametrize("context", [True, False])
@pytest.mark.parametrize("packing", PACKINGS)
def test_the_guide_stands_below_the_context_on_the_grid_of_x(packing: str, context: bool):
    task = music(packing=packing, context=context)
    nothing = np.zeros((12, FRAMES), np.float32)
    example = task.given(CLIPS, nothing, task.guides(CLIPS))
    aligned = example.condition.aligned
    assert aligned is not None
    assert aligned.shape == (12, task.aligned, task.length)
    assert (example.known is None) == (not context)
    own = aligned[:, -guide_rows(CHORDS) * task.config.planes :].numpy()
    own = own.reshape(12, task.config.planes, guide_rows(CHORDS), -1)
    np.testing.assert_array_equal(own.swapaxes(1, 2), task.packing.pack_frames(task.guides(CLIPS)))
    free = task.free(CLIPS).condition.aligned
    assert free is not None
    assert not free[:, -own.shape[1] * own.shape[2] :].any()


def test_in_the_place_of_a_component_stands_the_mean_of_its_frames():
    from halfstep.packing import components_packing, fit_components

    packing = components_packing(fit_components(np.random.default_rng(0).standard_normal((64, 24)), 5), 6)
    rows = np.arange(2 * 8, dtype=np.float32).reshape(2, 8)
    np.testing.assert_array_equal(packing.pack_rows(rows), [[1.5, 5.5], [9.5, 13.5]])


def test_each_kind_is_left_out_as_often_as_was_said_and_given_in_part_half_the_time():
    task = music(BOTH, guide_dropout=0.4)
    clips, rng = np.repeat(CLIPS[:1], 1500, axis=0), np.random.default_rng(0)
    shown = task._shown(len(clips), rng)
    of_chords, of_rhythm = (shown[:, at][:, -1] for at in kind_rows(BOTH))
    for given in (of_chords, of_rhythm):
        assert (given.max(1) == 0).mean() == pytest.approx(0.4, abs=0.04)
        assert (given.min(1) == 1).mean() == pytest.approx(0.3, abs=0.04)
    both_left_out = (of_chords.max(1) == 0) & (of_rhythm.max(1) == 0)
    assert both_left_out.mean() == pytest.approx(0.16, abs=0.03)
    aligned = task.example(CLIPS, rng).condition.aligned
    assert aligned is not None
    rows = aligned[:, -guide_rows(BOTH) * 3 :].reshape(36, guide_rows(BOTH), -1).numpy()
    for at in kind_rows(BOTH):
        *values, mask = np.moveaxis(rows[:, at], 1, 0)
        assert not np.stack(values)[:, mask == 0].any()


def test_a_task_without_a_guide_draws_as_it_did_and_others_need_a_measure():
    plain = Music(MusicConfig(n_mels=96, frames=FRAMES))
    ones = [task.example(CLIPS, np.random.default_rng(3)) for task in (plain, music())]
    aligned = [one.condition.aligned for one in ones]
    assert aligned[0] is not None and aligned[1] is not None
    torch.testing.assert_close(aligned[0], aligned[1][:, : plain.aligned], rtol=0, atol=0)
    with pytest.raises(ValueError, match="what measures one is not given"):
        Music(MusicConfig(n_mels=96, frames=FRAMES, guide=CHORDS))


@pytest.mark.parametrize("wrong", [{"guide": "drums"}, {"guide_dropout": 0.0}, {"guide_dropout": 1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, str | float]):
    with pytest.raises(ValueError, match="expected"):
        MusicConfig(**wrong)  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Music, Denoiser]:
    """A network of windows of one steady sine each, an octave of them."""
    task = music(nothing_share=1.0, packing="none")
    net = UNet1dConfig(widths=(48,), blocks=(1,), attention=(False,), embedding=16, direct=True, preconditioned=True)
    diffusion = DiffusionConfig(weight="x")
    torch.manual_seed(0)
    untrained = Denoiser(net.build(Sizes(channels=task.channels, aligned=task.aligned)), diffusion.parameterization)
    many = task.example(np.tile(CLIPS, (8, 1, 1)), np.random.default_rng(UPDATES))
    untrained.calibrate(many.x, many.condition)
    config = TrainConfig(
        steps=UPDATES, batch_size=12, learning_rate=1e-2, warmup_steps=3, ema_decay=0, precision="fp32", compile="off"
    )  # fmt: skip
    trained = train(
        untrained, denoising_loss(diffusion), lambda number: task.example(CLIPS, np.random.default_rng(number)),
        tmp_path_factory.mktemp("guided") / "run", config, NoObserver(), torch.device("cpu"), lambda *_: None,
    )  # fmt: skip
    return task, trained.eval()


def test_a_guide_that_says_all_leaves_no_error_and_none_leaves_the_mean(learned: tuple[Music, Denoiser]):
    """Of pure noise the best guess is the mean, off by the power of x; given the pitch class, the window itself."""
    task, denoiser = learned
    given = task.given(CLIPS, np.zeros((12, FRAMES), np.float32), task.guides(CLIPS))
    errors = [
        errors_by_level(denoiser, example, DiffusionConfig().process.noise)["x_error/1.0"]
        for example in (given, task.free(CLIPS))
    ]
    power = float(np.square(CLIPS).mean())
    assert errors[0] < 0.4 * power
    assert errors[1] > 0.95 * power


def test_the_exported_model_follows_another_instrument(
    learned: tuple[Music, Denoiser], tmp_path: Path, tiny_manifest: Manifest
):
    """Struck tones of six harmonics, an octave away and softer, lead it through all twelve pitch classes."""
    task, denoiser = learned
    write_denoiser(denoiser, task, tmp_path / "denoiser.onnx")
    manifest = replace(
        tiny_manifest, id="guided", mel=PITCH, band_mean=tuple(map(float, MEAN)), band_std=tuple(map(float, STD)),
        denoisers=(DenoiserFile(steps=4, file="denoiser.onnx"),), guide=CHORDS, packing="none",
    )  # fmt: skip
    write_manifest(tmp_path, manifest)
    model = halfstep.load(tmp_path)
    order = np.random.default_rng(1).permutation(12)
    notes = [
        Note(start=float(k), end=k + 1.0, pitch=48 + int(pitch), velocity=20, drum=False)
        for k, pitch in enumerate(order)
    ]  # fmt: skip
    guide = Audio(np.concatenate(list(tones(notes, 12.0, 8000)))[None], 8000)
    made = chroma(log_mel(model.generate(12.0, guide=guide).samples[0], PITCH), PITCH)
    middles = [made[:, round((k + 0.5) * PITCH.frames_per_second)] for k in range(12)]
    right = [int(np.argmax(middle)) == (48 + pitch - 69) % 12 for middle, pitch in zip(middles, order, strict=True)]
    assert sum(right) >= 10  # by chance 1
