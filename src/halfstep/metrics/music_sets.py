"""The measures of music over a set of windows or streams: a figure with its interval for each.

    measured = measure_music(samples, 44100)                       # waveforms [n, samples], mono
    figures = judge_music(measured, measure_music(real, 44100))    # {"tuning": Figure(...), "pulse": ...}

Only the histograms of notes are compared with the reference; all else is what the music is by itself.
"""

from dataclasses import dataclass, replace

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.metrics.bootstrap import RESAMPLES, spread
from halfstep.metrics.judge import Figure
from halfstep.metrics.judges.transcriber import transcriber
from halfstep.metrics.music import music_figures
from halfstep.metrics.note_statistics import histogram_distance, note_statistics
from halfstep.metrics.tuning import SEMITONE_CENTS

MEAN_OF = ("tuning", "held_share", "pitch_class_entropy", "notes_per_second", "polyphony")
"""Of the other FIGURES the median: few held partials or onsets give some windows a wild value."""
FIGURES = ("tuning", "held_share", "pitch_class_entropy", "pulse", "decay_db_per_second", "notes_per_second",
           "polyphony")  # fmt: skip
HISTOGRAMS = ("intervals", "durations")


@dataclass(frozen=True, eq=False)
class Measured:
    """Of n windows: FIGURES [n, 7], NaN where there is nothing to measure; intervals [n, 25]; durations [n, 12].

    reference_cents [n]: how far each window's A lies from 440 Hz.
    """

    figures: Float64[np.ndarray, "..."]
    reference_cents: Float64[np.ndarray, "..."]
    intervals: Float64[np.ndarray, "..."]
    durations: Float64[np.ndarray, "..."]

    def __len__(self) -> int:
        return len(self.figures)


def measure_music(samples: Float32[np.ndarray, "clips samples"], sample_rate: int) -> Measured:
    """Of waveforms [n, samples], mono."""
    rows: list[list[float]] = []
    references: list[float] = []
    intervals: list[np.ndarray] = []
    durations: list[np.ndarray] = []
    for one in samples:
        notes = note_statistics(transcriber().notes(one, sample_rate), len(one) / sample_rate)
        figures = music_figures(one, sample_rate)
        figures |= {"notes_per_second": notes.notes_per_second, "polyphony": notes.polyphony}
        rows.append([figures[name] for name in FIGURES])
        references.append(figures["reference_cents"])
        intervals.append(notes.intervals)
        durations.append(notes.durations)
    return Measured(np.array(rows), np.array(references), np.array(intervals), np.array(durations))


def judge_music(
    measured: Measured, reference: Measured | None, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Figure]:
    """Every figure with its interval from resampled windows, the reference resampled too. Deterministic for a seed.

    Without a reference, nothing is compared: HISTOGRAMS are left out.
    """
    rng = np.random.default_rng(seed)
    figures = {name: _typical(name, measured.figures[:, k], rng, resamples) for k, name in enumerate(FIGURES)}
    tuned = figures["tuning"]
    figures["tuning"] = replace(tuned, note="; ".join(filter(None, (tuned.note, _reference(measured)))))
    for name in HISTOGRAMS if reference else ():
        figures[name] = _distance(getattr(measured, name), getattr(reference, name), rng, resamples)
    return figures


def _typical(name: str, values: Float64[np.ndarray, "windows"], rng: np.random.Generator, resamples: int) -> Figure:
    there = np.isfinite(values)
    if not there.any():
        return Figure(value=float("nan"), windows=len(values), note=f"none of {len(values)} has any")
    of = _mean if name in MEAN_OF else _median
    estimate = of(values[there], np.ones(there.sum()))

    def statistic(counts: np.ndarray) -> float:
        return of(values[there], counts[there]) if counts[there].any() else estimate

    note = None if there.all() else f"{there.sum()} of {len(values)} have any"
    return Figure.of(estimate, spread(statistic, len(values), rng, resamples), len(values), note)


def _reference(measured: Measured) -> str | None:
    """Where A lies: the windows' mean on the circle of a semitone, each as sure as it is tuned."""
    strength, cents = measured.figures[:, FIGURES.index("tuning")], measured.reference_cents
    there = np.isfinite(strength)
    if not there.any():
        return None
    mean = np.angle(strength[there] @ np.exp(2j * np.pi * cents[there] / SEMITONE_CENTS))
    return f"A at {440 * 2 ** (mean / (2 * np.pi) / 12):.1f} Hz"


def _mean(values: Float64[np.ndarray, "windows"], counts: np.ndarray) -> float:
    return float(values @ counts / counts.sum())


def _median(values: Float64[np.ndarray, "windows"], counts: np.ndarray) -> float:
    """The middle of values that count so often, the mean of the two middle ones for an even number."""
    order = np.argsort(values)
    up_to, total = np.cumsum(counts[order]), counts.sum()
    middle = np.searchsorted(up_to, [total / 2, total / 2 + 0.5], side="left")
    return float(values[order][middle.clip(0, len(values) - 1)].mean())


def _distance(
    x: Float64[np.ndarray, "..."], y: Float64[np.ndarray, "..."], rng: np.random.Generator, resamples: int
) -> Figure:
    estimate = histogram_distance(x.sum(0), y.sum(0))
    if not np.isfinite(estimate):
        return Figure(value=estimate, windows=len(x), note="no notes")

    def statistic(counts: np.ndarray) -> float:
        of_reference = rng.multinomial(len(y), np.full(len(y), 1 / len(y)))
        figures = histogram_distance(counts @ x, of_reference @ y)
        return figures if np.isfinite(figures) else estimate

    return Figure.of(estimate, spread(statistic, len(x), rng, resamples), len(x), f"{x.sum():.0f}")
