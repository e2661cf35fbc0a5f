"""Music: a window of standardised log-mel, given nothing or any part of itself, and perhaps a guide to follow.

One network then does unconditional music, continuation, infilling and the closing of a loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from halfstep.arrays import Float, Float32
from halfstep.audio.guide import GUIDES, NO_GUIDE, guide_rows, kind_rows
from halfstep.packing import COMPONENTS, PACKINGS, Components, components_packing
from halfstep.tasks.inpainting import KINDS, Inpainting, check_known_in_part

Measure: TypeAlias = Callable[[Float[np.ndarray, "bands frames"]], Float32[np.ndarray, "rows frames"]]
"""A standardised window [rows, frames] -> its guide (`audio.guide`), all of it."""


@dataclass(frozen=True, kw_only=True)
class MusicConfig:
    """n_mels x frames: the window. packing: a key of PACKINGS, or "components": of every `patch_frames` frames their
    coordinates along the first `components` principal directions. context: whether the network is given known frames.

    nothing_share: how often nothing is known. context_noise: the largest deviation of the noise laid over the known
    frames in training (drawn a clip), so that the model's own frames, never quite real, are as good a context.
    emphasis: of low bands over high ones in the scale of the data set that `prepare` makes for it.

    guide: what it learns to follow, a key of GUIDES, measured of the windows themselves. guide_dropout: how often each
    kind of it is left out of a clip, so that it plays freely too; half of the rest is given in part of the clip alone.
    """

    n_mels: int = 128
    frames: int = 384
    packing: str = "patch"
    components: int = 160
    patch_frames: int = 4
    context: bool = True
    nothing_share: float = 0.5
    context_noise: float = 0.0
    emphasis: float = 0.0
    guide: str = NO_GUIDE
    guide_dropout: float = 0.25

    def __post_init__(self) -> None:
        names = (*PACKINGS, COMPONENTS)
        if self.packing not in names:
            raise ValueError(f"packing is {self.packing!r}: one of {', '.join(names)} was expected")
        if self.fitted and not 1 <= self.patch_frames <= self.frames:
            raise ValueError(f"patch_frames is {self.patch_frames}: 1 to frames, {self.frames}, was expected")
        if self.fitted and not 1 <= self.components <= self.patch_frames * self.n_mels:
            most = self.patch_frames * self.n_mels
            raise ValueError(f"components is {self.components}: 1 to patch_frames * n_mels, {most}, was expected")
        if not self.fitted and (bands := PACKINGS[self.packing].bands) is not None:
            bands(self.n_mels)
        if self.frames % self.planes:
            raise ValueError(f"frames is {self.frames}: a multiple of {self.planes} was expected")
        check_known_in_part(self)
        if not 0 <= self.emphasis <= 2:
            raise ValueError(f"emphasis is {self.emphasis}: 0 to 2 was expected")
        if self.guide not in GUIDES:
            raise ValueError(f"guide is {self.guide!r}: one of {', '.join(GUIDES)} was expected")
        if not 0 < self.guide_dropout < 1:
            raise ValueError(f"guide_dropout is {self.guide_dropout}: between 0 and 1 was expected")

    @property
    def planes(self) -> int:
        """How many planes the packing folds the window into."""
        return self.patch_frames if self.fitted else PACKINGS[self.packing].planes

    @property
    def fitted(self) -> bool:
        """Whether the packing must be fitted to a training set first."""
        return self.packing == COMPONENTS

    @property
    def clip_frames(self) -> int:
        """Frames of a clip: the window."""
        return self.frames

    @property
    def length(self) -> int:
        """L, the positions of the packed window."""
        return self.frames // self.planes


class Music(Inpainting):
    """The task. Clips are standardised windows [B, rows, frames], float32."""

    def __init__(
        self,
        config: MusicConfig,
        components: Components | None = None,
        rows: int | None = None,
        measure: Measure | None = None,
    ) -> None:
        """components: what the packing of that name was fitted to; for any other, None. rows: of a window, those of the
        components, or n_mels, where it is None. measure: the guide of a window; None without one.
        """
        if config.fitted != (components is not None):
            raise ValueError(f"packing is {config.packing!r}, components are {'' if components else 'not '}given")
        if (config.guide != NO_GUIDE) != (measure is not None):
            raise ValueError(f"guide is {config.guide!r}, what measures one is {'' if measure else 'not '}given")
        self.config = config
        self._measure = measure
        fitted = config.n_mels if components is None else components.matrix.shape[1] // config.patch_frames
        own = fitted if rows is None else rows  # the bands, and the image below them
        packing = PACKINGS[config.packing] if components is None else components_packing(components, own)
        super().__init__(config, packing, own)

    @property
    def aligned(self) -> int:
        return super().aligned + guide_rows(self.config.guide) * self.packing.mask_channels

    def guides(self, clips: Float[np.ndarray, "batch bands frames"]) -> Float32[np.ndarray, "batch guide frames"]:
        """The whole guide of each clip; of a task with one."""
        assert self._measure is not None, "there is no guide"
        return np.stack([self._measure(clip) for clip in clips])

    def _drawn_guide(
        self, clips: Float[np.ndarray, "batch bands frames"], rng: np.random.Generator
    ) -> Float32[np.ndarray, "batch guide frames"] | None:
        return None if self._measure is None else self.guides(clips) * self._shown(len(clips), rng)

    def _below(
        self, clips: int, guide: Float[np.ndarray, "batch guide frames"] | None
    ) -> list[Float[np.ndarray, "batch below length"]]:
        if self._measure is None:
            return []
        none = np.zeros((clips, guide_rows(self.config.guide), self.config.frames), np.float32)
        return [self.packing.pack_rows(none if guide is None else guide)]

    def _shown(self, clips: int, rng: np.random.Generator) -> Float32[np.ndarray, "{clips} guide frames"]:
        """1 where a guide is given: of each kind in no frame, in all of them, or in some."""
        frames = self.config.frames
        shown = np.zeros((clips, guide_rows(self.config.guide), frames), np.float32)
        for clip in shown:
            for at in kind_rows(self.config.guide):
                if rng.random() >= self.config.guide_dropout:
                    clip[at] = 1 if rng.random() < 0.5 else KINDS[int(rng.integers(len(KINDS)))](rng, frames)
        return shown
