"""The same sound with other phases: as loud in every band, and not in step with what it was made from."""

import numpy as np

from halfstep.arrays import Float32

GAIN = 0.5
DELAY_SECONDS = (0.0031, 0.0053, 0.0089, 0.0139)
GROWTH = 0.23
"""Each further voice has delays longer by this share, so that no two are in step."""


class Diffuser:
    """A chain of all-pass filters (Schroeder 1962): blocks may be cut anywhere."""

    def __init__(self, sample_rate: int, voice: int) -> None:
        """voice: 0, 1, 2 ...: each one's phases are its own."""
        stretch = 1 + GROWTH * voice
        self._stages = [_AllPass(max(1, round(seconds * stretch * sample_rate))) for seconds in DELAY_SECONDS]

    def push(self, samples: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "samples"]:
        """As many as came."""
        for stage in self._stages:
            samples = stage.push(samples)
        return samples


class _AllPass:
    """y[n] = -g x[n] + x[n - delay] + g y[n - delay]."""

    def __init__(self, delay: int) -> None:
        self._inputs, self._outputs = (np.zeros(delay, np.float32) for _ in range(2))

    def push(self, samples: Float32[np.ndarray, "samples"]) -> Float32[np.ndarray, "samples"]:
        gain, delay = np.float32(GAIN), len(self._inputs)
        parts = [np.zeros(0, np.float32)]
        for start in range(0, len(samples), delay):
            inputs = samples[start : start + delay]
            count = len(inputs)
            outputs = (self._inputs[:count] + gain * (self._outputs[:count] - inputs)).astype(np.float32, copy=False)
            self._inputs = np.concatenate([self._inputs[count:], inputs])
            self._outputs = np.concatenate([self._outputs[count:], outputs])
            parts.append(outputs)
        return np.concatenate(parts)
