"""A plan: the guide of music to come, given nothing or any part of itself.

What it is learned from are the guides of the very windows that music is learned from (`data.guides`), in every key, so
that a model of music can follow it as it follows a recording (decision 48).
"""

from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float
from halfstep.audio.chroma import CLASSES
from halfstep.audio.guide import BOTH, CHORDS, GUIDES, NO_GUIDE, guide_values
from halfstep.packing import PACKINGS
from halfstep.tasks.inpainting import Inpainting, check_known_in_part
from halfstep.training.example import Example

PACKING = PACKINGS["patch"]
"""Of its windows."""


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """n_mels: bands of the data set whose guides are measured. guide: a key of GUIDES, that of the music which is to
    follow. frames: of a window. nothing_share: how often nothing of it is known. context_noise: the largest deviation
    of the noise laid over what is known.
    """

    n_mels: int = 192
    guide: str = BOTH
    frames: int = 2304
    nothing_share: float = 0.5
    context_noise: float = 0.1

    def __post_init__(self) -> None:
        if self.guide not in GUIDES or self.guide == NO_GUIDE:
            named = ", ".join(name for name in GUIDES if name != NO_GUIDE)
            raise ValueError(f"guide is {self.guide!r}: one of {named} was expected")
        if self.frames % PACKING.planes:
            raise ValueError(f"frames is {self.frames}: a multiple of {PACKING.planes} was expected")
        check_known_in_part(self)

    @property
    def context(self) -> bool:
        """A plan goes on from itself."""
        return True

    @property
    def clip_frames(self) -> int:
        """Frames of a clip: the window."""
        return self.frames

    @property
    def length(self) -> int:
        """L, the positions of the packed window."""
        return self.frames // PACKING.planes


class PlanTask(Inpainting):
    """The task. Clips are standardised guides [B, values, frames], float32."""

    def __init__(self, config: PlanConfig) -> None:
        super().__init__(config, PACKING, guide_values(config.guide))
        self._chords = CHORDS in GUIDES[config.guide]

    def example(self, clips: Float[np.ndarray, "batch values frames"], rng: np.random.Generator) -> Example:
        """In a key that is drawn: all pitch classes are alike."""
        if self._chords:
            turned = clips.copy()
            for clip, by in zip(turned, rng.integers(0, CLASSES, len(clips)), strict=True):
                clip[:CLASSES] = np.roll(clip[:CLASSES], by, axis=0)
            clips = turned
        return super().example(clips, rng)
