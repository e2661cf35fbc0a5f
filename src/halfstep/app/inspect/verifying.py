"""`halfstep verify`: what a folder is, and everything in it that is not whole or not finite."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from halfstep import bundle
from halfstep.errors import InputError

FRAMES_AT_ONCE = 1 << 16


def kind_and_problems(path: Path) -> tuple[str, list[str]]:
    """("model" | "vocoder" | "data set" | "run", its problems, a line each). InputError if it is none of these."""
    for kind, mark, look in KINDS:
        if (path / mark).is_file():
            return kind, look(path)
    marks = ", ".join(mark for _, mark, _ in KINDS)
    raise InputError(f"{path}: neither a model nor a data set nor a run (none of {marks} in it)")


def _data_set(path: Path) -> list[str]:
    """Every track there, of the declared shape, every frame a number."""
    from halfstep.data.dataset import Library, Track
    from halfstep.data.stores import STORES
    from halfstep.data.track_file import is_whole

    def problem(track: Track) -> str | None:
        file = path / track.file
        try:
            frames = library.array(track)
        except InputError as error:
            return str(error)
        blocks = (frames[start : start + FRAMES_AT_ONCE] for start in range(0, len(frames), FRAMES_AT_ONCE))
        whole = all(np.isfinite(block).all() for block in blocks)
        if not whole:
            return f"{file}: holds values that are not finite; prepare again"
        same = is_whole(file, rows[track.file], STORES[library.stores], library.width, track.sha256)
        return None if same else f"{file}: its content does not match its checksum; prepare again"

    try:
        library = Library(path)
    except InputError as error:
        return [str(error)]
    rows: dict[str, int] = {}  # several tracks may be parts of one file
    for track in library.tracks:
        rows[track.file] = max(rows.get(track.file, 0), track.first_frame + track.frames)
    return list(dict.fromkeys(line for track in library.tracks if (line := problem(track))))


def _run(path: Path) -> list[str]:
    """Every checkpoint and every network kept: its checksum, and every weight a number."""
    from halfstep.training.checkpoint import load_tensors

    problems: list[str] = []
    for file in sorted(path.rglob("*.safetensors")):
        try:
            load_tensors(file)
        except ValueError as error:
            problems.append(f"{error}; the same training command again goes on from what is whole")
    return problems


KINDS: list[tuple[str, str, Callable[[Path], list[str]]]] = [
    ("model", "model.json", bundle.verify),
    ("vocoder", "vocoder.json", bundle.verify_vocoder),
    ("data set", "dataset.json", _data_set),
    ("run", "config.json", _run),
]
