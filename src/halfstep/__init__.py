"""halfstep: endless music from your own recordings.

>>> import halfstep
>>> model = halfstep.load()                      # the model inside the package; or an id, or a folder
>>> model.generate(seconds=10, seed=1).save("music.wav")
"""

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from halfstep.errors import InputError

if TYPE_CHECKING:
    from halfstep.audio.files.io import Audio
    from halfstep.generation.model import Model

__version__ = "0.1.0"

# ONNX Runtime (from 1.29 on) counts its users, keeps an id of each under the home folder and reports both. It asks this
# as it is loaded, so it stands here, before any module of ours can load it.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__all__ = ["Audio", "InputError", "Model", "__version__", "load"]
HOMES = {"Audio": "halfstep.audio.files.io", "Model": "halfstep.generation.model"}


def load(id_or_dir: str | Path | None = None) -> "Model":
    """The model with this id, or in this folder; without one, the model that comes with the package.

    Raises:
        InputError: there is no such model, or it is not whole.
    """
    # Late, so that `import halfstep` costs nothing to those who want the making half or the version alone.
    from halfstep.generation.model import load_model

    return load_model(id_or_dir)


def __getattr__(name: str) -> object:
    """`Audio` and `Model`, loaded when they are first asked for."""
    if name not in HOMES:
        raise AttributeError(f"module 'halfstep' has no attribute {name!r}")
    return getattr(importlib.import_module(HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
