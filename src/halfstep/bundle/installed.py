"""Where models are: inside the package, and in the folders that HALFSTEP_MODELS names."""

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from halfstep.bundle.folder import ModelFolder, is_model_folder, open_folder
from halfstep.bundle.manifest import Manifest
from halfstep.errors import InputError
from halfstep.fields import PLAIN_NAME

VARIABLE = "HALFSTEP_MODELS"
DEFAULT = "piano"
"""The model of the package that plays when none is named."""


def load_folder(id_or_dir: str | Path | None = None) -> ModelFolder:
    """The model folder with this id or at this path; without one, the first that is installed.

    Raises:
        InputError: there is none, or it is not whole.
    """
    if id_or_dir is None:
        return _first_installed()
    if isinstance(id_or_dir, str) and PLAIN_NAME.fullmatch(id_or_dir):
        for folder in installed_folders():
            if isinstance(folder, ModelFolder) and folder.manifest.id == id_or_dir:
                return folder
    if "://" in str(id_or_dir):
        raise InputError(f"--model {id_or_dir}: an address; download the model folder first and name that")
    if not Path(id_or_dir).is_dir():
        ids = ", ".join(manifest.id for manifest in installed()) or "none"
        raise InputError(f"--model {id_or_dir}: neither a folder nor an installed model (installed: {ids})")
    return open_folder(Path(id_or_dir))


def installed() -> list[Manifest]:
    """The models that can be named by their id: the package's first, then those of HALFSTEP_MODELS."""
    return [folder.manifest for folder in installed_folders() if isinstance(folder, ModelFolder)]


def installed_folders() -> Iterator[ModelFolder | InputError]:
    """Every installed model folder; in place of one that is not whole, the reason."""
    for place in model_places():
        folders = sorted(place.iterdir(), key=lambda path: (path.name != DEFAULT, path)) if place.is_dir() else []
        for path in folders:
            if is_model_folder(path):
                try:
                    yield open_folder(path)
                except InputError as error:
                    yield error


def model_places() -> list[Path]:
    """The folders whose subfolders are models."""
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(str(resources.files("halfstep") / "models")), *(Path(place) for place in named if place)]


def _first_installed() -> ModelFolder:
    for folder in installed_folders():
        if isinstance(folder, ModelFolder):
            return folder
        raise folder
    raise InputError("no model is installed: name a folder with --model, or one's parent in HALFSTEP_MODELS")
