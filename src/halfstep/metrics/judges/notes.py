"""The judges of single notes: which pitch is it, which family of instruments? `recipes/judges/` made them."""

import json
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import onnxruntime

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.bundle.session import onnx_session
from halfstep.metrics.judges import FOLDER
from halfstep.metrics.judges.pieces import SAMPLE_RATE, pieces

PIECE_SAMPLES = SAMPLE_RATE
"""A judge hears one second: it learned from notes of that length."""
RANGE_NEPERS = 8.0
"""What lies further (69 dB) below a piece's loudest band and frame is as good as silent."""

MELS = {
    "pitch": MelConfig(sample_rate=SAMPLE_RATE, n_fft=4096, hop_length=1000, n_mels=256),
    "instrument": MelConfig(sample_rate=SAMPLE_RATE, n_fft=1024, hop_length=500, n_mels=128),
}
"""Pitch needs fine bands: semitones at A1 are 3 Hz apart, their tenth harmonics 33. Timbre needs the attack."""


def levels_of(samples: Float32[np.ndarray, "..."], mel: MelConfig) -> Float32[np.ndarray, "..."]:
    """Pieces [..., PIECE_SAMPLES] at 16 kHz -> what a judge sees, [..., n_mels, frames], 0 to 1, whatever the level."""
    levels = log_mel(samples, mel)
    loudest = levels.max(axis=(-2, -1), keepdims=True)
    return np.maximum(levels - loudest, -RANGE_NEPERS) / RANGE_NEPERS + 1


@dataclass(frozen=True, eq=False)
class NoteJudge:
    """One network, in inference mode: it has no other once it is ONNX."""

    name: str
    classes: tuple[str, ...]
    session: onnxruntime.InferenceSession

    def logits(self, samples: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        """Of windows [n, samples] at 16 kHz: [n, pieces of one second, classes]."""
        cut = pieces(samples, PIECE_SAMPLES)
        seen = levels_of(cut.reshape(-1, PIECE_SAMPLES), MELS[self.name])
        (logits,) = self.session.run(None, {"mel": seen})
        return np.asarray(logits, np.float32).reshape(*cut.shape[:2], len(self.classes))


@lru_cache(maxsize=2)
def note_judge(name: str) -> NoteJudge:
    """The judge `pitch` or `instrument` of the package; it runs on one thread."""
    card = json.loads((FOLDER / "notes.json").read_text(encoding="utf-8"))
    session = onnx_session(FOLDER / f"{name}.onnx")
    return NoteJudge(name=name, classes=tuple(card[name]["classes"]), session=session)
