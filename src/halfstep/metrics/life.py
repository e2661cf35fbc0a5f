"""Does long music stay alive, without fading, drifting, freezing, repeating, falling silent? One pass over it."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from halfstep.arrays import Bool, Float32, Float64
from halfstep.audio.loudness import ABSOLUTE_GATE_LUFS, k_weights, lufs
from halfstep.audio.mel import MagnitudeStream, MelConfig, magnitude_to_log_mel
from halfstep.metrics.boxes import places, smoothed

# Drift: loudness and centroid of blocks that do not overlap.
BLOCK_SECONDS = 3.0
# Repetition: windows begin so often that any repeated three seconds hold a whole one.
WINDOW_SECONDS = 2.0
STEP_SECONDS = 0.5
BANDS = 32
HOP_SECONDS = 512 / 44100
BOX_FRAMES = 2
"""Frames are averaged over this many, 23 ms: all that is kept of the music."""
SMOOTHING_BOXES = 21
EVERY = 8
"""Of the smoothed boxes, those a window is compared by."""
SAME_NEPERS = 0.05
"""What moves less than this does not move: a chord held for ever repeats. Music moves by .15 and more."""
REPEATED_COSINE = 0.99
CANDIDATES_AT_ONCE = 512

SILENCE_DB = -60.0


@dataclass(frozen=True, kw_only=True)
class Life:
    """What became of a piece of music in the course of its length."""

    seconds: float
    loudness_slope_db: float
    """dB a minute; nan if fewer than two blocks can be heard."""
    centroid_slope_cents: float
    """Cents a minute, + is brighter; nan as above."""
    repeated_share: float
    """Share of audible windows that are found again, with a mel cosine above .99, where they do not overlap."""
    longest_silence_seconds: float
    """Every sample of every channel within -60 dBFS."""
    longest_zeros_seconds: float
    """Every sample exactly 0."""

    @property
    def loudness_drift_db(self) -> float:
        """From the beginning to the end, along the fitted line."""
        return self.loudness_slope_db * self.seconds / 60

    @property
    def centroid_drift_cents(self) -> float:
        """From the beginning to the end, along the fitted line."""
        return self.centroid_slope_cents * self.seconds / 60


def life(blocks: Iterable[Float32[np.ndarray, "channels samples"]], sample_rate: int) -> Life:
    """Of a waveform in blocks [n] or [channels, n]; how it is split changes nothing. ValueError below 6 s.

    Loudness is that of ITU-R BS.1770 in blocks of 3 s, one after the other, with its absolute gate at -70 LUFS
    but without the relative one, which would leave out the end of a long fade. The spectral centroid is that of
    the magnitudes, summed over the same blocks. Both slopes are least squares over the blocks of which more
    than half can be heard. Music moves by itself: compare with pieces of the same length of the music learned
    from.

    A window is 2 s of log-mel less the mean of each band over the window: what moves in it, whatever its level.
    32 bands, smoothed over .25 s so that a repetition is found wherever it falls.

    Memory: 6 kB a second. Time: the search for repetitions grows with the square of the length.
    """
    meter = LifeMeter(sample_rate)
    for block in blocks:
        meter.push(block)
    return meter.finish()


class LifeMeter:
    """The same, for a caller who has something else to do with the blocks: `push` each, then `finish`."""

    def __init__(self, sample_rate: int) -> None:
        hop = 2 * round(HOP_SECONDS * sample_rate / 2)
        self._mel = MelConfig(sample_rate=sample_rate, n_fft=4 * hop, hop_length=hop, n_mels=BANDS)
        self._magnitudes = MagnitudeStream(self._mel)
        self._weights = k_weights(self._mel)
        self._waiting = np.zeros((0, BANDS + 3), np.float32)
        self._boxes = [self._waiting]
        self._silence, self._zeros = LongestRun(), LongestRun()
        self._samples = 0

    def push(self, block: Float32[np.ndarray, "..."]) -> None:
        """The next samples, [n] or [channels, n]."""
        channels = np.atleast_2d(block)
        peak = np.abs(channels).max(0)
        self._silence.push(peak <= 10 ** (SILENCE_DB / 20))
        self._zeros.push(peak == 0)
        self._samples += len(peak)
        self._keep(self._magnitudes.push(channels.mean(0)))

    def finish(self) -> Life:
        """Of all that was pushed."""
        self._keep(self._magnitudes.finish())
        rate = self._mel.sample_rate
        if self._samples < 2 * BLOCK_SECONDS * rate:
            raise ValueError(f"{self._samples / rate:.3f} s of music: at least {2 * BLOCK_SECONDS:g} s were expected")
        boxes = np.concatenate(self._boxes)
        boxes_per_second = self._mel.frames_per_second / BOX_FRAMES
        loudness_slope, centroid_slope = _slopes(boxes[:, BANDS:], boxes_per_second)
        return Life(
            seconds=self._samples / rate,
            loudness_slope_db=loudness_slope,
            centroid_slope_cents=centroid_slope,
            repeated_share=_repeated_share(boxes, boxes_per_second),
            longest_silence_seconds=self._silence.longest / rate,
            longest_zeros_seconds=self._zeros.longest / rate,
        )

    def _keep(self, magnitude: Float32[np.ndarray, "..."]) -> None:
        """Boxes [BANDS + 3]: log-mel, K-weighted power, and the two sums whose ratio is the centroid in Hz."""
        hz = np.linspace(0, self._mel.sample_rate / 2, self._mel.bins, dtype=np.float32)
        sums = np.stack([self._weights @ np.square(magnitude), hz @ magnitude, magnitude.sum(0)])
        frames = np.concatenate([magnitude_to_log_mel(magnitude, self._mel), sums]).T
        frames = np.concatenate([self._waiting, frames])
        whole = len(frames) // BOX_FRAMES * BOX_FRAMES
        self._waiting = frames[whole:]
        self._boxes.append(frames[:whole].reshape(-1, BOX_FRAMES, BANDS + 3).mean(1))


class LongestRun:
    """The longest stretch of true values in a series that arrives in blocks."""

    def __init__(self) -> None:
        self.longest = 0
        self._running = 0

    def push(self, inside: Bool[np.ndarray, "..."]) -> None:
        """The next values, [n]."""
        outside = np.flatnonzero(~inside)
        ends = np.concatenate([[-1 - self._running], outside, [len(inside)]])
        self.longest = max(self.longest, int(np.diff(ends).max()) - 1)
        self._running = len(inside) - 1 - int(outside[-1]) if len(outside) else self._running + len(inside)


def _slopes(sums: Float32[np.ndarray, "..."], boxes_per_second: float) -> tuple[float, float]:
    """(dB, cents) a minute from boxes of power, hertz times magnitude and magnitude, [n, 3]."""
    size = round(BLOCK_SECONDS * boxes_per_second)
    count = len(sums) // size
    boxes = sums[: count * size].astype(np.float64).reshape(count, size, 3)
    audible = lufs(boxes[:, :, 0]) > ABSOLUTE_GATE_LUFS
    sounding = audible.mean(1) > 0.5  # what is left of a note at the edge of a rest is no block
    if sounding.sum() < 2:
        return float("nan"), float("nan")
    blocks = (boxes * audible[:, :, None]).sum(1)[sounding] / audible.sum(1)[sounding, None]
    minutes = np.flatnonzero(sounding) * size / boxes_per_second / 60
    cents = 1200 * np.log2(blocks[:, 1] / blocks[:, 2])
    return _slope(minutes, lufs(blocks[:, 0])), _slope(minutes, cents)


def _slope(x: Float64[np.ndarray, "n"], y: Float64[np.ndarray, "n"]) -> float:
    centred = x - x.mean()
    return float(centred @ y / (centred @ centred))


def _repeated_share(boxes: Float32[np.ndarray, "..."], boxes_per_second: float) -> float:
    """Share of the audible windows that are found elsewhere; 0 if none is audible."""
    size = round(WINDOW_SECONDS * boxes_per_second)
    windows = places(smoothed(boxes[:, :BANDS], SMOOTHING_BOXES), size, EVERY)
    power = sliding_window_view(boxes[:, BANDS], size)
    starts = np.arange(0, len(windows), round(STEP_SECONDS * boxes_per_second))
    starts = starts[lufs(power[starts].mean(1, dtype=np.float64)) > ABSOLUTE_GATE_LUFS]
    if not len(starts):
        return 0.0
    asked = _unit(windows[starts])
    best = np.full(len(starts), -1.0, np.float32)
    for first in range(0, len(windows), CANDIDATES_AT_ONCE):
        cosine = _unit(windows[first : first + CANDIDATES_AT_ONCE]) @ asked.T
        begins = np.arange(first, first + len(cosine))
        cosine[np.abs(begins[:, None] - starts) < size] = -1
        best = np.maximum(best, cosine.max(0))
    return float((best > REPEATED_COSINE).mean())


def _unit(windows: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """[k, BANDS, m] -> [k, BANDS * m + 1] of length 1; the last entry is what makes two still windows alike."""
    moving = windows - windows.mean(2, keepdims=True)
    flat = moving.reshape(len(windows), -1)
    still = np.full((len(flat), 1), SAME_NEPERS * np.sqrt(flat.shape[1]), np.float32)
    vectors = np.concatenate([flat, still], axis=1)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
