"""What is odd about a recording, with the figure: measured as it is decoded, said in the report, used all the same."""

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


class ChannelMeter:
    """Level, offset and agreement of the first two channels."""

    def __init__(self) -> None:
        self._count = 0
        self._channels = 0
        self._sums: NDArray[np.float64] = np.zeros(MEASURED_CHANNELS)
        self._products: NDArray[np.float64] = np.zeros((MEASURED_CHANNELS, MEASURED_CHANNELS))
        self._peak, self._flat, self._values = 0.0, 0, 0

    def push(self, block: NDArray[np.float32]) -> None:
        """The next samples, as they were recorded."""
        measured = block[:MEASURED_CHANNELS].astype(np.float64)
        self._channels, self._count = len(block), self._count + block.shape[1]
        with np.errstate(invalid="ignore", over="ignore"):  # NaN is refused by whoever hears them next
            self._sums[: len(measured)] += measured.sum(axis=1)
            self._products[: len(measured), : len(measured)] += measured @ measured.T
        self._look_for_flats(np.abs(measured))

    def notes(self) -> list[str]:
        """What is odd; nothing of no samples."""
        mean, power = self._sums / max(1, self._count), self._products / max(1, self._count)
        worst = int(np.abs(mean).argmax())
        level = float(np.sqrt(power[worst, worst]))
        notes = []
        if abs(mean[worst]) > max(OFFSET, OFFSET_SHARE * level):
            notes.append(f"a constant offset of {mean[worst]:+.3f} of full scale")
        share = self._flat / max(1, self._values)
        if share > FLAT_SHARE and 0 < self._peak < FULL_SCALE:
            notes.append(
                f"clipped, then turned down: {share:.0%} of the samples are at its peak, {self._db_peak():.1f} dB"
            )
        if self._channels == MEASURED_CHANNELS:
            notes += self._stereo(power - np.outer(mean, mean))
        return notes

    def _look_for_flats(self, sizes: NDArray[np.float64]) -> None:
        peak = float(sizes.max(initial=0))
        if peak * FLAT > self._peak:
            self._flat = 0
        self._peak = max(self._peak, peak)
        self._flat += int(np.count_nonzero(sizes >= FLAT * self._peak))
        self._values += sizes.size

    def _db_peak(self) -> float:
        return 2 * _db(self._peak)

    @staticmethod
    def _stereo(power: NDArray[np.float64]) -> list[str]:
        left, right, both = power[0, 0] + TINY, power[1, 1] + TINY, power[0, 1]
        if min(left, right) / max(left, right) < 10 ** (SILENT_DB / 10):
            side = "left" if left > right else "right"
            below = max(-120.0, _db(min(left, right) / max(left, right)))
            return [f"only the {side} channel has sound: the other is at {below:.0f} dB"]
        correlation = float(both / np.sqrt(left * right))
        if correlation < OUT_OF_PHASE:
            return [f"left and right are out of phase: correlation {correlation:.2f}"]
        apart = (left + right - 2 * both + TINY) / (left + right + 2 * both + TINY)
        if apart < 10 ** (SAME_DB / 10):
            return [f"mono in two channels: they differ by {max(-120.0, _db(apart)):.0f} dB"]
        return []


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
