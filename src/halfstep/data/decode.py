"""One sound file -> one stored track, in blocks: what a worker process does."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from halfstep.arrays import Float32
from halfstep.atomic import replacing
from halfstep.audio.downmix import mixed, paired
from halfstep.audio.files import io
from halfstep.audio.files.aac import MP4, AacRecording
from halfstep.audio.files.endings import UNKNOWN_FRAMES, cut_off
from halfstep.audio.image import mid_of
from halfstep.audio.mel import MelConfig
from halfstep.audio.resampling import resampled
from halfstep.data import not_audio
from halfstep.data.labels import GENRE
from halfstep.data.odd import ChannelMeter
from halfstep.data.sources import Stamp, stamp_of
from halfstep.data.stores import LOG_MEL, STORES
from halfstep.data.track_builder import TrackBuilder, UnusableError
from halfstep.data.track_file import TrackWriter, measure
from halfstep.errors import InputError

BLOCK_SECONDS = 4.0
HASHED_AT_ONCE = 1 << 20
MOST_HOURS = 200.0
NOT_RECOGNISED = 1  # libsndfile's SF_ERR_UNRECOGNISED_FORMAT

Beat = Callable[[float], None]
"""Called with the seconds decoded so far: a sign of life and of progress."""

Facts = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DecodeConfig:
    """All that a stored track depends on, besides the file's bytes."""

    mel: MelConfig = field(default_factory=MelConfig)
    min_frames: int = 384
    """Shorter tracks are skipped: one window."""
    stores: str = LOG_MEL
    """Of each frame, a key of STORES."""

    def __post_init__(self) -> None:
        if self.stores not in STORES:
            raise ValueError(f"stores is {self.stores!r}: one of {', '.join(STORES)} was expected")
        if self.mel.image_bands and self.stores != LOG_MEL:
            raise ValueError(f"stores is {self.stores!r} with mel.image_bands: {LOG_MEL} was expected")


def identify(path: Path, stamp: Stamp, beat: Beat) -> Facts:
    """The hash of the file's bytes and the seconds of sound it declares.

    Raises:
        UnusableError: no sound that we read is in it; with the reason.
        OSError: it cannot be read, or no longer is what it was at `stamp`.
    """
    try:
        with io.open_sound(path) as sound:
            info = sound.info
    except soundfile.LibsndfileError as error:
        raise UnusableError(_why_not_opened(path, error)) from error
    except InputError as error:
        raise UnusableError(str(error).removeprefix(f"{path}: ")) from error
    if reason := io.out_of_bounds(info):
        raise UnusableError(reason)
    sha256 = _content_hash(path, beat)
    _expect_unchanged(path, stamp)
    declared = info.frames_declared if info.frames_declared < UNKNOWN_FRAMES else 0
    return {"sha256": sha256, "seconds": round(declared / info.sample_rate, 3)}


def genre_of(path: Path) -> str:
    """The genre that a file's own tags name; "" where there is none, or none that is read (MP4)."""
    with io.open_sound(path) as sound:
        return sound.tags.get(GENRE, "") if isinstance(sound, io.Recording) else ""


def _why_not_opened(path: Path, error: soundfile.LibsndfileError) -> str:
    if error.code == NOT_RECOGNISED:
        return f"not audio: {not_audio.kind(path)}"
    return f"not readable as sound: {io.complaint(error)}"


def _content_hash(path: Path, beat: Beat) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(HASHED_AT_ONCE):
            digest.update(block)
            beat(0.0)
    return digest.hexdigest()


def _expect_unchanged(path: Path, stamp: Stamp) -> None:
    if stamp_of(path) != stamp:
        raise OSError(None, "it changed while it was read")


def decode(path: Path, stamp: Stamp, out: Path, config: DecodeConfig, beat: Beat) -> Facts:
    """Store the track as `out` and return its facts, ready for JSON; constant memory for any length.

    Raises:
        UnusableError: no track comes of it; with the reason.
        OSError: the file cannot be read or no longer is what it was at `stamp`, or the disk is full.
    """
    store = STORES[config.stores]
    with io.open_sound(path) as sound, replacing(out) as partial:
        reader = _Reader(sound, config.mel)
        with partial.open("wb") as file:
            writer = TrackWriter(file, store.width(config.mel), store)
            track = TrackBuilder(writer, config.mel, config.min_frames, store, sound.info.sample_rate)
            for block in reader.blocks():
                track.push(*((block[0],) if len(block) == 1 else (mid_of(block), block)))
                beat(track.seconds)
                if track.seconds > MOST_HOURS * 3600:
                    raise UnusableError(f"longer than {MOST_HOURS:g} hours")
            ending = reader.ending(path)
            _finish(track, [*([ending] if ending else []), *reader.channels.notes()])
        stored = measure(partial, lambda: beat(track.seconds), lambda rows: store.log_mels(rows, config.mel))
        _expect_unchanged(path, stamp)
    return {
        "frames": stored.frames,
        "seconds": round(stored.frames / config.mel.frames_per_second, 3),
        "trimmed_seconds": track.trimmed_seconds,
        "loudness_lufs": track.loudness_lufs,
        "notes": [
            *(note for note in sound.notes if note != ending),
            *([ending] if ending else []),
            *reader.channels.notes(),
            *track.notes(),
        ],
        "mel_sha256": stored.sha256,
        **({} if config.stores == LOG_MEL else {"stored_sha256": stored.stored_sha256}),
        "fingerprint": stored.fingerprint,
        "moments": stored.moments.to_json(),
        "format": asdict(reader.info),
    }


def _finish(track: TrackBuilder, odd: list[str]) -> None:
    """odd: what else is known of the recording, which may be why no track comes of it."""
    try:
        track.finish()
    except UnusableError as error:
        raise UnusableError("; ".join([str(error), *odd])) from error


class _Reader:
    """Blocks [mel.channels, n] up to the end of the file, or to where it breaks."""

    def __init__(self, sound: "io.Recording | AacRecording", mel: MelConfig) -> None:
        self.info = sound.info
        self._sound, self._sample_rate = sound, mel.sample_rate
        self._mixed = mixed if mel.channels == 1 else paired
        self._got = 0
        self.channels = ChannelMeter(self.info.sample_rate)
        self._broken: str | None = None

    def blocks(self) -> Iterator[Float32[np.ndarray, "channels samples"]]:
        return resampled(self._decoded(), self.info.sample_rate, self._sample_rate)

    def ending(self, path: Path) -> str | None:
        """What is missing at the end, after all was read."""
        if self.info.format == MP4:
            return next(iter(self._sound.notes), None)
        return self._broken or cut_off(path, self.info, self._got)

    def _decoded(self) -> Iterator[Float32[np.ndarray, "channels samples"]]:
        try:
            for block in self._sound.decoded(mono=False, block_seconds=BLOCK_SECONDS):
                self._got += block.shape[1]
                self.channels.push(block)
                yield self._mixed(block)
        except soundfile.LibsndfileError as error:
            counts = f"declared {self.info.frames_declared} samples, got {self._got}"
            self._broken = f"broken: {counts} ({io.complaint(error)})"
