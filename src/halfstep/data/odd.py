"""What is odd about a recording, with the figure: measured as it is decoded, said in the report, used all the same."""

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from halfstep.audio.mel import MelConfig

QUIET_LUFS = -45.0
OFFSET = 0.01
"""Of full scale, and of the sound's own level: a mean that is no chance."""
OFFSET_SHARE = 0.1
OUT_OF_PHASE = -0.5
"""Correlation of left and right; wide recordings have 0 and above."""
SAME_DB = -60.0
"""Level of the difference of two channels, against their sum."""
SILENT_DB = -60.0
"""Level of one channel against the other."""
CLIFF_DB = 30.0
LOWEST_CUT_HZ, HIGHEST_CUT_SHARE = 2000.0, 0.93
"""Where a cut-off is looked for; one nearer to what the file's rate can hold is the converter's own filter."""
BESIDE_HZ = 1000.0
ABOVE_HZ = 300.0
"""What a cut-off may take to fall."""
FLAT, FLAT_SHARE = 0.9999, 0.02
"""So near to its peak a sine has a share of .009 of its samples, music next to none; and a recording that was clipped,
whatever was done to its level then, all that was bent.
"""
FULL_SCALE = 0.999
"""Peaks above it are counted where they are heard (`track_builder`)."""
TINY = 1e-20
MEASURED_CHANNELS = 2
PART_SHARE = 0.1
"""Of the seconds: what is odd in more of them is said. A wide recording is out of phase now and then."""
SOUNDING_POWER = 1e-6
"""-60 dB: what is softer has no side and no phase that counts."""


class ChannelMeter:
    """Level, offset and agreement of the first two channels, of the whole recording and of each second."""

    def __init__(self, sample_rate: int) -> None:
        """sample_rate: of the samples that come, in Hz."""
        self._rate = sample_rate
        self._channels = 0
        self._whole, self._second = _Moments(), _Moments()
        self._odd_seconds: Counter[str] = Counter()
        self._sounding = 0
        self._peak, self._flat, self._values = 0.0, 0, 0

    def push(self, block: NDArray[np.float32]) -> None:
        """The next samples, as they were recorded."""
        measured = block[:MEASURED_CHANNELS].astype(np.float64)
        self._channels = len(block)
        self._whole.push(measured)
        self._look_for_flats(np.abs(measured))
        while measured.shape[1]:
            room = self._rate - self._second.count
            self._second.push(measured[:, :room])
            measured = measured[:, room:]
            if self._second.count == self._rate:
                self._end_second()

    def notes(self) -> list[str]:
        """What is odd; nothing of no samples."""
        notes = self._offset()
        share = self._flat / max(1, self._values)
        if share > FLAT_SHARE and 0 < self._peak < FULL_SCALE:
            notes.append(
                f"clipped, then turned down: {share:.0%} of the samples are at its peak, {self._db_peak():.1f} dB"
            )
        return notes + (self._stereo() if self._channels == MEASURED_CHANNELS else [])

    def _end_second(self) -> None:
        second, self._second = self._second, _Moments()
        covariance = second.covariance
        self._odd_seconds["offset"] += second.offset() is not None
        if covariance.diagonal().max() < SOUNDING_POWER:
            return
        self._sounding += 1
        self._odd_seconds["one side"] += _louder_side(covariance) is not None
        self._odd_seconds["out of phase"] += _correlation(covariance) < OUT_OF_PHASE

    def _offset(self) -> list[str]:
        offset = self._whole.offset()
        if offset is not None:
            return [f"a constant offset of {offset:+.3f} of full scale"]
        return self._in_part("offset", "a constant offset", self._whole.count // self._rate)

    def _stereo(self) -> list[str]:
        covariance = self._whole.covariance
        if side := _louder_side(covariance):
            below = max(-120.0, _db(covariance.diagonal().min() / (covariance.diagonal().max() + TINY) + TINY))
            return [f"only the {side} channel has sound: the other is at {below:.0f} dB"]
        correlation = _correlation(covariance)
        if correlation < OUT_OF_PHASE:
            return [f"left and right are out of phase: correlation {correlation:.2f}"]
        left, right, both = covariance[0, 0] + TINY, covariance[1, 1] + TINY, covariance[0, 1]
        apart = (left + right - 2 * both + TINY) / (left + right + 2 * both + TINY)
        if apart < 10 ** (SAME_DB / 10):
            return [f"mono in two channels: they differ by {max(-120.0, _db(apart)):.0f} dB"]
        in_part = self._in_part("out of phase", "left and right are out of phase", self._sounding)
        return in_part + self._in_part("one side", "only one channel has sound", self._sounding)

    def _in_part(self, kind: str, said: str, of: int) -> list[str]:
        """What a mean over all hides: a fault that comes and goes, or that one half has and the other has not."""
        seconds = self._odd_seconds[kind]
        return [f"{said} in {seconds} of {of} s"] if seconds > PART_SHARE * of else []

    def _look_for_flats(self, sizes: NDArray[np.float64]) -> None:
        peak = float(sizes.max(initial=0))
        if peak * FLAT > self._peak:
            self._flat = 0
        self._peak = max(self._peak, peak)
        self._flat += int(np.count_nonzero(sizes >= FLAT * self._peak))
        self._values += sizes.size

    def _db_peak(self) -> float:
        return 2 * _db(self._peak)


class _Moments:
    """First and second moments of two channels; the second of one channel stays 0."""

    def __init__(self) -> None:
        self.count = 0
        self._sums: NDArray[np.float64] = np.zeros(MEASURED_CHANNELS)
        self._products: NDArray[np.float64] = np.zeros((MEASURED_CHANNELS, MEASURED_CHANNELS))

    def push(self, samples: NDArray[np.float64]) -> None:
        """Samples [1 or 2, n]."""
        self.count += samples.shape[1]
        with np.errstate(invalid="ignore", over="ignore"):  # NaN is refused by whoever hears them next
            self._sums[: len(samples)] += samples.sum(axis=1)
            self._products[: len(samples), : len(samples)] += samples @ samples.T

    @property
    def mean(self) -> NDArray[np.float64]:
        return self._sums / max(1, self.count)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """[2, 2]: without the means."""
        with np.errstate(invalid="ignore", over="ignore"):  # as in push
            return self._products / max(1, self.count) - np.outer(self.mean, self.mean)

    def offset(self) -> float | None:
        """The mean of the channel that has the larger one, where it is no chance."""
        worst = int(np.abs(self.mean).argmax())
        level = float(np.sqrt(self._products[worst, worst] / max(1, self.count)))
        offset = float(self.mean[worst])
        return offset if abs(offset) > max(OFFSET, OFFSET_SHARE * level) else None


def _louder_side(covariance: NDArray[np.float64]) -> str | None:
    """The side that has all of the sound; None where both have some."""
    left, right = covariance.diagonal() + TINY
    if min(left, right) / max(left, right) >= 10 ** (SILENT_DB / 10):
        return None
    return "left" if left > right else "right"


def _correlation(covariance: NDArray[np.float64]) -> float:
    left, right = covariance.diagonal() + TINY
    return float(covariance[0, 1] / np.sqrt(left * right))


class BandMeter:
    """Where the spectrum of a recording ends, if that is well below what its rate can hold."""

    def __init__(self, mel: MelConfig, own_rate: int, edge: int = 0) -> None:
        """own_rate: of the recording, before it was brought to the rate of the mel. edge: frames at either end that are
        left out: one that begins or ends in the middle of a sound clicks there, at every frequency.
        """
        self._hz = np.arange(mel.bins) * mel.sample_rate / mel.n_fft
        self._limit = min(own_rate, mel.sample_rate) / 2
        self._power: NDArray[np.float64] = np.zeros(mel.bins)
        self._edge, self._passed_over = edge, 0
        self._held: NDArray[np.float32] = np.zeros((mel.bins, 0), np.float32)

    def push(self, magnitude: NDArray[np.float32]) -> None:
        """The next spectra."""
        skipped = min(self._edge - self._passed_over, magnitude.shape[1])
        self._passed_over += skipped
        frames = np.concatenate([self._held, magnitude[:, skipped:]], axis=1)
        taken = max(0, frames.shape[1] - self._edge)
        self._held = frames[:, taken:]
        self._power += np.square(frames[:, :taken], dtype=np.float64).sum(axis=1)

    def notes(self) -> list[str]:
        """What is odd: a cliff of 30 dB with nothing above it."""
        power = self._power + TINY * (1 + self._power.max())
        above = self._hz < 0.95 * self._limit
        hz, power = self._hz[above], power[above]
        for place in np.flatnonzero((hz >= LOWEST_CUT_HZ) & (hz <= HIGHEST_CUT_SHARE * self._limit)):
            below = power[(hz >= hz[place] - BESIDE_HZ) & (hz < hz[place])]
            rest = power[hz > hz[place] + ABOVE_HZ]
            if len(rest) and np.median(below) > 10 ** (CLIFF_DB / 10) * rest.max():
                edge = hz[np.flatnonzero(power > 10 ** (-CLIFF_DB / 10) * np.median(below))[-1]]
                return [f"band-limited: nothing above {edge / 1000:.1f} kHz"]
        return []


def level_notes(loudness_lufs: float) -> list[str]:
    """What is odd about how loud it is."""
    return [f"very quiet: {loudness_lufs:.1f} LUFS"] if loudness_lufs < QUIET_LUFS else []


def _db(ratio: float) -> float:
    return 10 * float(np.log10(ratio))
