"""A limiter without memory: each sample for itself, so that blocks do not matter."""

import numpy as np

from halfstep.arrays import Float32

GAIN = 10 ** (-3 / 20)
"""-3 dB: other phases give mastered music higher peaks than it had."""


KNEE = 10 ** (-1 / 20)
"""-1 dBFS: below it the limiter changes nothing."""


CEILING = 0.999
"""No sample goes beyond this, so that 16 bits hold every one."""


def limit(samples: Float32[np.ndarray, "*shape"], gain: float = GAIN) -> Float32[np.ndarray, "*shape"]:
    """-3 dB, then a soft knee above -1 dBFS; each sample for itself, so that blocks do not matter."""
    scaled = samples * np.float32(gain)
    room = CEILING - KNEE
    over = np.maximum(np.abs(scaled) - np.float32(KNEE), 0)
    bent = np.float32(KNEE) + np.float32(room) * np.tanh(over / np.float32(room))
    return np.where(over > 0, np.copysign(bent, scaled), scaled)
