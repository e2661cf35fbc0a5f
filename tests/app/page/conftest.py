"""A model that browsers can ask for something."""

import shutil
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.guide import RHYTHM
from halfstep.bundle import DenoiserFile, installed_vocoders, load_folder

from ..serve.conftest import CONTROLS


@pytest.fixture(scope="session")
def singing_model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """The vocoder for mels behind Gaussian noise that is shifted by what is asked of `CONTROLS`; read only."""
    return _singing(tmp_path_factory.mktemp("styled"), write_model, "styled", 0)


@pytest.fixture(scope="session")
def wide_model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """The same of two channels, left the louder one; read only."""
    return _singing(tmp_path_factory.mktemp("wide"), write_model, "wide", 20)


def _singing(folder: Path, write_model: Callable[..., Path], name: str, image_bands: int) -> Path:
    shipped = load_folder().manifest
    alone = next(one for one in installed_vocoders() if one.mel.spacing == "slaney")
    for file in alone.vocoder.files:
        shutil.copy(alone.path / file, folder)
    same, bands = {field.name: getattr(shipped, field.name) for field in fields(shipped)}, alone.mel.n_mels
    own = {
        "id": name, "conditions": CONTROLS, "guide": RHYTHM, "vocoder": alone.vocoder,
        "mel": replace(alone.mel, image_bands=image_bands),
        "denoisers": (DenoiserFile(steps=1, file="denoiser-1.onnx"),), "packing": "patch", "components": None,
        "frames": 384, "stationary": None,
        "band_mean": (*np.linspace(-2, -9, bands).tolist(), *(0.8,) * image_bands, *(-0.6,) * image_bands),
        "band_std": (*(1.4,) * bands, *(0.3,) * 2 * image_bands),
    }  # fmt: skip
    return write_model(folder, **same | own)
