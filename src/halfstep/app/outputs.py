"""Where a piece goes: every path looked at before anything is opened or computed."""

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from halfstep.atomic import replaceable
from halfstep.audio.files.io import encoding_for
from halfstep.errors import InputError
from halfstep.own_folder import members

BYTES_A_SAMPLE = {"WAV": 2.0, "FLAC": 1.6, "OGG": 0.4, "MP3": 0.4}
"""Of one channel, at most or nearly: 16 bits; what FLAC leaves of loud music; 140 kbit/s."""
DEPTH_COUNTS = ("WAV", "FLAC")
"""Formats whose samples take more room the more bits they have."""
LONGEST_WAV = 2**32 - 4096
"""Bytes: a WAV file counts them in 32 bits."""


def checked_outputs(out: Path, count: int, reads: Iterable[Path] = (), pictures: Sequence[str] = ()) -> list[Path]:
    """The files that `count` pieces are written to: OUT, or OUT-1, OUT-2 ... InputError if one cannot be.

    reads: the recordings that will be read; none of them is written to. pictures: the endings of the pictures beside
    each piece, which take nobody else's place.
    """
    encoding_for(out)
    numbered = [out.with_stem(f"{out.stem}-{number}") for number in range(1, count + 1)]
    paths = [out] if count == 1 else numbered
    for path in paths:
        check_output(path, reads)
        for ending in pictures:
            picture = path.with_suffix(ending)
            check_output(picture, reads)
            check_ours(picture, _is_our_picture)
    for folder in {os.path.dirname(os.path.realpath(path)) for path in paths}:  # noqa: PTH120
        _check_writable(nearest_folder(Path(folder)))
    return paths


def make_folders(paths: Iterable[Path]) -> None:
    """Those that the files lie in: once nothing is left to refuse."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)


def nearest_folder(folder: Path) -> Path:
    """Itself, or the first above it that is there; InputError where that is no folder."""
    there = next((place for place in (folder, *folder.parents) if os.path.lexists(place)), Path("/"))
    if not there.is_dir():
        raise InputError(f"{folder}: {there} is no folder; choose another name")
    return there


def check_output(path: Path, reads: Iterable[Path] = ()) -> None:
    """InputError or OSError unless a file can be written as `path` without harm to another: through a link as cp does,
    never onto one of those it `reads`, or onto a file that has another name too.
    """
    nearest_folder(path.parent)
    target = replaceable(path)
    if not target.exists():
        return
    for recording in reads:
        if recording.exists() and target.samefile(recording):
            raise InputError(f"{path}: is a recording to be read ({recording}); give OUT another name")
    if target.stat().st_nlink > 1:
        raise InputError(f"{path}: has another name too (a hard link), whose content would change; name another file")


def check_ours(path: Path, ours: Callable[[Path], bool]) -> None:
    """InputError where a file that is not `ours` stands at `path`."""
    if path.exists() and not ours(path):
        raise InputError(f"{path}: is there, and not made by halfstep; move it, or choose another name")


def check_report(path: Path, reads: Iterable[Path] = ()) -> None:
    """The same for the report of `prepare`: it replaces another such report, and nothing else."""
    check_output(path, reads)
    check_ours(path, _is_our_report)
    _check_writable(nearest_folder(Path(os.path.realpath(path)).parent))


def check_room(out: Path, samples: int, count: int, channels: int = 1, bits: int = 16) -> None:
    """OSError if the disk cannot hold `count` pieces of `samples` samples a channel; InputError if a file cannot."""
    encoding = encoding_for(out)
    deeper = bits / 16 if encoding.format in DEPTH_COUNTS else 1
    each = math.ceil(samples * channels * deeper * BYTES_A_SAMPLE[encoding.format])
    if encoding.format == "WAV" and each > LONGEST_WAV:
        raise InputError(f"{out}: {each} bytes are more than a WAV file can hold; use .flac")
    free = shutil.disk_usage(nearest_folder(Path(os.path.realpath(out)).parent)).free
    if each * count > free:
        raise OSError(errno.ENOSPC, f"No space left: about {each * count} bytes needed, {free} free", str(out))


def _is_our_picture(path: Path) -> bool:
    from halfstep.audio.picture import MADE_BY

    with path.open("rb") as file:
        return MADE_BY in file.read(1 << 10)


def _is_our_report(path: Path) -> bool:
    return {"found", "used", "skipped", "failed", "flagged"} <= members(path).keys()


def _check_writable(folder: Path) -> None:
    """By writing: permissions, read-only disks and special file systems each say no in their own way."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".halfstep-", dir=folder)
    except OSError as error:
        raise InputError(f"{folder}: not writable ({error.strerror}); choose another folder") from error
    os.close(descriptor)
    Path(name).unlink()
