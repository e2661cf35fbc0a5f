"""Does it play back what it learned? The nearest place in the training set, beside that of held-out music.

A slice is compared with every place of the training set by log-mel: bands in groups, smoothed and thinned in time, the
mean of the slice taken off, so that neither level, nor half a frame, nor a re-encoding hides a copy. What distance is
"near" depends on the music; the same distance from held-out tracks (split by track, never by slice) says it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float, Float32, Float64
from halfstep.metrics.boxes import places, smoothed

BAND_GROUP = 4
FRAMES_A_BOX = 4
"""46 ms at hop 512 and 44.1 kHz."""
SMOOTHING_BOXES = 5
EVERY = 2
"""Of the smoothed boxes, those a slice is compared by."""
PLACES_AT_ONCE = 2048
PERCENTILE = 1.0


@dataclass(frozen=True, kw_only=True)
class Memory:
    """ratio: of the medians, generated over held-out: well below 1 is memory. flagged: share below the threshold."""

    ratio: float
    flagged: float
    threshold: float
    """The 1st percentile of the held-out distances."""
    generated: Float64[np.ndarray, "generated"]
    heldout: Float64[np.ndarray, "heldout"]


def memory(
    generated: Float32[np.ndarray, "..."],
    heldout: Float32[np.ndarray, "..."],
    tracks: Iterable[Float[np.ndarray, "frames bands"]],
) -> Memory:
    """Of generated and held-out log-mel slices [n, n_mels, frames]; tracks: log-mels [frames, n_mels] learned from.

    ValueError if no track is as long as a slice, or the slices differ in shape.
    """
    if generated.shape[1:] != heldout.shape[1:]:
        raise ValueError(f"slices of {generated.shape[1:]} and {heldout.shape[1:]}: one shape was expected")
    both = nearest(np.concatenate([generated, heldout]), tracks)
    near, far = both[: len(generated)], both[len(generated) :]
    threshold = float(np.percentile(far, PERCENTILE))
    return Memory(
        ratio=float(np.median(near) / np.median(far)), flagged=float((near < threshold).mean()), threshold=threshold,
        generated=near, heldout=far,
    )  # fmt: skip


def nearest(
    slices: Float32[np.ndarray, "..."], tracks: Iterable[Float[np.ndarray, "frames bands"]]
) -> Float64[np.ndarray, "slices"]:
    """RMS distance in nepers of each slice [n, n_mels, frames] from the nearest place of any track, at any shift."""
    asked = [smoothed(_boxes(one.T), SMOOTHING_BOXES)[::EVERY] for one in slices]
    size = len(_boxes(slices[0].T))
    wanted = np.stack([_centred(one[None])[0] for one in asked])
    best = np.full(len(slices), np.inf)
    for track in tracks:
        boxes = smoothed(_boxes(np.asarray(track, np.float32)), SMOOTHING_BOXES)
        if len(boxes) < size:
            continue
        all_places = places(boxes, size, EVERY).transpose(0, 2, 1)
        for at in range(0, len(all_places), PLACES_AT_ONCE):
            there = _centred(all_places[at : at + PLACES_AT_ONCE])
            squared = (wanted**2).sum(1)[:, None] + (there**2).sum(1) - 2 * wanted @ there.T
            best = np.minimum(best, squared.min(1))
    if np.isinf(best).any():
        raise ValueError(f"no track as long as a slice of {slices.shape[2]} frames: at least one was expected")
    return np.sqrt(np.maximum(best, 0) / wanted.shape[1])


def _boxes(frames: np.ndarray) -> Float32[np.ndarray, "..."]:
    """Log-mel [frames, n_mels] -> [boxes, groups]: means over bands and time."""
    whole = len(frames) // FRAMES_A_BOX * FRAMES_A_BOX
    group = min(BAND_GROUP, frames.shape[1])
    bands = frames.shape[1] // group * group
    shaped = frames[:whole, :bands].reshape(-1, FRAMES_A_BOX, bands // group, group)
    return shaped.mean((1, 3), dtype=np.float32)


def _centred(slices: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """[n, boxes, groups] -> [n, boxes * groups], each less its mean."""
    flat = np.ascontiguousarray(slices).reshape(len(slices), -1)
    return flat - flat.mean(1, keepdims=True)
