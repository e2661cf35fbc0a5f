"""What a passage becomes on its way: MP3, Opus, or the blocks that the page plays and draws."""

import struct
from dataclasses import replace
from typing import Protocol

import numpy as np

from halfstep.arrays import Float32, Int16, UInt8
from halfstep.audio.files.streaming import STREAM_ENCODERS
from halfstep.audio.mel import MelConfig
from halfstep.generation.passages import Passage

BLOCKS = "blocks"
"""The name of the page's own format."""
BLOCK_HEAD = struct.Struct("<IId")  # frames, bands, the number of the first frame
LOWEST_LEVEL, HIGHEST_LEVEL = -11.5, 6.5
"""Natural logarithms of magnitude that 0 and 255 stand for in a block's bands."""
FULL_SCALE = 32767


class Encoder(Protocol):
    """Passages in, bytes out, in the station's thread."""

    @property
    def head(self) -> bytes:
        """What every listener is sent first."""
        ...

    def push(self, passage: Passage) -> bytes:
        """The bytes that are whole by now; there may be none."""
        ...


class _File:
    """A format of sound files."""

    def __init__(self, ending: str, mel: MelConfig, channels: int) -> None:
        self._stream = STREAM_ENCODERS[ending](mel.sample_rate, channels)

    @property
    def head(self) -> bytes:
        return self._stream.head

    def push(self, passage: Passage) -> bytes:
        return self._stream.push(passage.samples)


class _Blocks:
    """The bands without the image, which the page does not draw."""

    head = b""

    def __init__(self, mel: MelConfig) -> None:
        self._bands = mel.n_mels

    def push(self, passage: Passage) -> bytes:
        return block_bytes(replace(passage, log_mel=passage.log_mel[: self._bands]))


def encoder(kind: str, mel: MelConfig, channels: int) -> Encoder:
    """For `BLOCKS`, or the ending of a file. ValueError for a sample rate that the format does not have."""
    return _Blocks(mel) if kind == BLOCKS else _File(kind, mel, channels)


def block_bytes(passage: Passage) -> bytes:
    """Little-endian: frames and bands (uint32), the first frame's number (float64), the samples of one channel after
    the other (int16), then every frame's bands (uint8), lowest first.
    """
    bands, frames = passage.log_mel.shape
    head = BLOCK_HEAD.pack(frames, bands, passage.frame)
    return head + as_int16(passage.samples).tobytes() + levels(passage.log_mel).T.tobytes()


def as_int16(samples: Float32[np.ndarray, "*shape"]) -> Int16[np.ndarray, "*shape"]:
    """As 16 bits, little-endian."""
    return np.round(samples * FULL_SCALE).astype("<i2")


def levels(log_mel: Float32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Log magnitudes as bytes, for the eye: .6 dB a step."""
    share = (log_mel - LOWEST_LEVEL) / (HIGHEST_LEVEL - LOWEST_LEVEL)
    return np.clip(np.round(share * 255), 0, 255).astype(np.uint8)
