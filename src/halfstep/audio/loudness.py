"""Loudness after ITU-R BS.1770-4, from the spectra that the mel is made of anyway, in any length of sound."""

import math

import numpy as np

from halfstep.arrays import Complex128, Float32, Float64
from halfstep.audio.mel import MelConfig
from halfstep.audio.stft import hann

ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = -10.0
BLOCK_SECONDS = 0.4
STEP_SECONDS = 0.1
OFFSET_LU = -0.691


class LoudnessMeter:
    """Integrated loudness of one channel, within .1 LU of filtering the waveform itself.

    The K-weighting is applied to the power of each frame's spectrum; Hann windows overlap evenly, so that the
    frames of a block add up to its power. Memory: 8 bytes a frame.
    """

    def __init__(self, config: MelConfig) -> None:
        self.config = config
        self._weights = k_weights(config)
        self._power: list[Float64[np.ndarray, "frames"]] = []

    def push(self, magnitude: Float32[np.ndarray, "bins frames"]) -> Float64[np.ndarray, "frames"]:
        """magnitude [bins, k] -> loudness of each of the k frames by itself, LUFS."""
        power = (self._weights @ np.square(magnitude)).astype(np.float64)
        self._power.append(power)
        return lufs(power)

    def integrated(self) -> float:
        """LUFS of all that was pushed, silence left out by the gates; -inf if all of it is silence."""
        power = np.concatenate([np.zeros(0), *self._power])
        size = max(1, round(BLOCK_SECONDS * self.config.frames_per_second))
        sums = np.concatenate([[0.0], np.cumsum(power)])
        starts = np.arange(0, max(1, len(power) - size + 1), STEP_SECONDS * self.config.frames_per_second)
        first = starts.astype(np.int64)
        last = np.minimum(first + size, len(power))
        blocks = (sums[last] - sums[first]) / np.maximum(1, last - first)
        loud = blocks[lufs(blocks) > ABSOLUTE_GATE_LUFS]
        if not len(loud):
            return -math.inf
        loud = loud[lufs(loud) > lufs(loud.mean(keepdims=True)) + RELATIVE_GATE_LU]
        return float(lufs(loud.mean(keepdims=True))[0])


def lufs(power: Float64[np.ndarray, "*shape"]) -> Float64[np.ndarray, "*shape"]:
    """K-weighted mean square -> LUFS; -inf for nothing."""
    with np.errstate(divide="ignore"):
        return OFFSET_LU + 10 * np.log10(power)


def k_weights(config: MelConfig) -> Float32[np.ndarray, "bins"]:
    """What |X|^2 of a bin adds to a frame's K-weighted mean square, [bins]; a constant level adds nothing."""
    z = np.exp(-2j * np.pi * np.arange(config.bins) / config.n_fft)
    response = np.abs(_shelf(z, config.sample_rate) * _high_pass(z, config.sample_rate)) ** 2
    both_sides = np.full(config.bins, 2.0)
    both_sides[-1] = 1.0
    response[:2] = 0  # where a Hann window puts a constant level
    window_power = np.square(hann(config.window), dtype=np.float64).sum()
    return (response * both_sides / (config.n_fft * window_power)).astype(np.float32)


# The two filters of BS.1770 for any rate, by the bilinear transform of their analogue prototypes
# (constants: B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", 2018).
def _shelf(z: Complex128[np.ndarray, "bins"], sample_rate: int) -> Complex128[np.ndarray, "bins"]:
    k = math.tan(math.pi * 1681.974450955533 / sample_rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    top = (high + middle * k / q + k * k) + 2 * (k * k - high) * z + (high - middle * k / q + k * k) * z**2
    return top / _poles(z, k, q)


def _high_pass(z: Complex128[np.ndarray, "bins"], sample_rate: int) -> Complex128[np.ndarray, "bins"]:
    k, q = math.tan(math.pi * 38.13547087602444 / sample_rate), 0.5003270373238773
    return (1 - z) ** 2 * (1 + k / q + k * k) / _poles(z, k, q)


def _poles(z: Complex128[np.ndarray, "bins"], k: float, q: float) -> Complex128[np.ndarray, "bins"]:
    return (1 + k / q + k * k) + 2 * (k * k - 1) * z + (1 - k / q + k * k) * z**2
