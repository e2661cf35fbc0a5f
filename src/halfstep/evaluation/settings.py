"""What an evaluation depends on: its options, and a fingerprint of everything it reads."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import halfstep
from halfstep.data.dataset import manifest_sha256
from halfstep.metrics.judges import FOLDER
from halfstep.own_folder import members


@dataclass(frozen=True, kw_only=True)
class Options:
    """See `halfstep evaluate --help`. windows: of each row; seams: of the endless stream, 0 for none; streams: of so
    many seconds, 0 for none. teacher_steps: of the undistilled network, besides its own. baselines: other runs or
    models whose rows are added. asked: of the controls of what is judged, and of the baselines, name and text. guide:
    what the model is to follow in pieces of their own, beside the rest.
    """

    data: Path | str
    out: Path
    windows: int = 256
    seed: int = 0
    embedding: str = "musicnn"
    seams: int = 200
    streams: int = 6
    stream_seconds: float = 60.0
    workers: int | None = None
    teacher_steps: tuple[int, ...] = ()
    baselines: tuple[str, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()
    guide: Path | None = None


def is_report(folder: Path) -> bool:
    """Whether a folder without a mark is a report nevertheless: they had none once."""
    return {"format", "settings", "rows"} <= members(folder / "report.json").keys()


def fingerprint(options: Options, model: dict[str, str]) -> dict[str, Any]:
    """Of the options that change what is heard, the data set, the judges, and the files of the model."""
    judges = sorted(path for path in FOLDER.iterdir() if path.suffix in (".onnx", ".json"))
    return {
        "halfstep": halfstep.__version__,
        "windows": options.windows,
        "seed": options.seed,
        "embedding": options.embedding,
        "data": manifest_sha256(options.data),
        "judges": {path.name: _sha256(path) for path in judges},
        "model": model,
        **({"asked": dict(options.asked)} if options.asked else {}),
        **({} if options.guide is None else {"guide": _sha256(options.guide)}),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
