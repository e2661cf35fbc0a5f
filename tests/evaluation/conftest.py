"""A small data set of synthetic music, prepared once, and a model that plays noise in its mel."""

from collections.abc import Callable
from pathlib import Path

import pytest

from halfstep.app.cli import run
from halfstep.audio.mel import MelConfig
from halfstep.bundle import Origin
from halfstep.data.dataset import Library
from halfstep.data.synthetic import write_pieces


@pytest.fixture(scope="session")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pieces of 14 s."""
    folder = tmp_path_factory.mktemp("evaluated") / "music"
    write_pieces(folder, 9, 14.0)
    return folder


@pytest.fixture(scope="session")
def data(music: Path) -> Path:
    out = music.parent / "data"
    assert run(["prepare", str(music), "--out", str(out), "--preset", "tiny", "--workers", "1"]) == 0
    return out


@pytest.fixture(scope="session")
def model(data: Path, write_model: Callable[..., Path]) -> Path:
    """Gaussian noise in the bands of the data set, windows of 4.46 s, 4 steps and 1."""
    library = Library(data)
    return write_model(
        data.parent / "model",
        id="gauss",
        mel=MelConfig(),
        frames=384,
        band_mean=tuple(map(float, library.band_mean)),
        band_std=tuple(map(float, library.band_std)),
        trained_on=(Origin(title="nothing", licence="CC0-1.0", source="made here", minutes=0.0),),
    )
