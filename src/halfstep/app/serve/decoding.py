"""An upload to sound, in a process of its own whose memory and time are bounded: what it is made of is a stranger's.

The process reads the upload and writes float32 samples of one channel; it opens no other file.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from halfstep.app.serve.limits import Limits
from halfstep.audio.files.io import Audio, read_blocks
from halfstep.errors import InputError

DONE, NOT_SOUND = 0, 2
CHILD = "import sys; from halfstep.app.serve.decoding import child; sys.exit(child(*sys.argv[1:]))"
REFUSED = "the upload is not readable as sound; give WAV, FLAC, Ogg Vorbis, Opus, MP3 or AIFF"
SPARE_SECONDS = 10.0
"""By the clock, beyond the processor time that it is allowed: a machine may be busy."""


def decoded_upload(data: bytes, sample_rate: int, limits: Limits) -> Audio:
    """Mono, at `sample_rate`, its first `upload_seconds`. InputError if it is no sound, or takes too much to decode."""
    most = round(limits.upload_seconds * sample_rate)
    with tempfile.TemporaryDirectory(prefix="halfstep-") as folder:
        source = Path(folder) / "upload"
        source.write_bytes(data)
        numbers = (sample_rate, most, round(limits.decode_seconds), limits.decode_bytes)
        command = [sys.executable, "-c", CHILD, str(source), *map(str, numbers)]
        try:
            done = subprocess.run(  # noqa: S603, ourselves
                command, capture_output=True, timeout=limits.decode_seconds + SPARE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{REFUSED}, in less time") from None
    if done.returncode != DONE or len(done.stdout) % 4:
        raise InputError(REFUSED)
    samples = np.frombuffer(done.stdout, "<f4").astype(np.float32)
    if not samples.size or not np.isfinite(samples).all():
        raise InputError(REFUSED)
    return Audio(samples[None], sample_rate)


def child(source: str, sample_rate: str, most: str, seconds: str, room: str) -> int:
    """In the process: decode to standard output. The exit code."""
    _bound(int(seconds), int(room))
    left = int(most)
    try:
        for block in read_blocks(Path(source), int(sample_rate), mono=True):
            kept = block[0, :left]
            sys.stdout.buffer.write(kept.astype("<f4").tobytes())
            left -= len(kept)
            if left <= 0:
                break
    except (InputError, MemoryError):
        return NOT_SOUND
    return DONE


def _bound(seconds: int, room: int) -> None:
    """Where the system can: processor time and address space."""
    try:
        import resource
    except ImportError:  # Windows has none; the clock remains
        return
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
