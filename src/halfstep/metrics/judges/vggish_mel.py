"""VGGish's front end: sound as its network is to see it."""

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.stft import framed, hann
from halfstep.metrics.judges.pieces import SAMPLE_RATE

VGGISH_WINDOW, VGGISH_HOP, VGGISH_FFT, VGGISH_FRAMES, VGGISH_BANDS = 400, 160, 512, 96, 64
VGGISH_SAMPLES = (VGGISH_FRAMES - 1) * VGGISH_HOP + VGGISH_WINDOW


def vggish_mel(samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """VGGish's front end: [VGGISH_SAMPLES] at 16 kHz -> [1, 96, 64], log(HTK mel magnitude + .01), 125 to 7500 Hz."""
    frames = framed(samples, VGGISH_WINDOW, VGGISH_HOP) * hann(VGGISH_WINDOW)
    magnitude = np.abs(np.fft.rfft(frames, VGGISH_FFT))
    return np.log(magnitude @ htk_filters().T + 0.01).astype(np.float32)[None]


def htk_filters() -> Float64[np.ndarray, "bands bins"]:
    """VGGish's triangles on HTK's mel scale, peaks at 1, [64, 257]; the constant part is left out."""

    def mel(hz: np.ndarray) -> np.ndarray:
        return 1127 * np.log1p(hz / 700)

    bins = mel(np.linspace(0, SAMPLE_RATE / 2, VGGISH_FFT // 2 + 1))
    lowest, highest = mel(np.array([125.0, 7500.0]))
    edges = np.linspace(lowest, highest, VGGISH_BANDS + 2)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0, np.minimum(rising, falling))
    filters[:, 0] = 0
    return filters
