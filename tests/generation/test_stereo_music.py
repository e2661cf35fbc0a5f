"""A model of two channels plays wherever one of one does: its image is its own, a recording's channels are kept."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.app.cli import run
from halfstep.app.play.stage import Stage, Wanted, staged
from halfstep.app.serve.formats import BLOCK_HEAD, BLOCKS, encoder
from halfstep.audio.files.io import Audio, read, write
from halfstep.audio.image import MOST_LEVEL
from halfstep.bundle import Manifest, read_manifest
from halfstep.generation.level import measured_loudness
from halfstep.generation.model import Model
from halfstep.generation.requests import Piece
from halfstep.metrics.stereo_image import level_and_coherence

LEFT_BY = np.log(4)
"""Nepers, 12 dB: where the model has its music, on average."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path], tiny_manifest: Manifest) -> Path:
    mel = replace(tiny_manifest.mel, image_bands=3)
    band = {
        "band_mean": (*tiny_manifest.band_mean, *3 * [LEFT_BY], *3 * [-1.5]),
        "band_std": (*tiny_manifest.band_std, *6 * [0.2]),
    }
    return write_model(tmp_path_factory.mktemp("models") / "wide", mel=mel, **band)


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return halfstep.load(folder)


@pytest.fixture(scope="module")
def piece(model: Model) -> np.ndarray:
    return model.generate(2, seed=1).samples


@pytest.fixture(scope="module")
def pair() -> np.ndarray:
    """A recording [2, n] with its music on the right."""
    sound = 0.1 * np.random.default_rng(0).standard_normal(9001).astype(np.float32)
    return np.stack([0.25 * sound, sound])


def level(samples: np.ndarray) -> float:
    """Of left over right, dB."""
    its, _, weights = level_and_coherence(samples, 8000)
    return float((its * weights).sum())


def test_a_folder_says_that_it_has_an_image(folder: Path):
    assert json.loads((folder / "model.json").read_text())["mel"]["image_bands"] == 3
    manifest = read_manifest(folder)
    assert (manifest.mel.channels, manifest.mel.rows, len(manifest.band_mean)) == (2, 14, 14)


def test_music_has_two_channels_and_the_image_that_the_network_made(piece: np.ndarray):
    assert piece.shape == (2, 16000)
    assert level(piece) == pytest.approx(12, abs=1.5)


@pytest.mark.parametrize("block_seconds", [0.77])
def test_streamed_is_the_same_piece(model: Model, piece: np.ndarray, block_seconds: float):
    blocks = itertools.islice(model.stream(seed=1, block_seconds=block_seconds), round(2 / block_seconds) + 1)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in blocks], axis=1)[:, :16000], piece[:, :16000])


def test_passages_are_the_stream_beside_its_rows(model: Model, piece: np.ndarray):
    passages = list(itertools.islice(model.passages(Piece(seconds=2, seed=1)), 6))
    samples = np.concatenate([passage.samples for passage in passages], axis=1)
    np.testing.assert_array_equal(samples[:, :16000], piece[:, : samples.shape[1]])
    blocks, mel = encoder(BLOCKS, model.manifest.mel, 2), model.manifest.mel
    frames = passages[0].log_mel.shape[1]
    data = blocks.push(passages[0])
    assert BLOCK_HEAD.unpack(data[: BLOCK_HEAD.size])[:2] == (frames, mel.n_mels)
    assert len(data) == BLOCK_HEAD.size + 2 * 2 * frames * mel.hop_length + frames * mel.n_mels


def test_a_loop_wraps_as_smoothly_as_it_goes_on(model: Model):
    loop = model.generate(1.5, seed=3, loop=True).samples
    assert loop.shape == (2, 12000)
    steps = np.abs(np.diff(np.tile(loop, 2), axis=1))
    assert steps[:, 11900:12100].max() < 1.5 * steps[:, 3000:9000].max()


def test_what_goes_on_from_a_pair_has_the_models_image_and_the_pairs_level(model: Model, pair: np.ndarray):
    out = model.generate(2, context=Audio(pair, 8000)).samples
    assert out.shape == (2, 25001)
    np.testing.assert_array_equal(out[:, :8000], pair[:, :8000])
    assert level(out[:, :8000]) == pytest.approx(-12, abs=0.5)
    assert level(out[:, 12000:]) == pytest.approx(12, abs=1.5)
    old, new = (np.square(part).sum(axis=0).mean() for part in (pair, out[:, 9001:]))
    assert 10 * np.log10(new / old) == pytest.approx(0, abs=2)


@pytest.mark.parametrize("channels", [1, 6])
def test_other_channels_than_two_are_kept(model: Model, pair: np.ndarray, channels: int):
    recording = np.repeat(pair[:1], channels, axis=0)
    out = model.generate(0.5, context=Audio(recording, 8000)).samples
    assert out.shape == (channels, 13001)
    np.testing.assert_array_equal(out[:, :8000], recording[:, :8000])
    assert np.abs(out[:, 9100:]).max() > 1e-3


def test_gaps_loops_and_mended_spans_keep_every_sample_outside_the_blend(
    model: Model, pair: np.ndarray, tmp_path: Path
):
    blended = model.manifest.mel.n_fft
    bridge = model.generate(0.5, context=Audio(pair, 8000), into=Audio(pair[:, :5000], 8000)).samples
    assert bridge.shape == (2, 18001)
    np.testing.assert_array_equal(bridge[:, : 9001 - blended], pair[:, : 9001 - blended])
    np.testing.assert_array_equal(bridge[:, 13001 + blended :], pair[:, blended:5000])
    loop = model.generate(0.5, context=Audio(pair, 8000), loop=True).samples
    np.testing.assert_array_equal(loop[:, blended : 9001 - blended], pair[:, blended : 9001 - blended])
    write(tmp_path / "take.wav", [np.repeat(pair, 2, axis=1)], 16000, {}, exact=True)
    mended = model.mend(tmp_path / "take.wav", 0.5, 0.55)
    assert (mended.samples.shape, mended.sample_rate) == ((2, 18002), 16000)
    np.testing.assert_array_equal(mended.samples[:, 9400:], read(tmp_path / "take.wav").samples[:, 9400:])


def test_vocode_keeps_a_pairs_image_and_a_single_channel_single(model: Model, pair: np.ndarray):
    again = model.vocode(Audio(pair, 8000)).samples
    assert again.shape == (2, 9001)
    assert level(again) == pytest.approx(-12, abs=1)
    assert model.vocode(Audio(pair[:1], 8000)).samples.shape == (1, 9001)


def test_how_loud_it_is_counts_both_channels(model: Model, pair: np.ndarray):
    """One sound in both is 3 dB louder than in one."""
    mel = model.manifest.mel
    one, two = (measured_loudness(iter([np.repeat(pair[1:], n, axis=0)]), each) for n, each in ((1, mel.mid), (2, mel)))
    assert two - one == pytest.approx(3.01, abs=0.01)


def test_the_stage_plays_both_channels(model: Model, piece: np.ndarray):
    blocks = staged(model, Stage(Wanted(seed=1)), 0.25)
    next(blocks)
    np.testing.assert_array_equal(next(blocks).samples, piece[:, 2000:4000])


@pytest.mark.parametrize("ending", ["wav", "ogg"])
def test_files_have_two_channels(folder: Path, tmp_path: Path, ending: str):
    out = tmp_path / f"out.{ending}"
    assert run(["generate", str(out), "--model", str(folder), "--seconds", "1"]) == 0
    assert read(out).samples.shape == (2, 8000)


def test_hard_left_is_as_far_as_an_image_goes(model: Model):
    rows = np.zeros((14, 200), np.float32)
    rows[:8], rows[8:11], rows[11:] = -2, 9.0, -9.0
    vocoder = model.engine.vocoder()
    pair = np.concatenate([vocoder.push(rows), vocoder.finish()], axis=1)
    assert level(pair) == pytest.approx(20 * MOST_LEVEL / np.log(10), abs=1)


def test_restyled_a_little_a_pair_is_where_it_was_and_a_lot_where_the_model_is(model: Model, pair: np.ndarray):
    kept, new = (model.restyle(Audio(pair, 8000), strength) for strength in (0.0, 1.0))
    assert kept.samples.shape == new.samples.shape == (2, 9001)
    assert level(kept.samples) == pytest.approx(-12, abs=1)
    assert level(new.samples) == pytest.approx(12, abs=1.5)
