"""What of a recording is context: the frames at its end, or its start, that see nothing but the recording."""

import math
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.image import rows_of
from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.generation.takes import Form

EDGE = 64
"""Samples more than needed: at another rate none is lost to rounding."""


@dataclass(frozen=True, eq=False)
class KnownEnd:
    """The rows [mel.rows, k] of a recording's end, and the samples where its frames begin and end."""

    log_mel: Float32[np.ndarray, "bands frames"]
    begin: int
    end: int


def tail_samples(mel: MelConfig, frames: int) -> int:
    """How much of a recording's end holds `frames` frames that see nothing beyond it."""
    return (_lead_hops(mel) + frames) * mel.hop_length + mel.lead


def known_end(tail: Float32[np.ndarray, "channels samples"], mel: MelConfig) -> KnownEnd:
    """What is known of a recording by its tail [mel.channels, n]: frames whose whole analysis window lies in it.

    Beyond its edges there is no silence, just nothing known. InputError if there are fewer than two such frames.
    """
    first = _lead_hops(mel)
    end = (tail.shape[1] - mel.lead) // mel.hop_length
    _expect_frames(end - first, tail.shape[1], mel)
    return KnownEnd(rows_of(tail, mel)[:, first:end], first * mel.hop_length, end * mel.hop_length)


def known_start(
    head: Float32[np.ndarray, "channels samples"], start: int, frames: int, mel: MelConfig
) -> Float32[np.ndarray, "bands frames"]:
    """The rows [mel.rows, at most `frames`] of a recording's head [mel.channels, n], its first frame at sample `start`.

    start: at least `mel.lead`, so that the frame sees nothing before the recording. InputError as above.
    """
    lead = _lead_hops(mel)
    before = max(0, lead * mel.hop_length - start)
    padded = np.pad(head[:, max(0, start - lead * mel.hop_length) :], ((0, 0), (before, 0)))
    whole = min(frames, (padded.shape[1] - mel.lead) // mel.hop_length - lead)
    _expect_frames(whole, head.shape[1], mel)
    return rows_of(padded[:, : (lead + whole) * mel.hop_length + mel.lead], mel)[:, lead : lead + whole]


def side_samples(form: Form, mel: MelConfig, frames: int) -> int:
    """How much of a recording, at its own rate, is enough of a side."""
    return math.ceil(tail_samples(mel, frames) * form.sample_rate / mel.sample_rate) + EDGE


def least_samples(form: Form, mel: MelConfig) -> int:
    """The least of a recording that anything can be joined to."""
    return at_rate(tail_samples(mel, 2) + mel.hop_length, mel, form)


def at_rate(place: int, mel: MelConfig, form: Form) -> int:
    """A place counted in samples of the model, in those of a recording."""
    return math.ceil(place * form.sample_rate / mel.sample_rate)


def _lead_hops(mel: MelConfig) -> int:
    return math.ceil(mel.lead / mel.hop_length)


def _expect_frames(frames: int, samples: int, mel: MelConfig) -> None:
    if frames < 2:
        needed = (tail_samples(mel, 2) + mel.hop_length) / mel.sample_rate
        seconds = samples / mel.sample_rate
        raise InputError(f"the recording to continue: {seconds:.3f} s long, at least {needed:.3f} s are needed")
