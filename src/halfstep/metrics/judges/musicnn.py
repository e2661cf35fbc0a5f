"""A music embedding: the penultimate layer of musicnn (Pons & Serra 2019, arXiv:1909.06654), 200 numbers for 3 s.

The weights are those of `MTT_musicnn`, a tagger trained on MagnaTagATune, ISC licence: LICENCE-musicnn.txt beside
this file. recipes/judges/convert_musicnn.py turned the checkpoint into musicnn.onnx.
"""

from functools import lru_cache

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig, bands_of
from halfstep.audio.stft import framed, hann
from halfstep.bundle.session import onnx_session
from halfstep.metrics.judges import FOLDER
from halfstep.metrics.judges.pieces import SAMPLE_RATE, pieces

MEL = MelConfig(sample_rate=SAMPLE_RATE, n_fft=512, hop_length=256, n_mels=96)
FRAMES = 187
PIECE_SAMPLES = (FRAMES - 1) * MEL.hop_length + MEL.n_fft
"""3.008 s: 187 whole frames."""
AT_ONCE = 8
TAGS = (
    "guitar", "classical", "slow", "techno", "strings", "drums", "electronic", "rock", "fast", "piano", "ambient",
    "beat", "violin", "vocal", "synth", "female", "indian", "opera", "male", "singing", "vocals", "no vocals",
    "harpsichord", "loud", "quiet", "flute", "woman", "male vocal", "no vocal", "pop", "soft", "sitar", "solo", "man",
    "classic", "choir", "voice", "new age", "dance", "male voice", "female vocal", "beats", "harp", "cello",
    "no voice", "weird", "country", "metal", "female voice", "choral",
)  # fmt: skip


def log_compressed_mel(samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """musicnn's own front end: whole frames of samples [n] -> [frames, 96], log10(1 + 10000 power).

    Power mel of a Hann window of 32 ms every 16, Slaney's filters, rounded to float16 before the logarithm as in
    training. Agrees with librosa.feature.melspectrogram(center=False).
    """
    frames = framed(samples, MEL.n_fft, MEL.hop_length)
    power = np.square(np.abs(np.fft.rfft(frames * hann(MEL.n_fft)))).astype(np.float32)
    rounded = np.minimum(bands_of(power.T, MEL), 65504).astype(np.float16).astype(np.float32)
    return np.log10(10000 * rounded + 1).T


class Musicnn:
    """The network of the package, on one thread."""

    name = "musicnn"
    sample_rate = SAMPLE_RATE

    def __init__(self) -> None:
        self._session = onnx_session(FOLDER / "musicnn.onnx")

    def embed(self, samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        """Of windows [n, samples] at 16 kHz: [n, pieces of 3 s, 200]."""
        return self._outputs(samples, "embedding")

    def tags(self, samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        """How likely each of TAGS is, [n, pieces of 3 s, 50]."""
        return np.reciprocal(1 + np.exp(-self._outputs(samples, "tags")))

    def _outputs(self, samples: Float32[np.ndarray, "..."], output: str) -> Float32[np.ndarray, "..."]:
        cut = pieces(samples, PIECE_SAMPLES)
        seen = np.stack([log_compressed_mel(piece) for piece in cut.reshape(-1, PIECE_SAMPLES)])
        parts: list[np.ndarray] = []
        for at in range(0, len(seen), AT_ONCE):
            (values,) = self._session.run([output], {"mel": seen[at : at + AT_ONCE]})
            parts.append(np.asarray(values, np.float32))
        return np.concatenate(parts).reshape(*cut.shape[:2], -1)


@lru_cache(maxsize=1)
def musicnn() -> Musicnn:
    """One for the process: loading takes longer than hearing a window."""
    return Musicnn()
