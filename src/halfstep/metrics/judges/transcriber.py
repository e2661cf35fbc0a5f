"""An independent transcriber: which notes a listener would write down, by basic-pitch (Bittner et al. 2022).

The network is Spotify's `nmp.onnx`, Apache-2.0: LICENCE-basic-pitch.txt beside this file. It tells, 86 times a second,
how likely each of 88 keys sounds and how likely it sets in; how notes are picked from that is ours.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.ndimage
import soxr

from halfstep.arrays import Float32, Int, Num
from halfstep.bundle.session import onnx_session
from halfstep.metrics.judges import FOLDER

SAMPLE_RATE, HOP = 22050, 256
INPUT_SAMPLES, INPUT_FRAMES = 43844, 172
EDGE_FRAMES = 15
"""At either end of what the network is given it knows too little: those frames are the neighbour's."""
LOWEST_KEY, KEYS = 21, 88
"""MIDI number of the lowest; how many there are."""
ONSET, SOUNDING = 0.5, 0.3
"""How sure the network must be: basic-pitch's own thresholds."""
SHORTEST_SECONDS, GAP_SECONDS = 0.06, 0.13
"""What is shorter is no note; a note goes on over a doubt that is no longer."""
FRAMES_PER_SECOND = SAMPLE_RATE / HOP


@dataclass(frozen=True, eq=False, kw_only=True)
class Notes:
    """Notes by onset: onset and duration in seconds [n], MIDI key [n]."""

    onset: Num[np.ndarray, "notes"]
    duration: Num[np.ndarray, "notes"]
    key: Int[np.ndarray, "notes"]

    def __len__(self) -> int:
        return len(self.key)


class Transcriber:
    """The network of the package, on one thread."""

    def __init__(self) -> None:
        self._session = onnx_session(FOLDER / "basic_pitch.onnx")

    def notes(self, samples: Float32[np.ndarray, "..."], sample_rate: int) -> Notes:
        """Of mono samples [n]."""
        sounding, onset = self.likelihoods(samples, sample_rate)
        return pick_notes(sounding, onset)

    def likelihoods(
        self, samples: Float32[np.ndarray, "..."], sample_rate: int
    ) -> tuple[Float32[np.ndarray, "..."], Float32[np.ndarray, "..."]]:
        """(sounding, setting in), each [frames, KEYS]: frame f is at f * HOP / SAMPLE_RATE seconds."""
        at_22k = soxr.resample(np.asarray(samples, np.float32), sample_rate, SAMPLE_RATE)
        frames = -(-len(at_22k) // HOP)
        step = INPUT_FRAMES - 2 * EDGE_FRAMES
        pieces = -(-frames // step)
        padded = np.zeros(EDGE_FRAMES * HOP + max(0, pieces - 1) * step * HOP + INPUT_SAMPLES, np.float32)
        padded[EDGE_FRAMES * HOP :][: len(at_22k)] = at_22k
        nothing = np.zeros((0, KEYS), np.float32)
        parts = [(nothing, nothing)]
        for at in range(pieces):
            piece = padded[at * step * HOP :][:INPUT_SAMPLES]
            asked = self._session.run(
                ["StatefulPartitionedCall:1", "StatefulPartitionedCall:2"],
                {"serving_default_input_2:0": piece[None, :, None]},
            )
            sounding, onset = (np.asarray(one, np.float32)[0, EDGE_FRAMES:-EDGE_FRAMES] for one in asked)
            parts.append((sounding, onset))
        sounding, onset = (np.concatenate(part)[:frames] for part in zip(*parts, strict=True))
        return sounding, onset


@lru_cache(maxsize=1)
def transcriber() -> Transcriber:
    """One for the process."""
    return Transcriber()


def pick_notes(sounding: Float32[np.ndarray, "..."], onset: Float32[np.ndarray, "..."]) -> Notes:
    """From likelihoods [frames, KEYS]: a note begins at a peak of `onset`, and ends where it sounds no more.

    It sounds on over a gap of GAP_SECONDS, and no longer than to the key's next onset.
    """
    gap = 1 + round(GAP_SECONDS * FRAMES_PER_SECOND)
    padded = np.pad(sounding >= SOUNDING, ((gap, gap), (0, 0)))
    silent = np.logical_not(scipy.ndimage.binary_closing(padded, np.ones((gap, 1))))[gap:-gap]
    padded = np.pad(onset, ((1, 1), (0, 0)))
    begins = (onset >= ONSET) & (onset > padded[:-2]) & (onset >= padded[2:]) & ~silent
    frames = len(onset)
    stops = np.where(silent, np.arange(frames)[:, None], frames)
    silence = np.minimum.accumulate(stops[::-1], axis=0)[::-1]
    key, start = np.nonzero(begins.T)
    again = np.append(np.where(np.diff(key) == 0, start[1:], frames), frames) if len(key) else start
    frames_long = np.minimum(silence[start, key], again) - start
    kept = frames_long >= SHORTEST_SECONDS * FRAMES_PER_SECOND
    key, start, frames_long = key[kept], start[kept], frames_long[kept]
    order = np.lexsort((key, start))
    return Notes(
        onset=start[order] / FRAMES_PER_SECOND, duration=frames_long[order] / FRAMES_PER_SECOND,
        key=key[order] + LOWEST_KEY,
    )  # fmt: skip
