"""The notes of a score as arrays, and a tempo for scores that name none. Needs numpy."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

UNNAMED_BEAT_SECONDS = 1.0
"""What LilyPond writes where a score has no tempo."""
STRUCK_PER_SECOND = (0.8, 16.0)
"""Of moments at which something is struck, the fewest and the most that can be meant."""
QUARTER_BPM_AT_PACE = 20.0
"""A usual tempo is so many quarters a minute for each moment a second: 48 for a largo, 140 for a presto."""
SLOWEST_QUARTER_BPM, FASTEST_QUARTER_BPM = 40, 132


@dataclass(frozen=True, kw_only=True)
class Score:
    """Notes [n] in order of onset, times in quarter-note beats; `loudness` is 1 for the median note.

    `tempo` [m, 2]: from beat tempo[:, 0] on, a beat lasts tempo[:, 1] seconds.
    """

    onset: FloatArray
    end: FloatArray
    pitch: IntArray
    loudness: FloatArray
    tempo: FloatArray
    bar_beats: float

    def seconds(self) -> float:
        """How long it lasts at its own tempo, from beat 0 to the last note's end."""
        last = self.end.max()
        until = np.append(self.tempo[1:, 0], np.inf).clip(max=last)
        return float(((until - self.tempo[:, 0]).clip(min=0) * self.tempo[:, 1]).sum())


def at_pace(score: Score, pace: float) -> Score:
    """`score` at its own tempo, or where that is not meant at one chosen from how often something is struck.

    Chosen is the geometric mean of a usual tempo at this pace and of that at which `pace` moments a second
    are struck: what is written in few notes is slow music more often than not. Not meant is LilyPond's tempo
    of a score that names none, and one at which no pianist strikes so seldom or often.
    """
    moments = len(np.unique(score.onset))
    beats = float(score.end.max() - score.onset.min())
    named = not np.array_equal(score.tempo[:, 1], [UNNAMED_BEAT_SECONDS])
    if named and STRUCK_PER_SECOND[0] <= moments / score.seconds() <= STRUCK_PER_SECOND[1]:
        return score
    beat_seconds = float(np.sqrt(moments / beats / pace * 60 / (QUARTER_BPM_AT_PACE * pace)))
    beat_seconds = float(np.clip(beat_seconds, 60 / FASTEST_QUARTER_BPM, 60 / SLOWEST_QUARTER_BPM))
    return replace(score, tempo=np.array([(0.0, beat_seconds)]))
