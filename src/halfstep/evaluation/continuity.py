"""Endless music of a model: can its joins be told, does it drift, repeat, fall silent?"""

from dataclasses import asdict
from itertools import islice
from typing import Any

import numpy as np

from halfstep.evaluation.sounds import NewVocoder
from halfstep.evaluation.subject import Subject
from halfstep.generation.window import layout_of
from halfstep.metrics.life import life
from halfstep.metrics.seam import LEAST_SEAMS, Joined, seam_test


def continuity(subject: Subject, steps: int, vocoder: NewVocoder, seams: int = LEAST_SEAMS) -> dict[str, Any]:
    """Seam score beside its hard-cut control, and `life`, of one stream (seed 0) with so many joins of windows."""
    mel, stream, layout = subject.mel, vocoder(), layout_of(subject.model.manifest)
    blocks = [stream.push(block) for block in islice(subject.mels(0, steps), seams + 2)]
    samples = np.concatenate([*blocks, stream.finish()], axis=-1)
    first = layout.frames - layout.crossfade // 2  # one rendering passes into the next: its middle
    joins = [(first + k * layout.hop) * mel.hop_length for k in range(seams)]
    tested = seam_test([Joined(samples, joins)], mel.sample_rate, np.random.default_rng(0))
    return {
        "steps": steps, "seams": len(joins), "z": tested.score.z, "hard_cuts_z": tested.control.z,
        "passes": tested.passes, "life": asdict(life([samples], mel.sample_rate)),
    }  # fmt: skip
