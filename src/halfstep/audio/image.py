"""The stereo image: per wide band and frame how much louder left is than right, and how alike the two are.

A recording of two channels is its mid, (left + right) / 2, whose bands are those of a mono recording, and beside them
`image_bands` rows of level, ln sqrt(power of left / power of right), then as many of spread, -atanh(coherence): all in
nepers, as bands are. Coherence is the real part of the normalised cross-spectrum: 1 for one sound in both channels,
whatever its level in each, 0 for two that have nothing in common, below 0 out of phase. Phases are not kept.

To play it, the side (left - right) / 2 is predicted from the mid (`side_gains`): so left and right are mid + side and
mid - side, and their mean is the mid again, exactly. After parametric stereo (Breebaart, van de Par, Kohlrausch &
Schuijers 2005), with the prediction of MPEG-D USAC's stereo.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

import numpy as np

from halfstep.arrays import Complex64, Float, Float32
from halfstep.audio.mel import LogMelStream, MelConfig, SpectraStream, band_edges_hz, bands_of, filterbank

USUAL_IMAGE_BANDS = 20
"""Twelve leave an error of 2.2 dB in level where 20 leave 1.2 (docs/experiments/stereo.md)."""
MOST_LEVEL = 3.45
"""Nepers, 30 dB: beyond it a sound is in one channel alone."""
LEAST_SPREAD, MOST_SPREAD = -3.45, 1.1
"""Coherence of .998 and of -.8: below that the mid, of which both channels are made, has nearly nothing of them."""
FAINT_POWER = 1e-6
"""Of a bin: 120 dB below a sine at full scale. What is fainter has no image, which is that of one channel."""

Products: TypeAlias = tuple[
    Float32[np.ndarray, "frames bins"], Float32[np.ndarray, "frames bins"], Float32[np.ndarray, "frames bins"]
]
"""The power of left, of right, and the real part of their product."""
Powers: TypeAlias = tuple[
    Float32[np.ndarray, "bands frames"], Float32[np.ndarray, "bands frames"], Float32[np.ndarray, "bands frames"]
]
"""The same in bands."""


@lru_cache(maxsize=16)
def image_config(mel: MelConfig) -> MelConfig:
    """The bands of the image as bands of a spectrum, on the same frames."""
    return replace(mel, n_mels=mel.image_bands, image_bands=0)


def image_rows(
    left: Complex64[np.ndarray, "frames bins"], right: Complex64[np.ndarray, "frames bins"], mel: MelConfig
) -> Float32[np.ndarray, "image frames"]:
    """The image of two spectra, [2 * image_bands, frames]."""
    return image_of(products(left, right), mel)


def image_of(of_spectra: Products, mel: MelConfig) -> Float32[np.ndarray, "image frames"]:
    """The same of the `products` of two spectra."""
    of_left, of_right, of_both = _in_bands(of_spectra, image_config(mel))
    coherence = of_both / np.sqrt(of_left * of_right)
    spread = -np.arctanh(np.clip(coherence, -np.tanh(MOST_SPREAD), -np.tanh(LEAST_SPREAD)))
    level = np.clip(0.5 * np.log(of_left / of_right), -MOST_LEVEL, MOST_LEVEL)
    return np.concatenate([level, spread]).astype(np.float32, copy=False)


def products(left: Complex64[np.ndarray, "frames bins"], right: Complex64[np.ndarray, "frames bins"]) -> Products:
    """Of two spectra."""
    (a, b), (c, d) = ((np.real(part), np.imag(part)) for part in (left, right))
    return a**2 + b**2, c**2 + d**2, a * c + b * d


def powers(
    left: Complex64[np.ndarray, "frames bins"], right: Complex64[np.ndarray, "frames bins"], config: MelConfig
) -> Powers:
    """`products` in the bands of `config`; FAINT_POWER, alike in both, is added, so that silence has an image too."""
    return _in_bands(products(left, right), config)


def _in_bands(of_spectra: Products, config: MelConfig) -> Powers:
    faint = FAINT_POWER * filterbank(config).sum(axis=1, keepdims=True)
    of_left, of_right, of_both = (bands_of(product.T, config) + faint for product in of_spectra)
    return of_left, of_right, of_both


class RowsStream:
    """The rows of sound that arrives in blocks: log bands of one channel, or those of the mid and the image of two."""

    def __init__(self, mel: MelConfig) -> None:
        self._bands = LogMelStream(mel)
        self._image = ImageStream(mel) if mel.image_bands else None

    def push(self, block: Float32[np.ndarray, "channels samples"]) -> Float32[np.ndarray, "rows frames"]:
        """block [mel.channels, n] -> the frames that are now complete, [mel.rows, k], k may be 0."""
        if self._image is None:
            return self._bands.push(block[0])
        return np.concatenate([self._bands.push(mid_of(block)), self._image.push(block)])

    def finish(self) -> Float32[np.ndarray, "rows frames"]:
        """The last frames, [mel.rows, k]."""
        last = self._bands.finish()
        return last if self._image is None else np.concatenate([last, self._image.finish()])


class ImageStream:
    """The image of two channels that arrive in blocks, frame by frame with `LogMelStream`; constant memory."""

    def __init__(self, mel: MelConfig) -> None:
        self._mel = mel
        self._left, self._right = SpectraStream(mel), SpectraStream(mel)

    def push(self, block: Float32[np.ndarray, "2 samples"]) -> Float32[np.ndarray, "image frames"]:
        """block [2, n] -> the frames that are now complete, [2 * image_bands, k], k may be 0."""
        return self._rows(self._left.push(block[0]), self._right.push(block[1]))

    def finish(self) -> Float32[np.ndarray, "image frames"]:
        """The last frames, [2 * image_bands, k]."""
        return self._rows(self._left.finish(), self._right.finish())

    def _rows(self, *spectra: Iterator[Complex64[np.ndarray, "frames bins"]]) -> Float32[np.ndarray, "image frames"]:
        parts = [image_rows(left, right, self._mel) for left, right in zip(*spectra, strict=True)]
        return np.concatenate([np.zeros((2 * self._mel.image_bands, 0), np.float32), *parts], axis=1)


def rows_of(samples: Float32[np.ndarray, "channels samples"], mel: MelConfig) -> Float32[np.ndarray, "rows frames"]:
    """The rows of a whole signal: [mel.channels, n] -> [mel.rows, ceil(n / hop)]."""
    stream = RowsStream(mel)
    return np.concatenate([stream.push(samples), stream.finish()], axis=1)


def mid_of(block: Float[np.ndarray, "2 samples"]) -> Float32[np.ndarray, "samples"]:
    """[2, n] -> [n]."""
    return (np.float32(0.5) * (block[0] + block[1])).astype(np.float32, copy=False)


def side_gains(
    image: Float32[np.ndarray, "image frames"],
) -> tuple[Float32[np.ndarray, "bands frames"], Float32[np.ndarray, "bands frames"]]:
    """The side as so much of the mid, and so much of a sound as loud as the mid that has nothing in common with it.

    With L = R = 1 and the coherence c: power of the mid (g^2 + 1 + 2 c g) / 4, of the side (g^2 + 1 - 2 c g) / 4, of
    their product (g^2 - 1) / 4, where g is the ratio of left to right. Values out of range count as the nearest.
    """
    level, spread = np.split(image, 2)
    ratio = np.exp(np.clip(level, -MOST_LEVEL, MOST_LEVEL))
    shared = -2 * np.tanh(np.clip(spread, LEAST_SPREAD, MOST_SPREAD)) * ratio
    mid, side = ratio**2 + 1 + shared, ratio**2 + 1 - shared
    predicted = (ratio**2 - 1) / mid
    return predicted, np.sqrt(np.maximum(side / mid - predicted**2, 0))


@lru_cache(maxsize=16)
def between_bands(config: MelConfig) -> Float32[np.ndarray, "bands bins"]:
    """How much of each band's gain each bin has: linearly between the centres of two bands, beyond the outermost its
    own; every column sums to 1. Read-only.
    """
    centres = band_edges_hz(config)[1:-1]
    bins_hz = np.linspace(0, config.sample_rate / 2, config.bins)
    weights = np.stack([np.interp(bins_hz, centres, one) for one in np.eye(config.n_mels)]).astype(np.float32)
    weights.flags.writeable = False
    return weights
