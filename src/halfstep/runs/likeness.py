"""What the labels of a model sound like, measured of the data set as it is exported: for a style like a recording's."""

from dataclasses import replace

import numpy as np

from halfstep.arrays import Float64
from halfstep.audio.timbre import timbre
from halfstep.conditioning import Conditions, LabelCondition, Likeness, NamedCondition
from halfstep.data.dataset import Library
from halfstep.data.stores import LOG_MEL
from halfstep.data.windows import Windows

WINDOWS_A_LABEL = 96
PLACES = 4096
"""Spread evenly over the split, among which a label's windows are chosen."""
SHRUNK = 0.2
"""Of the covariance, towards features that vary apart: few windows say little of how they vary together."""
LEAST_VARIANCE = 1e-6


def with_likeness(conditions: Conditions, library: Library, frames: int) -> tuple[NamedCondition, ...]:
    """The conditions, its labels with what windows of so many frames sound like; as they are without log bands."""
    if library.stores != LOG_MEL:
        return conditions.named
    return tuple(
        replace(one, likeness=_likeness(one, library, frames)) if isinstance(one, LabelCondition) else one
        for one in conditions.named
    )


def _likeness(condition: LabelCondition, library: Library, frames: int) -> Likeness | None:
    """None where a label has no window."""
    windows = Windows(library, "train", frames)
    places = windows.places(PLACES)
    by_label: list[Float64[np.ndarray, "windows features"]] = []
    for label in condition.values:
        own = [place for place in places if label in place[0].labels.get(condition.name, ())]
        if not own:
            return None
        chosen = sorted(set(np.linspace(0, len(own) - 1, WINDOWS_A_LABEL).astype(int).tolist()))
        clips = windows.clips([own[place] for place in chosen])
        bands = clips * library.band_std[:, None] + library.band_mean[:, None]
        by_label.append(np.stack([timbre(one[: library.mel.n_mels]) for one in bands]))
    return discriminant(by_label)


def discriminant(by_label: list[Float64[np.ndarray, "windows features"]]) -> Likeness:
    """Fisher's: a logit a label, of features that are normal around its mean with the covariance that all share."""
    means = np.stack([one.mean(axis=0) for one in by_label])
    around = [one - mean for one, mean in zip(by_label, means, strict=True)]
    covariance = np.mean([one.T @ one / len(one) for one in around], axis=0)
    alone = np.diag(np.diag(covariance) + LEAST_VARIANCE)
    weights = np.linalg.solve((1 - SHRUNK) * covariance + SHRUNK * alone, means.T).T
    bias = -0.5 * (weights * means).sum(axis=1)
    return Likeness(weights=tuple(map(_numbers, weights)), bias=_numbers(bias))


def _numbers(values: Float64[np.ndarray, "n"]) -> tuple[float, ...]:
    """As short as JSON may have them."""
    return tuple(float(f"{value:.6g}") for value in values)
