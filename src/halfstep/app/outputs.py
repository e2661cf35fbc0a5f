"""Where a piece goes: every path looked at before anything is computed."""

import errno
import math
import os
import shutil
import tempfile
from pathlib import Path

from halfstep.audio.files.io import encoding_for
from halfstep.errors import InputError

BYTES_A_SAMPLE = {"WAV": 2.0, "FLAC": 1.6, "OGG": 0.4, "MP3": 0.4}
"""Of one channel, at most or nearly: 16 bits; what FLAC leaves of loud music; 140 kbit/s."""
LONGEST_WAV = 2**32 - 4096
"""Bytes: a WAV file counts them in 32 bits."""


def checked_outputs(out: Path, count: int) -> list[Path]:
    """The files that `count` pieces are written to: OUT, or OUT-1, OUT-2 ... InputError if one cannot be."""
    encoding_for(out)
    folder = out.parent
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; make it first: mkdir -p {folder}")
    _check_writable(folder)
    numbered = [out.with_stem(f"{out.stem}-{number}") for number in range(1, count + 1)]
    paths = [out] if count == 1 else numbered
    for path in paths:
        if path.is_dir():
            raise InputError(f"{path}: a folder stands there; choose another name")
    return paths


def check_room(out: Path, samples: int, count: int) -> None:
    """OSError if the disk cannot hold `count` pieces of `samples` samples; InputError if a file cannot."""
    encoding = encoding_for(out)
    each = math.ceil(samples * BYTES_A_SAMPLE[encoding.format])
    if encoding.format == "WAV" and each > LONGEST_WAV:
        raise InputError(f"{out}: {each} bytes are more than a WAV file can hold; use .flac")
    free = shutil.disk_usage(out.parent).free
    if each * count > free:
        raise OSError(errno.ENOSPC, f"No space left: about {each * count} bytes needed, {free} free", str(out))


def _check_writable(folder: Path) -> None:
    """By writing: permissions, read-only disks and special file systems each say no in their own way."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".halfstep-", dir=folder)
    except OSError as error:
        raise InputError(f"{folder}: not writable ({error.strerror}); choose another folder") from error
    os.close(descriptor)
    Path(name).unlink()
