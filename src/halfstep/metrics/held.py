"""Held notes and their decay: what partials do that stay where they are for a quarter of a second.

A peak is held if a run of HELD_SECONDS through it, from frame to frame, keeps all its peaks within HELD_CENTS.
Struck strings decay while they are held, an organ does not, and what wavers or hisses is not held.
"""

from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Bool, Float64
from halfstep.metrics.partials import Int64, Peaks, next_of

HELD_SECONDS = 0.25
HELD_CENTS = 20.0
LEAST_HELD = 0.05
"""Share of the energy: where less is held, chance held it, and its decay is none."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Runs:
    """Of every peak, the run of HELD_SECONDS that begins there: is it one, dB a second, mean energy; members [k, n]."""

    whole: Bool[np.ndarray, "peaks"]
    slope_db: Float64[np.ndarray, "peaks"]
    energy: Float64[np.ndarray, "peaks"]
    members: Int64[np.ndarray, "members peaks"]


def held_runs(peaks: Peaks) -> Runs:
    """All of them: they overlap."""
    count = 1 + int(np.ceil(HELD_SECONDS * peaks.frames_per_second))
    after = np.append(next_of(peaks, HELD_CENTS), -1)  # what comes after nothing is nothing
    members = np.empty((count, len(peaks)), np.int64)
    members[0] = np.arange(len(peaks))
    for k in range(1, count):
        members[k] = after[members[k - 1]]
    there = members[-1] >= 0
    cents = peaks.cents[members[:, there]]
    whole = there.copy()
    whole[there] = np.ptp(cents, axis=0) <= HELD_CENTS
    inside = members[:, whole]
    seconds = (np.arange(count) - (count - 1) / 2) / peaks.frames_per_second
    slope, energy = np.zeros(len(peaks)), np.zeros(len(peaks))
    slope[whole] = seconds @ (20 * np.log10(peaks.magnitude[inside])) / (seconds @ seconds)
    energy[whole] = peaks.energy[inside].mean(0)
    return Runs(whole=whole, slope_db=slope, energy=energy, members=members)


def held_share(peaks: Peaks, runs: Runs) -> float:
    """The share of the peaks' energy that is held; NaN in silence."""
    held = np.zeros(len(peaks), bool)
    held[runs.members[:, runs.whole].ravel()] = True
    total = peaks.energy.sum()
    return float(peaks.energy[held].sum() / total) if total > 0 else float("nan")


def decay(peaks: Peaks, runs: Runs) -> float:
    """dB a second of what is held, the median by energy: 0 for an organ, negative for strings; NaN if none is held."""
    if not runs.whole.any() or held_share(peaks, runs) < LEAST_HELD:
        return float("nan")
    slope, energy = runs.slope_db[runs.whole], runs.energy[runs.whole]
    order = np.argsort(slope)
    up_to = np.cumsum(energy[order])
    return float(slope[order][np.searchsorted(up_to, up_to[-1] / 2)])
