"""A guide: what music is to follow, frame by frame, measured alike of the windows that a model learns from and of the
sound that it is given to follow.

Of neither kind does it matter how loud the sound is, or which instrument plays it, as far as bands can tell: chords are
shares of the frame's strongest pitch class, a rhythm is shares of the strongest onsets of each group of bands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from halfstep.arrays import Float, Float32, Float64
from halfstep.audio.chroma import CLASSES, chroma
from halfstep.audio.mel import MelConfig, band_edges_hz
from halfstep.audio.onsets import LEAST_NEPERS, onset_rises

CHORDS, RHYTHM, BOTH, NO_GUIDE = "chords", "rhythm", "both", "none"
SMOOTHED_SECONDS = 0.5
"""A chord is what sounds around a moment, under a bell so wide: which of its notes comes first is left to the music."""
SOUNDS = 0.25
"""Of a planned chord that fades out, the strongest pitch class is below it."""
SILENT = 1e-3
"""60 dB below the loudest moment no chord sounds."""
RHYTHM_EDGES_HZ = (200.0, 2000.0)
"""Between the groups of bands in which onsets count: of kicks, snares and hats, roughly."""
STRONG = 0.98
"""Onsets as strong as this quantile of all frames, and stronger, are 1."""

Bands = Float[np.ndarray, "bands frames"]


def chords(log_bands: Bands, mel: MelConfig) -> Float32[np.ndarray, "12 frames"]:
    """How much of every pitch class sounds, from A up, 1 for the strongest; all 0 in silence."""
    smooth = _smoothed(chroma(log_bands, mel), smoothing_reach(mel))
    least = max(SILENT * smooth.max(initial=0), 1e-12)
    return (smooth / np.maximum(smooth.max(axis=0), least)).astype(np.float32)


def rhythm(log_bands: Bands, mel: MelConfig) -> Float32[np.ndarray, "3 frames"]:
    """What sets in, low, middle and high, 0 to 1."""
    return as_shares(group_rises(log_bands, mel))


def group_rises(log_bands: Bands, mel: MelConfig) -> Float64[np.ndarray, "3 frames"]:
    """What sets in, low, middle and high, in nepers."""
    groups = np.split(log_bands.astype(np.float32), group_edges(mel))
    return np.stack([_rises(group) for group in groups])


def group_edges(mel: MelConfig) -> list[int]:
    """The first band of every group but the lowest."""
    return np.searchsorted(band_edges_hz(mel)[1:-1], RHYTHM_EDGES_HZ).tolist()


def as_shares(rises: Float64[np.ndarray, "3 frames"]) -> Float32[np.ndarray, "3 frames"]:
    """Of the strongest onsets of each group, 1 at most."""
    if not rises.shape[1]:
        return rises.astype(np.float32)
    strong = np.maximum(np.quantile(rises, STRONG, axis=1, keepdims=True), LEAST_NEPERS)
    return np.minimum(rises / strong, 1).astype(np.float32)


def _rises(levels: Float32[np.ndarray, "bands frames"]) -> Float64[np.ndarray, "frames"]:
    if not len(levels) or levels.shape[1] < 2:
        return np.zeros(levels.shape[1])
    return np.pad(onset_rises(levels), (1, 0))


def smoothing_reach(mel: MelConfig) -> int:
    """Of a chord's bell, in frames to each side."""
    return max(1, round(SMOOTHED_SECONDS * mel.frames_per_second / 2))


def _smoothed(rows: Float64[np.ndarray, "rows frames"], reach: int) -> Float64[np.ndarray, "rows frames"]:
    """Under Hann's bell, so many frames to each side; at the ends, the part of it that lies inside."""
    bell, frames = np.hanning(2 * reach + 1), rows.shape[1]
    within = [np.convolve(row, bell)[reach : reach + frames] for row in (*rows, np.ones(frames))]
    return np.stack(within[:-1]) / within[-1]


@dataclass(frozen=True)
class GuideKind:
    """values: rows of it. of: log bands of sound -> them. root_mean, root_std: of their roots, roughly."""

    values: int
    of: Callable[[Bands, MelConfig], Float32[np.ndarray, "values frames"]]
    root_mean: float
    root_std: float


GUIDE_KINDS = {
    CHORDS: GuideKind(CLASSES, chords, 0.41, 0.29),
    RHYTHM: GuideKind(len(RHYTHM_EDGES_HZ) + 1, rhythm, 0.37, 0.23),
}
GUIDES: dict[str, tuple[str, ...]] = {NO_GUIDE: (), CHORDS: (CHORDS,), RHYTHM: (RHYTHM,), BOTH: (CHORDS, RHYTHM)}
"""What a model can be given to follow -> the kinds of it, in their order."""


def guide_rows(guide: str) -> int:
    """Rows of a guide: the values of each kind, and below them one that is 1 where they are given."""
    return sum(GUIDE_KINDS[kind].values + 1 for kind in GUIDES[guide])


def kind_rows(guide: str) -> list[slice]:
    """Where the rows of each kind stand, whether they are given among them."""
    ends = np.cumsum([0, *(GUIDE_KINDS[kind].values + 1 for kind in GUIDES[guide])]).tolist()
    return [slice(begin, end) for begin, end in pairwise(ends)]


def rows_of_kind(kind: str, guide: str) -> slice:
    """Where one kind stands, whether it is given among them; of a guide that has it."""
    return kind_rows(guide)[GUIDES[guide].index(kind)]


def measured_guide(guide: str, of_kind: Mapping[str, Bands], mel: MelConfig) -> Float32[np.ndarray, "rows frames"]:
    """The guide of log bands [n_mels, frames], of each kind its own; 0 where there are none, which is nothing given."""
    frames = max(bands.shape[1] for bands in of_kind.values())
    rows = np.zeros((guide_rows(guide), frames), np.float32)
    for kind, at in zip(GUIDES[guide], kind_rows(guide), strict=True):
        if kind in of_kind:
            rows[at] = np.concatenate([GUIDE_KINDS[kind].of(of_kind[kind], mel), np.ones((1, frames), np.float32)])
    return rows


def guide_values(guide: str) -> int:
    """Values of a guide, of all kinds."""
    return sum(GUIDE_KINDS[kind].values for kind in GUIDES[guide])


def given_rows(guide: str) -> list[int]:
    """Of a guide's rows, those that say whether a kind is given."""
    return [at.stop - 1 for at in kind_rows(guide)]


def to_plan(guide: str, rows: Float32[np.ndarray, "rows frames"]) -> Float32[np.ndarray, "values frames"]:
    """The values of a guide, as plans are learned: their roots, of which small ones are not lost in noise."""
    return np.sqrt(np.delete(rows, given_rows(guide), axis=0))


def from_plan(guide: str, values: Float32[np.ndarray, "values frames"]) -> Float32[np.ndarray, "rows frames"]:
    """A guide, all of it given, of what `to_plan` gives, or a network made like it: nothing below 0 or beyond 1, the
    strongest pitch class 1 wherever something sounds.
    """
    squares, rows = np.clip(values, 0, 1) ** 2, np.ones((guide_rows(guide), values.shape[1]), np.float32)
    parts = np.split(squares, np.cumsum([GUIDE_KINDS[kind].values for kind in GUIDES[guide]])[:-1])
    for kind, at, part in zip(GUIDES[guide], kind_rows(guide), parts, strict=True):
        most = part.max(axis=0)
        rows[at.start : at.stop - 1] = part / np.where(most > SOUNDS, most, 1) if kind == CHORDS else part
    return rows


def plan_mean_std(guide: str) -> tuple[Float32[np.ndarray, "values"], Float32[np.ndarray, "values"]]:
    """By which what `to_plan` gives is standardised, a value each."""
    kinds = [GUIDE_KINDS[kind] for kind in GUIDES[guide]]
    mean = [kind.root_mean for kind in kinds for _ in range(kind.values)]
    std = [kind.root_std for kind in kinds for _ in range(kind.values)]
    return np.array(mean, np.float32), np.array(std, np.float32)
