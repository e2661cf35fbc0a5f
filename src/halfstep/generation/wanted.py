"""What can be asked of a model, and what of it makes no sense together."""

import math
from dataclasses import dataclass
from pathlib import Path

from halfstep.audio.files.io import Audio
from halfstep.audio.mel import MelConfig
from halfstep.errors import InputError
from halfstep.vocoders.base import GRIFFIN_LIM, MakeVocoder

MOST_SECONDS = 86_400.0
MOST_LOOP_SECONDS = 900.0
LEAST_LOOP_FRAMES = 40
"""A loop is a whole number of frames long, then set right by at most 866 / 40 = 22 cents of pitch."""
MOST_SEED = 2**64 - 1

Recording = Audio | str | Path


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One piece of music, as `Model.generate` describes it."""

    seconds: float
    seed: int = 0
    steps: int | None = None
    context: Recording | None = None
    into: Recording | None = None
    loop: bool = False
    variation: float | None = None
    toward: int | None = None
    vocoder: str | MakeVocoder | None = None

    def check(self, mel: MelConfig) -> int:
        """The number of new samples. InputError for what cannot be made."""
        count = samples_in(self.seconds, "seconds", mel.sample_rate)
        check_seeds(self.seed, self.toward, self.variation)
        check_vocoder(self.vocoder)
        if self.into is not None and (self.loop or self.context is None):
            reason = "a loop leads into its own beginning" if self.loop else "give the recording before the gap as well"
            raise InputError(f"into a recording: {reason}")
        if self.loop and self.toward is not None and self.variation is None:
            raise InputError("toward another seed: a loop ends where it began; say how far with variation")
        if self.loop and self.context is None:
            least = LEAST_LOOP_FRAMES * mel.hop_length / mel.sample_rate
            if not least <= self.seconds <= MOST_LOOP_SECONDS:
                raise InputError(f"seconds is {self.seconds:g}: a loop takes {least:.3f} to {MOST_LOOP_SECONDS:g}")
        return count


def samples_in(seconds: float, name: str, sample_rate: int) -> int:
    """round(seconds * sample_rate). InputError naming `name` unless it is a length of sound we make."""
    count = round(seconds * sample_rate) if math.isfinite(seconds) else 0
    if count < 1 or seconds > MOST_SECONDS:
        raise InputError(f"{name} is {seconds:g}: give a number above 0 and at most {MOST_SECONDS:g}")
    return count


def check_vocoder(choice: str | MakeVocoder | None) -> None:
    """InputError for a name that none has."""
    if isinstance(choice, str) and choice != GRIFFIN_LIM:
        raise InputError(f"vocoder is {choice}: the only name is {GRIFFIN_LIM}; without one, the model's own plays")


def check_seeds(seed: int, toward: int | None, variation: float | None) -> None:
    """InputError for a seed or a share that is none."""
    for name, value in (("seed", seed), ("toward", toward)):
        if value is not None and not 0 <= value <= MOST_SEED:
            raise InputError(f"{name} is {value}: give a whole number from 0 to {MOST_SEED}")
    if variation is not None and not 0 <= variation <= 1:
        raise InputError(f"variation is {variation:g}: give a number from 0, the same, to 1, another piece")
