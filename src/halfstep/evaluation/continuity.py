"""Endless music of a model: can its joins be told, does it drift, repeat, fall silent?"""

from dataclasses import asdict
from typing import Any

import numpy as np

from halfstep.evaluation.sounds import MakeVocoder
from halfstep.generation.model import Model
from halfstep.metrics.life import life
from halfstep.metrics.seam import LEAST_SEAMS, Joined, seam_test


def continuity(model: Model, steps: int, vocoder: MakeVocoder, seams: int = LEAST_SEAMS) -> dict[str, Any]:
    """Seam score beside its hard-cut control, and `life`, of one stream (seed 0) with so many joins of windows."""
    mel, stream, frames = model.manifest.mel, vocoder(), 0
    joins: list[int] = []
    blocks: list[np.ndarray] = []
    for block in model.mels(0, steps):
        if frames:
            joins.append(frames * mel.hop_length)
        frames += block.shape[1]
        blocks.append(stream.push(block))
        if len(joins) == seams:
            break
    samples = np.concatenate([*blocks, stream.finish()])
    tested = seam_test([Joined(samples, joins)], mel.sample_rate, np.random.default_rng(0))
    return {
        "steps": steps, "seams": len(joins), "z": tested.score.z, "hard_cuts_z": tested.control.z,
        "passes": tested.passes, "life": asdict(life([samples], mel.sample_rate)),
    }  # fmt: skip
