"""What a data set stores of each frame of a track: its log-mel, or the samples of its hop.

Frame f of either is the sound around sample f * hop + hop / 2, so that both are cut, trimmed and drawn by one rule.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from halfstep.arrays import Float32, Shaped
from halfstep.audio.image import ImageStream
from halfstep.audio.mel import LogMelStream, MelConfig, magnitude_to_log_mel

Rows = Shaped[np.ndarray, "frames width"]
"""Frames as they lie on the disk, [k, width]."""


class LazyRows:
    """Rows [frames, width] that are made when the first of them are asked for; a slice of it is an array."""

    def __init__(self, frames: int, make: Callable[[], Rows]) -> None:
        self._frames, self._make = frames, make

    def __len__(self) -> int:
        return self._frames

    def __getitem__(self, rows: slice) -> Rows:
        return self._made[rows]

    @cached_property
    def _made(self) -> Rows:
        return self._make()


FULL_SCALE = 32768
"""int16 of the sample 1.0: what is 16-bit already is stored exactly."""


class Framer(Protocol):
    """Samples and the spectra of their mid, as they come, to frames [width, k]."""

    def hear(self, samples: Float32[np.ndarray, "channels samples"]) -> None:
        """The next samples [mel.channels, n]."""
        ...

    def take(self, magnitude: Float32[np.ndarray, "bins frames"]) -> Float32[np.ndarray, "width frames"]:
        """The frames whose spectra [bins, k] are now known; past the end of the samples there is silence."""
        ...


class LogMelFramer:
    """Frames are log-mels [n_mels, k], and of two channels the image below them: [rows, k]."""

    def __init__(self, mel: MelConfig) -> None:
        self._mel = mel
        self._image = ImageStream(mel) if mel.image_bands else None
        self._waiting = np.zeros((2 * mel.image_bands, 0), np.float32)

    def hear(self, samples: Float32[np.ndarray, "channels samples"]) -> None:
        """Of one channel the spectra say it all."""
        if self._image is not None:
            self._waiting = np.concatenate([self._waiting, self._image.push(samples)], axis=1)

    def take(self, magnitude: Float32[np.ndarray, "bins frames"]) -> Float32[np.ndarray, "width frames"]:
        bands = magnitude_to_log_mel(magnitude, self._mel)
        if self._image is None:
            return bands
        wanted = bands.shape[1]
        if self._waiting.shape[1] < wanted:  # the last frames, which reach past the end
            self._waiting = np.concatenate([self._waiting, self._image.finish()], axis=1)
        image, self._waiting = np.split(self._waiting, [wanted], axis=1)
        return np.concatenate([bands, image])


class WaveformFramer:
    """Frames are the samples of a hop [hop_length, k]."""

    def __init__(self, mel: MelConfig) -> None:
        self._hop = mel.hop_length
        self._waiting = np.zeros(0, np.float32)

    def hear(self, samples: Float32[np.ndarray, "channels samples"]) -> None:
        self._waiting = np.concatenate([self._waiting, samples[0].astype(np.float32, copy=False)])

    def take(self, magnitude: Float32[np.ndarray, "bins frames"]) -> Float32[np.ndarray, "width frames"]:
        wanted = magnitude.shape[1] * self._hop
        taken, self._waiting = self._waiting[:wanted], self._waiting[wanted:]
        return np.pad(taken, (0, wanted - len(taken))).reshape(-1, self._hop).T


@dataclass(frozen=True, kw_only=True)
class Store:
    """dtype: of a stored value. width: values a frame. framer: sound to frames. encode: frames [width, k] to rows.

    log_mels: a track's rows, block by block, to its log-mels [k, rows] float16, which both kinds are measured by.
    clip: rows [frames, width] to what a task is given, float32, standardised by the bands' mean and 1 / deviation:
    a log-mel window [rows, frames], or samples [frames * hop_length] in [-1, 1] as they are.
    """

    dtype: np.dtype
    width: Callable[[MelConfig], int]
    framer: Callable[[MelConfig], Framer]
    encode: Callable[[Float32[np.ndarray, "width frames"]], Rows]
    log_mels: Callable[[Iterator[Rows], MelConfig], Iterator[Rows]]
    clip: Callable[
        [Rows, Float32[np.ndarray, "bands"], Float32[np.ndarray, "bands"]], Float32[np.ndarray, "width frames"]
    ]


def _encode_log_mel(frames: Float32[np.ndarray, "width frames"]) -> Rows:
    return np.ascontiguousarray(frames.T, dtype="<f2")


def _log_mel_clip(
    rows: Rows, mean: Float32[np.ndarray, "bands"], inverse: Float32[np.ndarray, "bands"]
) -> Float32[np.ndarray, "bands frames"]:
    return ((rows.astype(np.float32) - mean) * inverse).T


def _encode_samples(frames: Float32[np.ndarray, "width frames"]) -> Rows:
    """What is beyond full scale is clipped."""
    return np.ascontiguousarray(np.clip(np.rint(frames.T * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1), dtype="<i2")


def decoded(rows: Rows) -> Float32[np.ndarray, "samples"]:
    """Stored samples [k, hop_length] -> samples [k * hop_length]."""
    return rows.reshape(-1).astype(np.float32) * np.float32(1 / FULL_SCALE)


def _log_mels(rows: Iterator[Rows], mel: MelConfig) -> Iterator[Rows]:
    stream = LogMelStream(mel)
    for block in rows:
        yield _encode_log_mel(stream.push(decoded(block)))
    yield _encode_log_mel(stream.finish())


LOG_MEL = "log-mel"
WAVEFORM = "waveform"
STORES = {
    LOG_MEL: Store(
        dtype=np.dtype("<f2"), width=lambda mel: mel.rows, framer=LogMelFramer, encode=_encode_log_mel,
        log_mels=lambda rows, mel: rows, clip=_log_mel_clip,
    ),
    WAVEFORM: Store(
        dtype=np.dtype("<i2"), width=lambda mel: mel.hop_length, framer=WaveformFramer, encode=_encode_samples,
        log_mels=_log_mels, clip=lambda rows, mean, inverse: decoded(rows),
    ),
}  # fmt: skip
