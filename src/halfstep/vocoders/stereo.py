"""Two channels from a vocoder of one: the side is predicted from the mid, as the image says, frame by frame."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from halfstep.arrays import Complex64, Float32
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.image import between_bands, side_gains
from halfstep.audio.mel import MelConfig
from halfstep.audio.stft import OverlapStream, framed, windowed_spectra
from halfstep.vocoders.base import Vocoder

FRAMES_AT_ONCE = 16
"""Always so many, so that the samples are the same however the mel is cut."""
LEAST_DELAY_SECONDS, MOST_DELAY_SECONDS = 0.001, 0.012
MOST_DELAY_SHARE = 0.25
"""Of a frame."""
DELAYS = 120
"""Drawn evenly along the scale of bands; between them they go over into each other."""
MOST_CORRELATION = 0.9
"""Of the mid and its delayed self in a band: beyond it there is nothing to be had that they do not share."""
TINY = np.float32(1e-12)


class StereoVocoder:
    """Rows in, samples [2, n] out; a `vocoders.base.Vocoder` around one of the mid. Half a frame later than that."""

    def __init__(self, vocoder: Vocoder, mel: MelConfig) -> None:
        self._vocoder, self._mel = vocoder, mel
        self._begin()

    def _begin(self) -> None:
        self._side = SideStream(self._mel)
        self._mid = np.zeros(0, np.float32)  # that waits for its side

    def push(self, rows: Float32[np.ndarray, "rows frames"]) -> Float32[np.ndarray, "2 samples"]:
        """[mel.rows, k] -> the samples [2, n] that are settled by now; n may be 0."""
        bands, image = np.split(rows, [self._mel.n_mels])
        mid = self._vocoder.push(bands)
        return self._both(mid, self._side.push(mid, image))

    def finish(self) -> Float32[np.ndarray, "2 samples"]:
        """The samples that are left, [2, n]."""
        mid = self._vocoder.finish()
        side = np.concatenate([self._side.push(mid, self._side.nothing), self._side.finish()])
        left = self._both(mid, side)
        self._begin()
        return left

    def loop(self, rows: Float32[np.ndarray, "rows frames"]) -> Float32[np.ndarray, "2 samples"]:
        """[mel.rows, F] that repeats -> one period [2, F * hop]. A sample of the side depends on the frames around it
        alone, so that the side of a period with its ends around it wraps exactly.
        """
        bands, image = np.split(rows, [self._mel.n_mels])
        mid, hop = self._vocoder.loop(bands), self._mel.hop_length
        around = synthesis_grid(self._mel).reach + 1
        count = rows.shape[1]
        places = np.arange(-around, count + around) % count
        hops = mid.reshape(count, hop)[places]
        stream = SideStream(self._mel)
        side = np.concatenate([stream.push(hops.reshape(-1), image[:, places]), stream.finish()])
        return _left_right(mid, side[around * hop : (around + count) * hop])

    def _both(
        self, mid: Float32[np.ndarray, "new"], side: Float32[np.ndarray, "side"]
    ) -> Float32[np.ndarray, "2 side"]:
        waiting = np.concatenate([self._mid, mid])
        self._mid = waiting[len(side) :]
        return _left_right(waiting[: len(side)], side)


def with_image(vocoder: Vocoder, mel: MelConfig) -> Vocoder:
    """A vocoder of the mid as one of the rows of `mel`: itself where they have no image."""
    return StereoVocoder(vocoder, mel) if mel.image_bands else vocoder


class SideStream:
    """The side of a mid as it comes, with its image."""

    def __init__(self, mel: MelConfig) -> None:
        self._grid = side_grid(mel)
        self.nothing = np.zeros((2 * mel.image_bands, 0), np.float32)
        """An image of no frames."""
        self._image, self._last = self.nothing, self.nothing
        self._waiting = np.zeros(self._grid.lead, np.float32)
        self._sound = OverlapStream(self._grid)
        self._skipped = self._grid.lead
        self._received = self._given = 0

    def push(
        self, mid: Float32[np.ndarray, "samples"], image: Float32[np.ndarray, "image frames"]
    ) -> Float32[np.ndarray, "settled"]:
        """mid [n] and image [2 * image_bands, k] -> the samples of the side that are settled by now, [m]."""
        self._received += len(mid)
        self._waiting = np.concatenate([self._waiting, mid])
        if image.shape[1]:
            self._image, self._last = np.concatenate([self._image, image], axis=1), image[:, -1:]
        parts = [np.zeros(0, np.float32)]
        while self._image.shape[1] >= FRAMES_AT_ONCE and len(self._waiting) >= self._needed:
            parts.append(self._block())
        side = np.concatenate(parts)
        self._given += len(side)
        return side

    def finish(self) -> Float32[np.ndarray, "samples"]:
        """What is left: with it, as many samples as there were of the mid."""
        left = self._received - self._given
        if left == 0:
            return np.zeros(0, np.float32)
        assert self._last.shape[1], "sound, and no image of it"
        parts: list[Float32[np.ndarray, "samples"]] = []
        while sum(map(len, parts)) < left:
            missing = FRAMES_AT_ONCE - self._image.shape[1]
            if missing > 0:
                self._image = np.concatenate([self._image, np.repeat(self._last, missing, axis=1)], axis=1)
            self._waiting = np.pad(self._waiting, (0, max(0, self._needed - len(self._waiting))))
            parts.append(self._block())
        return np.concatenate(parts)[:left]

    @property
    def _needed(self) -> int:
        """Samples that FRAMES_AT_ONCE frames reach."""
        return (FRAMES_AT_ONCE - 1) * self._grid.hop_length + self._grid.window

    def _block(self) -> Float32[np.ndarray, "samples"]:
        grid = self._grid
        mid = windowed_spectra(framed(self._waiting[: self._needed], grid.window, grid.hop_length), grid.n_fft)
        image, self._image = self._image[:, :FRAMES_AT_ONCE], self._image[:, FRAMES_AT_ONCE:]
        self._waiting = self._waiting[FRAMES_AT_ONCE * grid.hop_length :]
        samples = self._sound.add(side_spectra(mid, image, grid))
        cut = min(self._skipped, len(samples))
        self._skipped -= cut
        return samples[cut:]


def side_grid(mel: MelConfig) -> MelConfig:
    """Of the spectra that a side is made of, with the bands of the image."""
    return replace(
        synthesis_grid(mel), n_mels=mel.image_bands, image_bands=0, spacing=mel.spacing, break_hz=mel.break_hz,
        fmin_hz=mel.fmin_hz, fmax_hz=mel.fmax_hz,
    )  # fmt: skip


def side_spectra(
    mid: Complex64[np.ndarray, "frames bins"], image: Float32[np.ndarray, "image frames"], grid: MelConfig
) -> Complex64[np.ndarray, "frames bins"]:
    """The side of spectra with this image. grid: that of the spectra, with the bands of the image."""
    real, imag = side_of_mid(np.real(mid) ** 2 + np.imag(mid) ** 2, image, grid)
    side = np.empty(mid.shape, np.complex64)
    side.real, side.imag = real, imag
    return side * mid


def side_of_mid(
    power: Float32[np.ndarray, "frames bins"], image: Float32[np.ndarray, "image frames"], grid: MelConfig
) -> tuple[Float32[np.ndarray, "frames bins"], Float32[np.ndarray, "frames bins"]]:
    """What a mid of this power is multiplied with, real and imaginary part, for the side: gains of the mid, and of the
    mid late by a few milliseconds, another time for every frequency.

    What the late mid has in common with the mid is taken off in each band of each frame, so that level and coherence
    come out as they are asked for; without that level is off by more than twice as much.
    """
    late, shared, weights = *late_turns(grid), between_bands(grid)
    correlation = (power * shared) @ weights.T / (power @ weights.T + TINY)
    correlation = np.clip(correlation, -MOST_CORRELATION, MOST_CORRELATION)
    predicted, apart = (gains.T for gains in side_gains(image))
    apart = apart / np.sqrt(1 - correlation**2)
    of_late = apart @ weights
    real = (predicted - apart * correlation) @ weights + of_late * np.real(late).copy()
    return real, of_late * np.imag(late).copy()


@lru_cache(maxsize=16)
def late_turns(grid: MelConfig) -> tuple[Complex64[np.ndarray, "bins"], Float32[np.ndarray, "bins"]]:
    """What delays each frequency by its own time, [bins]; and the real part of its turns alone. Read-only.

    Delays that change along the frequencies make of one sound two that have little in common (Boueri & Kyriakakis
    2004). A frame that is late lies less under the window that it is added with: it is raised by as much, 1 / the
    autocorrelation of the Hann window.
    """
    drawn = np.random.default_rng(0).uniform(LEAST_DELAY_SECONDS, MOST_DELAY_SECONDS, DELAYS)
    hz = np.linspace(0, grid.sample_rate / 2, grid.bins)
    along = np.log1p(hz / grid.break_hz)
    seconds = np.interp(along, np.linspace(0, along[-1], DELAYS), drawn)
    seconds = np.minimum(seconds, MOST_DELAY_SHARE * grid.window / grid.sample_rate)
    turns = np.exp(-2j * np.pi * np.cumsum(seconds) * hz[1])
    share = seconds * grid.sample_rate / grid.window
    kept = (1 - share) * (2 + np.cos(2 * np.pi * share)) / 3 + np.sin(2 * np.pi * share) / (2 * np.pi)
    late, shared = (turns / kept).astype(np.complex64), turns.real.astype(np.float32)
    for part in (late, shared):
        part.flags.writeable = False
    return late, shared


def _left_right(mid: Float32[np.ndarray, "n"], side: Float32[np.ndarray, "n"]) -> Float32[np.ndarray, "2 n"]:
    return np.stack([mid + side, mid - side])
