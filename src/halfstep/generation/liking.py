"""A style taken from a recording: which of the labels that a model knows it sounds like."""

from collections.abc import Iterable, Iterator

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.timbre import timbre
from halfstep.bundle import Manifest
from halfstep.conditioning import LabelCondition, refused
from halfstep.errors import InputError
from halfstep.generation.engine import Engine
from halfstep.generation.incoming import incoming
from halfstep.generation.requests import Recording
from halfstep.generation.takes import Take

LEAST_FRAMES = 2


def like(engine: Engine, recording: Recording, name: str) -> dict[str, float]:
    """Label -> its share, 1 together. InputError as for `Model.like`."""
    manifest = engine.manifest
    condition = known_by_sound(manifest, name)  # refused before the recording is read
    likeness = condition.known_likeness()
    take = Take(recording)
    windows = [timbre(one) for one in cut(incoming(take, manifest).bands(), manifest.frames)]
    if not windows:
        raise InputError(f"{take.name}: {take.seconds:.3f} s long, too short to sound like anything")
    features = np.stack(windows)
    if features.shape[1] != len(likeness.weights[0]):
        have, wanted = len(likeness.weights[0]), features.shape[1]
        raise InputError(f"model {manifest.id}: likeness of {name} has {have} weights a label, {wanted} were expected")
    return condition.mixture(likeness.shares(features))


def known_by_sound(manifest: Manifest, name: str) -> LabelCondition:
    """The condition, whose labels the model can tell apart in a recording. InputError for any other."""
    condition = manifest.asks.condition(name, manifest.id)
    if not isinstance(condition, LabelCondition):
        raise refused(name, "", f"is a number {condition.about}; a recording can be like a label alone")
    condition.known_likeness()
    return condition


def cut(
    blocks: Iterable[Float32[np.ndarray, "bands frames"]], frames: int
) -> Iterator[Float32[np.ndarray, "bands window"]]:
    """Windows of so many frames, one after the other; what is left over, if it is half of one or there is no other."""
    waiting: Float32[np.ndarray, "bands frames"] | None = None
    whole = 0
    for block in blocks:
        waiting = block if waiting is None else np.concatenate([waiting, block], axis=1)
        while waiting.shape[1] >= frames:
            yield waiting[:, :frames]
            waiting, whole = waiting[:, frames:], whole + 1
    if waiting is not None and waiting.shape[1] >= max(LEAST_FRAMES, frames // 2 if whole else 0):
        yield waiting
