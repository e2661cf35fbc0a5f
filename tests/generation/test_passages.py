"""Passages: the stream's own sound, its bands at the same place, and the same music from a later moment on."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

import halfstep
from halfstep.audio.mel import log_mel
from halfstep.bundle import Manifest
from halfstep.generation.canvas import Canvas
from halfstep.generation.noise import seed_noise
from halfstep.generation.passages import PASSAGE_FRAMES, Passage, passages
from halfstep.generation.requests import Piece
from halfstep.generation.window import Network, WindowSampler


def joined(passages: list[Passage]) -> tuple[np.ndarray, np.ndarray]:
    """Bands [n_mels, frames] and samples [n] of passages in a row."""
    bands = np.concatenate([one.log_mel for one in passages], axis=1)
    return bands, np.concatenate([one.samples[0] for one in passages])


@pytest.mark.parametrize("piece", [Piece(seconds=5, seed=3), Piece(seconds=5, seed=3, toward=4, steps=1)])
def test_from_the_beginning_the_samples_are_those_of_the_stream(tiny_model: Path, piece: Piece):
    model = halfstep.load(tiny_model)
    passages = list(islice(model.passages(piece), 30))
    _, samples = joined(passages)
    stream = model.stream(piece.seed, piece.steps, 1.0, toward=piece.toward, over_seconds=5)
    first = np.concatenate([block.samples[0] for block in islice(stream, 4)])
    np.testing.assert_array_equal(samples[: len(first)], first[: len(samples)])
    assert [one.frame for one in passages] == list(range(0, 30 * PASSAGE_FRAMES, PASSAGE_FRAMES))


def test_bands_and_sound_belong_together():
    """Of the model in the package, whose vocoder makes the sound that its bands ask for."""
    model = halfstep.load()
    bands, samples = joined(list(islice(model.passages(Piece(seconds=5, seed=1, steps=1)), 10)))
    measured = log_mel(samples, model.manifest.mel)[:, : bands.shape[1]]
    middle = slice(20, -20)
    together = np.corrcoef(measured[:, middle].ravel(), bands[:, middle].ravel())[0, 1]
    shifted = np.corrcoef(measured[:, middle].ravel(), np.roll(bands, 8, axis=1)[:, middle].ravel())[0, 1]
    assert together > 0.95
    assert shifted < together - 0.01


class Means:
    """A vocoder whose every sample is a thousandth of the mean of its frame."""

    def push(self, log_mel: np.ndarray) -> np.ndarray:
        return np.repeat(log_mel.mean(axis=0) / 1000, 64).astype(np.float32)

    def finish(self) -> np.ndarray:
        return np.zeros(0, np.float32)

    def loop(self, log_mel: np.ndarray) -> np.ndarray:
        return self.push(log_mel)


@pytest.mark.parametrize("first", [0, 63, 70, 200, 1000])
def test_from_any_frame_on_bands_and_sound_are_those_of_the_piece_two_windows_sooner(
    tiny_manifest: Manifest, first: int
):
    """x_hat = z at t = 1, so that every frame is its own noise; windows of 96 frames begin 60 apart or so."""
    calls: list[int] = []
    network: Network = lambda z_t, *_: (calls.append(1), -z_t)[1]  # noqa: E731
    made = WindowSampler(network, replace(tiny_manifest, frames=96), 1)
    noise = seed_noise(8, 5)
    result = list(islice(passages(made, Canvas(init_noise=noise), Means(), first, gain=1.0), 4))
    bands, samples = joined(result)
    np.testing.assert_allclose(made.standardised(bands), noise(first, first + bands.shape[1]), atol=1e-4)
    np.testing.assert_allclose(samples, np.repeat(bands.mean(axis=0) / 1000, 64), atol=1e-6)
    assert [one.frame for one in result] == [first + sum(one.log_mel.shape[1] for one in result[:k]) for k in range(4)]
    assert len(calls) <= 5


@pytest.mark.parametrize("first", [5, 40, 333])
def test_from_a_later_frame_on_it_is_the_same_music(tiny_model: Path, first: int):
    model = halfstep.load(tiny_model)
    piece = Piece(seconds=5, seed=2, steps=4)
    whole, _ = joined(list(islice(model.passages(piece), 30)))
    later = list(islice(model.passages(piece, first), 5))
    bands, samples = joined(later)
    assert later[0].frame == first
    assert len(samples) == bands.shape[1] * model.manifest.mel.hop_length
    expected = whole[:, first : first + bands.shape[1]]
    assert np.corrcoef(bands.ravel(), expected.ravel())[0, 1] > 0.99
