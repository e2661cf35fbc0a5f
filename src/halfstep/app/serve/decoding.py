"""An upload to sound or notes, in a process of its own whose memory and time are bounded: what it is made of is a
stranger's.

The process reads the upload and writes its samples, every channel as it is, or its notes; it opens no other file.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from halfstep.app.serve.limits import Limits
from halfstep.app.serve.refusals import BAD_REQUEST, Refusal
from halfstep.audio.files.depth import BITS, FLOATING
from halfstep.audio.files.io import HIGHEST_RATE, LOWEST_RATE, MOST_CHANNELS, Audio, read_blocks, read_info
from halfstep.audio.files.midi import MAGIC, MOST_SECONDS, Note, Score, read_midi
from halfstep.errors import InputError
from halfstep.fields import Fields, parse_json

DONE, NOT_READABLE, NO_READER = 0, 2, 3
CHILD = "import sys; from halfstep.app.serve import decoding; sys.exit(decoding.{}(*sys.argv[1:]))"
REFUSED = "the upload is not readable as sound; give WAV, FLAC, Ogg Vorbis, Opus, MP3 or AIFF"
NO_SCORE = "the upload is not readable as MIDI; give one with notes, of a quarter of an hour at most, or a recording"
NO_MIDI = "MIDI is not read here, as this server lacks the extra midi; give a recording"
FINE = ("PCM_32", "DOUBLE")
"""Samples that float32 would not hold."""
LEAST_BYTES = 64
SPARE_SECONDS = 10.0
"""By the clock, beyond the processor time that it is allowed: a machine may be busy."""


def check_upload(data: bytes) -> None:
    """Refusal for what cannot be a recording, before any work."""
    if len(data) < LEAST_BYTES and not data.startswith(MAGIC):
        raise Refusal(BAD_REQUEST, "the body is to be a recording: WAV, FLAC, Ogg Vorbis, Opus, MP3 or AIFF")


def decoded_upload(data: bytes, limits: Limits) -> Audio:
    """Its first `upload_seconds`, with the channels, the rate and the depth that it has; fewer seconds of more than
    `upload_samples` in all. InputError if it is no sound, or takes too much to decode.
    """
    written = _apart("sound_of", data, limits, (limits.upload_seconds, limits.upload_samples), REFUSED)
    form, _, sound = written.partition(b"\n")
    fields = Fields("the upload", parse_json(form, "the upload", REFUSED), REFUSED)
    rate, channels = (
        fields.integer("sample_rate", LOWEST_RATE, HIGHEST_RATE),
        fields.integer("channels", 1, MOST_CHANNELS),
    )
    subtype = fields.take("subtype")
    samples = np.frombuffer(sound, "<f8" if subtype in FINE else "<f4").reshape(-1, channels).T
    if not samples.size:
        raise InputError(REFUSED)
    return Audio(np.ascontiguousarray(samples), rate, subtype)


def decoded_guide(data: bytes, limits: Limits) -> Audio | Score:
    """What music is to follow: the notes of a MIDI file, or sound. InputError as for `decoded_upload`."""
    if not data.startswith(MAGIC):
        return decoded_upload(data, limits)
    fields = Fields(
        "the upload", parse_json(_apart("notes_of", data, limits, (), NO_SCORE), "the upload", NO_SCORE), NO_SCORE
    )
    seconds = fields.number("seconds", 0, MOST_SECONDS)
    notes = (
        Note(start=start, end=end, pitch=int(pitch), velocity=int(velocity), drum=bool(drum))
        for start, end, pitch, velocity, drum in fields.take("notes")
    )
    return Score(notes=tuple(notes), seconds=seconds)


def _apart(child: str, data: bytes, limits: Limits, bounds: tuple[float, ...], refused: str) -> bytes:
    """What a function of this module writes that reads the upload, in the other process. InputError with `refused`."""
    with tempfile.TemporaryDirectory(prefix="halfstep-") as folder:
        source = Path(folder) / "upload"
        source.write_bytes(data)
        numbers = (round(limits.decode_seconds), limits.decode_bytes, *bounds)
        command = [sys.executable, "-c", CHILD.format(child), str(source), *map(str, numbers)]
        try:
            done = subprocess.run(  # noqa: S603, ourselves
                command, capture_output=True, timeout=limits.decode_seconds + SPARE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"{refused}, in less time") from None
    if done.returncode != DONE:
        raise InputError(NO_MIDI if done.returncode == NO_READER else refused)
    return done.stdout


def notes_of(source: str, seconds: str, room: str) -> int:
    """In the process: a score as JSON to standard output. The exit code."""
    _bound(int(seconds), int(room))
    try:
        score = read_midi(Path(source))
    except (InputError, MemoryError):
        return NOT_READABLE
    except ImportError:
        return NO_READER
    notes = [(note.start, note.end, note.pitch, note.velocity, note.drum) for note in score.notes]
    sys.stdout.write(json.dumps({"seconds": score.seconds, "notes": notes}))
    return DONE


def sound_of(source: str, seconds: str, room: str, most_seconds: str, most_samples: str) -> int:
    """In the process: its form, a line of JSON, and its samples to standard output. The exit code."""
    _bound(int(seconds), int(room))
    try:
        info = read_info(Path(source))
        subtype = info.subtype if info.subtype in (*BITS, *FLOATING) else None
        form = {"sample_rate": info.sample_rate, "channels": info.channels, "subtype": subtype}
        sys.stdout.buffer.write(json.dumps(form).encode("ascii") + b"\n")
        left = round(min(float(most_seconds) * info.sample_rate, int(most_samples) / info.channels))
        for block in read_blocks(Path(source), mono=False, exact=True):
            kept = block[:, :left]
            sys.stdout.buffer.write(kept.T.astype("<f8" if subtype in FINE else "<f4").tobytes())
            left -= kept.shape[1]
            if left <= 0:
                break
    except (InputError, MemoryError):
        return NOT_READABLE
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
