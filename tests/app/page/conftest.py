"""A model that browsers can ask for something."""

import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from halfstep.audio.guide import RHYTHM
from halfstep.bundle import DenoiserFile, load_folder

from ..serve.conftest import CONTROLS


@pytest.fixture(scope="session")
def singing_model(tmp_path_factory: pytest.TempPathFactory, write_model: Callable[..., Path]) -> Path:
    """A vocoder of the package behind Gaussian noise that is shifted by what is asked of `CONTROLS`; read only."""
    shipped, folder = load_folder("piano"), tmp_path_factory.mktemp("styled")
    files, components = shipped.manifest.vocoder, shipped.manifest.components
    assert files is not None
    assert components is not None
    for name in (*files.files, components.file):
        shutil.copy(shipped.path / name, folder)
    same = {field.name: getattr(shipped.manifest, field.name) for field in fields(shipped.manifest)}
    own = {
        "id": "styled",
        "conditions": CONTROLS,
        "guide": RHYTHM,
        "denoisers": (DenoiserFile(steps=1, file="denoiser-1.onnx"),),
    }
    return write_model(folder, **same | own)
