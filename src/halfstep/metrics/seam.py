"""Can the places where music was joined be told from any other place in it?

The statistic: how fast the log-spectrum changes at most within two frames of each seam, its logarithm averaged
over all seams (the comb). It is standardised against the same comb shifted circularly by 500 random offsets: the
spacing of the seams, and with it the beat, stays what it is. A rank test against random places alarms falsely.

What the calibration left open is set here to what separates best on real music (docs/experiments/seams.md):

- Spectra are of 1024 samples with a periodic Hann window, 512 apart, at 44.1 kHz (23.2 and 11.6 ms at any rate).
- The change between two frames is the mean over bins of |difference of log-magnitudes|, in nepers. Magnitudes
  more than 60 dB below the recording's RMS (that of a sine: the window's sum is divided out) count as silence,
  so that the score does not depend on level, nor on what nobody hears; a change below .01 counts as .01.
- "Within two frames": five differences, the nearest to the seam and two on either side.
- A comb of equal distances meets itself when it is shifted by one of them. Offsets are therefore drawn from the
  half of all offsets at which the fewest seams meet a seam; else the null has seams in it and hard cuts come to z = 7
  at most.
- Several recordings, as loops or continuations with one seam each, make one comb: each is shifted by itself.

Measured with 60 seams, always 3 s apart, in 6 recordings (orchestra, piano, electronic), mean z: continuous music
.3, hard cuts 16, cross-fades of 512 / 2048 / 8192 samples 9.1 / 5.0 / 2.8, a click of .02 5.0 (13 in quiet music,
none in loud), a dip of 20 % for 2048 samples 1.7. Over 1440 combs in 12 recordings of continuous music z has the
mean -.01 and the deviation 1.03, and |z| > 2 in 5 %.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from halfstep.arrays import Float, Float64, Int64
from halfstep.audio.stft import framed, hann

Samples = Float[np.ndarray, "..."]

HOP_SECONDS = 512 / 44100
REACH = 2
"""Frames either side of a seam that belong to it."""
SHIFTS = 500
FLOOR_DB = -60.0
"""Of a spectral line, below the recording's RMS."""
SMALLEST_CHANGE = 0.01
FRAMES_AT_ONCE = 256

LEAST_SEAMS = 200
LARGEST_Z = 2.0
LEAST_CONTROL_Z = 4.0


@dataclass(frozen=True, eq=False)
class Joined:
    """A recording and where it was joined.

    Args:
        samples: waveform [n], or [channels, n], which is mixed down.
        seams: the samples that are the first after a join, each between 1 and n - 1.
    """

    samples: Samples
    seams: Sequence[int]

    def __post_init__(self) -> None:
        length = self.samples.shape[-1]
        if not len(self.seams):
            raise ValueError(f"no seams in a recording of {length} samples: at least one was expected")
        if not (min(self.seams) > 0 and max(self.seams) < length):
            places = f"{min(self.seams)} to {max(self.seams)}"
            raise ValueError(f"seams at {places} in {length} samples: expected from 1 to {length - 1}")

    @property
    def mono(self) -> Samples:
        """The mean of the channels, [n]."""
        return self.samples if self.samples.ndim == 1 else self.samples.mean(0)


@dataclass(frozen=True, kw_only=True)
class SeamScore:
    """How far the seams stand out from other places of the same music."""

    z: float
    """Standard deviations above (+) or below (-) the shifted combs: -2 to 2 if nobody can tell."""
    p: float
    """Share of the shifted combs, and this one, that change at least as fast."""
    seams: int
    null_mean: float
    """Of the shifted combs' statistic, the mean log of the change in nepers."""
    null_std: float


@dataclass(frozen=True, kw_only=True)
class SeamTest:
    """A score beside its power control: the same music with hard cuts at the same places."""

    score: SeamScore
    control: SeamScore

    @property
    def has_power(self) -> bool:
        """Whether hard cuts would have been found."""
        return self.control.z > LEAST_CONTROL_Z

    @property
    def passes(self) -> bool:
        """Whether at least 200 seams cannot be told from the music, by a test that would tell."""
        return self.has_power and abs(self.score.z) < LARGEST_Z and self.score.seams >= LEAST_SEAMS


def seam_test(recordings: Sequence[Joined], sample_rate: int, rng: np.random.Generator) -> SeamTest:
    """The score of all seams of `recordings` taken together, and that of hard cuts in their place."""
    score = seam_score(recordings, sample_rate, rng)
    return SeamTest(score=score, control=hard_cut_control(recordings, sample_rate, rng))


def seam_score(recordings: Sequence[Joined], sample_rate: int, rng: np.random.Generator) -> SeamScore:
    """The z of the comb made of all seams of all recordings. ValueError if one is too short to shift seams in."""
    sums = [_sums(recording, sample_rate, rng) for recording in recordings]
    seams = sum(len(recording.seams) for recording in recordings)
    observed = sum(at_seams for at_seams, _ in sums) / seams
    null = np.sum([shifted for _, shifted in sums], axis=0) / seams
    mean, std = float(null.mean()), float(null.std())
    # Music that never changes has no spread: its seams stand out by nothing, or beyond any measure.
    z = float((observed - mean) / max(std, 1e-9))
    p = (1 + int((null >= observed).sum())) / (1 + SHIFTS)
    return SeamScore(z=z, p=p, seams=seams, null_mean=mean, null_std=std)


def looped(loop: Samples) -> Joined:
    """A loop [n] or [channels, n] as it repeats, its wrap in the middle: one seam.

    Repeating it more often adds copies of the same seam and no evidence. One wrap is one place among the loop's
    own, where even a hard cut has a z of about 3: for the test score 200 loops together, of other seeds.
    """
    half = loop.shape[-1] // 2
    return Joined(np.roll(loop, half, axis=-1), [half])


def hard_cut_control(recordings: Sequence[Joined], sample_rate: int, rng: np.random.Generator) -> SeamScore:
    """What the same material scores with hard cuts at the same seams: above 4, or the test has no power."""
    cut = [Joined(hard_cuts(recording, rng), recording.seams) for recording in recordings]
    return seam_score(cut, sample_rate, rng)


def hard_cuts(recording: Joined, rng: np.random.Generator) -> Samples:
    """Pieces of the recording [n] joined at its seams without a fade.

    Every piece comes from elsewhere in it, read circularly, at least an eighth of its length away from where
    the piece before would have gone on.
    """
    mono = recording.mono
    length = len(mono)
    cut, place = np.empty_like(mono), 0
    edges = [0, *sorted(recording.seams), length]
    for start, end in pairwise(edges):
        cut[start:end] = np.take(mono, np.arange(place, place + end - start), mode="wrap")
        place = (place + end - start + int(rng.integers(length // 8, length - length // 8))) % length
    return cut


def changes(samples: Samples, sample_rate: int) -> Float64[np.ndarray, "..."]:
    """How much the log-spectrum of samples [n] changes from frame to frame, in nepers, [frames - 1].

    Frame f begins at sample f * hop and is 2 hops long; there are only whole ones.
    """
    hop = round(HOP_SECONDS * sample_rate)
    window = hann(2 * hop)
    rms = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    floor = np.float32(max(rms * 10 ** (FLOOR_DB / 20) * window.sum() / 2, 1e-20))
    frames = framed(samples, 2 * hop, hop)
    parts: list[np.ndarray] = []
    for first in range(0, len(frames) - 1, FRAMES_AT_ONCE):
        spectra = np.fft.rfft(frames[first : first + FRAMES_AT_ONCE + 1] * window)
        parts.append(np.abs(np.diff(np.log(np.maximum(np.abs(spectra), floor)), axis=0)).mean(1))
    return np.concatenate([np.zeros(0), *parts])


def _sums(recording: Joined, sample_rate: int, rng: np.random.Generator) -> tuple[float, Float64[np.ndarray, "..."]]:
    """The logs of the changes summed over the seams of one recording, and over each of 500 shifted combs."""
    change = changes(np.ascontiguousarray(recording.mono, dtype=np.float32), sample_rate)
    count = len(change)
    if count < 4 * (2 * REACH + 1):
        seconds = recording.samples.shape[-1] / sample_rate
        raise ValueError(f"a recording of {seconds:.3f} s is too short to shift its seams in: .3 s or more needed")
    around = sliding_window_view(np.pad(change, REACH, mode="wrap"), 2 * REACH + 1)
    statistic = np.log(np.maximum(around.max(1), SMALLEST_CHANGE))
    # Difference f lies between the middles of frames f and f + 1, at sample (f + 1.5) * hop.
    hop = round(HOP_SECONDS * sample_rate)
    places = np.clip(np.round(np.asarray(recording.seams) / hop - 1.5).astype(np.int64), 0, count - 1)
    offsets = rng.choice(_fair_offsets(places, count), SHIFTS)
    shifted = statistic[(places[:, None] + offsets) % count].sum(0)
    return float(statistic[places].sum()), shifted


def _fair_offsets(places: Int64[np.ndarray, "..."], count: int) -> Int64[np.ndarray, "..."]:
    """The offsets of a comb, at least half of the `count` there are, at which the fewest seams meet a seam."""
    near = np.zeros(count)
    for distance in range(-2 * REACH, 2 * REACH + 1):
        near[(places + distance) % count] = 1
    combs = np.zeros(count)
    np.add.at(combs, places, 1.0)
    # Circular correlation: entry o is how many of the places, shifted by o, are near a place.
    meet = np.fft.irfft(np.fft.rfft(near) * np.conj(np.fft.rfft(combs)), count).round()
    return np.flatnonzero(meet <= np.median(meet))
