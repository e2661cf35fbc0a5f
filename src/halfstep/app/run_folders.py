"""A run folder where a model is asked for: it is made one, once, by the making half, which is imported only then."""

import sys
from pathlib import Path


def as_model(model: str | None) -> str | None:
    """The same, but for a run folder the model folder inside it: its teacher, at any number of steps, and its students.

    InputError for a run that is not finished.
    """
    if model is None or not (Path(model) / "config.json").is_file() or (Path(model) / "model.json").is_file():
        return model
    from halfstep.runs.playable import playable

    print(f"{model}: a run; its networks are made a model folder inside it, once", file=sys.stderr)
    return str(playable(Path(model)))
