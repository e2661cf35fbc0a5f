"""Where models are: inside the package, and in the folders that HALFSTEP_MODELS names."""

import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from halfstep.addresses import is_address
from halfstep.bundle.folder import ModelFolder, is_model_folder, open_folder
from halfstep.bundle.manifest import Manifest
from halfstep.bundle.model_json import FILE_NAME as MODEL_CARD
from halfstep.bundle.remote import fetched
from halfstep.bundle.vocoder_folder import VocoderFolder, is_vocoder_folder, open_vocoder_folder
from halfstep.errors import InputError, NamedError, unbraced
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
    shown = unbraced(id_or_dir)
    if isinstance(id_or_dir, str) and is_address(id_or_dir):
        return fetched(id_or_dir)
    if not Path(id_or_dir).is_dir():
        ids = ", ".join(manifest.id for manifest in installed()) or "none"
        raise NamedError(f"{{model}} {shown}: neither a folder nor an installed model (installed: {ids})")
    return open_folder(Path(id_or_dir))


def installed() -> list[Manifest]:
    """The models that can be named by their id: the package's first, then those of HALFSTEP_MODELS."""
    return [folder.manifest for folder in installed_folders() if isinstance(folder, ModelFolder)]


def installed_folders() -> Iterator[ModelFolder | InputError]:
    """Every installed model folder; in place of one that is not whole, the reason."""
    for place in model_places():
        try:
            folders = sorted(place.iterdir(), key=lambda path: (path.name != DEFAULT, path)) if place.is_dir() else []
        except OSError as error:
            yield InputError(_unreadable(place, error))
            continue
        for path in folders:
            try:
                if is_model_folder(path):
                    yield open_folder(path)
            except InputError as error:
                yield error
            except OSError as error:  # one odd folder hides no others
                yield InputError(f"{path}: {error.strerror}; change its permissions, or take it away")


def installed_vocoders() -> Iterator[VocoderFolder]:
    """Those of installed models, then those in folders of their own. InputError where one of these is not whole."""
    for folder in installed_folders():
        if isinstance(folder, ModelFolder) and folder.manifest.vocoder is not None:
            manifest, vocoder = folder.manifest, folder.manifest.vocoder
            yield VocoderFolder(
                path=folder.path, mel=manifest.mel.mid, vocoder=vocoder, files=manifest.files, card=MODEL_CARD
            )
    for place in model_places():
        try:
            folders = sorted(path for path in place.iterdir() if is_vocoder_folder(path)) if place.is_dir() else []
        except OSError as error:
            raise InputError(_unreadable(place, error)) from None
        yield from map(open_vocoder_folder, folders)


def _unreadable(place: Path, error: OSError) -> str:
    return f"{place}: {error.strerror}; change its permissions, or take it out of {VARIABLE}"


def model_places() -> list[Path]:
    """The folders whose subfolders are models."""
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return [Path(str(resources.files("halfstep") / "models")), *(Path(place) for place in named if place)]


def _first_installed() -> ModelFolder:
    for folder in installed_folders():
        if isinstance(folder, ModelFolder):
            return folder
        raise folder
    raise NamedError("no model is installed: name a folder with {model}, or one's parent in HALFSTEP_MODELS")
