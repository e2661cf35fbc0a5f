"""A model that browsers can ask for something."""

import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from halfstep.audio.guide import RHYTHM
from halfstep.bundle import DenoiserFile, installed_vocoders, load_folder

from ..serve.conftest import CONTROLS


@pytest.fixture(scope="session")
def singing_model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """The vocoder for mels behind Gaussian noise that is shifted by what is asked of `CONTROLS`; read only."""
    shipped, folder = load_folder().manifest, tmp_path_factory.mktemp("styled")
    alone = next(one for one in installed_vocoders() if one.mel.spacing == "slaney")
    for name in alone.vocoder.files:
        shutil.copy(alone.path / name, folder)
    same, bands = {field.name: getattr(shipped, field.name) for field in fields(shipped)}, alone.mel.n_mels
    own = {
        "id": "styled", "conditions": CONTROLS, "guide": RHYTHM, "mel": alone.mel, "vocoder": alone.vocoder,
        "denoisers": (DenoiserFile(steps=1, file="denoiser-1.onnx"),), "packing": "patch", "components": None,
        "frames": 384, "stationary": None, "band_mean": tuple(np.linspace(-2, -9, bands).tolist()),
        "band_std": (1.4,) * bands,
    }  # fmt: skip
    return write_model(folder, **same | own)
