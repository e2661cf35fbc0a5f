"""The picture of a piece is drawn as the piece passes, in memory that does not grow with it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from halfstep.app import thumbnail
from halfstep.app.thumbnail import Thumbnail
from halfstep.audio.mel import MelConfig, log_mel

MEL = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=8)


def noise(samples: int) -> np.ndarray:
    return np.random.default_rng(0).uniform(-1, 1, (2, samples)).astype(np.float32)


def watched(piece: np.ndarray, block: int) -> Thumbnail:
    seen = Thumbnail(MEL)
    passed = seen.watching(piece[:, at : at + block] for at in range(0, piece.shape[1], block))
    np.testing.assert_array_equal(np.concatenate(list(passed), axis=1), piece)
    return seen


@pytest.mark.parametrize("block", [100, 5000])
def test_a_short_piece_is_its_mel(block: int):
    piece = noise(5000)
    np.testing.assert_allclose(watched(piece, block).columns, log_mel(piece.mean(axis=0), MEL), atol=1e-5)


@pytest.mark.parametrize("block", [64, 999, 100_000])
def test_a_long_piece_is_averaged_by_powers_of_two(block: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thumbnail, "MOST_COLUMNS", 16)
    piece = noise(64 * 100)
    seen = watched(piece, block)
    assert seen.frames_a_column == 8
    assert 8 <= seen.columns.shape[1] <= 16
    mel = log_mel(piece.mean(axis=0), MEL)[:, : 8 * seen.columns.shape[1]]
    np.testing.assert_allclose(seen.columns, mel.reshape(8, -1, 8).mean(axis=2), atol=1e-5)


def test_the_picture_of_an_averaged_piece_is_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(thumbnail, "MOST_COLUMNS", 16)
    watched(noise(64 * 100), 640).save(tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert picture.width > 100
