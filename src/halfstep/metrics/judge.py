"""The judges together: what they hear in a set of windows, and what they say of it beside a reference.

    heard = hear(samples, 44100)                       # waveforms [n, samples], mono
    figures = judge_windows(heard, hear(real, 44100))  # {"fad": Figure(...), "pkid": Figure(...), ...}

From log-mel windows: `hear(voiced(log_mel, mel), mel.sample_rate)`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import soxr

from halfstep.audio.mel import Float32, MelConfig
from halfstep.audio.phase import GriffinLimStream
from halfstep.generation.render import Vocoder
from halfstep.metrics.bootstrap import RESAMPLES, interval
from halfstep.metrics.frechet import few_rows, frechet_distance, frechet_infinity
from halfstep.metrics.inception import inception_score, probabilities
from halfstep.metrics.judges.musicnn import musicnn
from halfstep.metrics.judges.notes import note_judge
from halfstep.metrics.judges.pieces import SAMPLE_RATE
from halfstep.metrics.kernel import KAD_SCALE, KernelMeans, kernel_audio_distance, kernel_inception_distance
from halfstep.metrics.neighbours import reach

AT_ONCE = 16


@dataclass(frozen=True, eq=False)
class Heard:
    """What the judges heard in n windows: logits [n, seconds, classes] of two judges, embedding [n, pieces, 200]."""

    pitch: Float32
    instrument: Float32
    embedding: Float32

    def __len__(self) -> int:
        return len(self.embedding)

    def __getitem__(self, windows: slice | np.ndarray) -> "Heard":
        """The same of some windows."""
        return Heard(self.pitch[windows], self.instrument[windows], self.embedding[windows])


def together(parts: list[Heard]) -> Heard:
    """One set of windows from several."""
    names = ("pitch", "instrument", "embedding")
    return Heard(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number, its 95 % interval (None if it has none), over how many windows; note: what to know before trusting it."""

    value: float
    low: float | None = None
    high: float | None = None
    windows: int
    note: str | None = None


def voiced(log_mel: Float32, mel: MelConfig, vocoder: Callable[[], Vocoder] | None = None) -> Float32:
    """Waveforms [n, frames * hop] of log-mel windows [n, n_mels, frames], each by itself, at the level of the mel.

    `vocoder` makes one for each window; Griffin-Lim with the seed 0 if None. No limiter: judges hear no clipping.
    """
    make = vocoder or (lambda: GriffinLimStream(mel, seed=0))

    def one(window: Float32) -> Float32:
        stream = make()
        samples = np.concatenate([stream.push(window), stream.finish()])
        return samples[: window.shape[1] * mel.hop_length]

    return np.stack([one(np.asarray(window, np.float32)) for window in log_mel])


def hear(samples: Float32, sample_rate: int) -> Heard:
    """Waveforms [n, samples] (mono, floats in [-1, 1]) through all three judges, at 16 kHz by soxr.

    A window is heard in whole seconds (pitch, instrument) and pieces of 3 s (embedding), spread evenly over it.
    """
    parts = [_hear(samples[at : at + AT_ONCE], sample_rate) for at in range(0, len(samples), AT_ONCE)]
    return together(parts)


def _hear(samples: Float32, sample_rate: int) -> Heard:
    at_16k = np.stack([soxr.resample(np.asarray(one, np.float32), sample_rate, SAMPLE_RATE) for one in samples])
    pitch, instrument = (note_judge(name).logits(at_16k) for name in ("pitch", "instrument"))
    return Heard(pitch, instrument, musicnn().embed(at_16k))


def judge_windows(heard: Heard, reference: Heard, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, Figure]:
    """Every figure of a set of windows beside reference windows, each with its interval from `resamples` resamplings.

    Keys: pis, iis (higher is better); pkid, ikid, fad, fad_infinity, kad (lower, 0 for equal distributions); density,
    coverage (1 is best). The reference itself is resampled too. Deterministic for a seed. ValueError below 10 windows.
    """
    rng = np.random.default_rng(seed)
    return (
        {name: _score(logits, rng, resamples) for name, logits in (("pis", heard.pitch), ("iis", heard.instrument))}
        | {
            "pkid": _kernel(kernel_inception_distance(heard.pitch, reference.pitch), 1.0, rng, resamples),
            "ikid": _kernel(kernel_inception_distance(heard.instrument, reference.instrument), 1.0, rng, resamples),
            "kad": _kernel(kernel_audio_distance(heard.embedding, reference.embedding), KAD_SCALE, rng, resamples),
        }
        | _frechet(heard.embedding, reference.embedding, rng, resamples)
        | _reach(heard.embedding, reference.embedding, rng, resamples)
    )


def _score(logits: Float32, rng: np.random.Generator, resamples: int) -> Figure:
    windows, pieces, _ = logits.shape
    rows = probabilities(logits).reshape(windows * pieces, -1)
    value = inception_score(rows)
    low, high = interval(
        value, lambda counts: inception_score(rows, np.repeat(counts, pieces)), windows, rng, resamples
    )
    return Figure(value=value, low=low, high=high, windows=windows)


def _kernel(means: KernelMeans, scale: float, rng: np.random.Generator, resamples: int) -> Figure:
    """Both sets are resampled: one draw of counts over all their windows, split where the reference begins."""
    windows = len(means.xx)

    def statistic(counts: np.ndarray) -> float:
        return scale * means.resampled(counts, rng.multinomial(len(means.yy), np.full(len(means.yy), 1 / len(means.yy))))

    value = scale * means.distance
    low, high = interval(value, statistic, windows, rng, resamples)
    note = f"kernel median {means.median:.3f}" + (f"; {means.warning}" if means.warning else "")
    return Figure(value=value, low=low, high=high, windows=windows, note=note)


def _frechet(x: Float32, y: Float32, rng: np.random.Generator, resamples: int) -> dict[str, Figure]:
    windows, size = len(x), x.shape[-1]

    def rows(part: Float32, counts: np.ndarray | None = None) -> np.ndarray:
        return (part if counts is None else np.repeat(part, counts, axis=0)).reshape(-1, size).astype(np.float64)

    def drawn(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return rows(x, counts), rows(y, rng.multinomial(len(y), np.full(len(y), 1 / len(y))))

    plain = frechet_distance(rows(x), rows(y))
    low, high = interval(plain, lambda counts: frechet_distance(*drawn(counts)), windows, rng, resamples)
    endless = frechet_infinity(rows(x), rows(y), rng, repeats=10)
    ends = interval(
        endless.value,
        lambda counts: frechet_infinity(*drawn(counts), rng, repeats=1).value,
        windows, rng, resamples // 2,
    )  # fmt: skip
    return {
        "fad": Figure(value=plain, low=low, high=high, windows=windows, note=few_rows(len(rows(x)), size)),
        "fad_infinity": Figure(
            value=endless.value, low=ends[0], high=ends[1], windows=windows, note=f"R^2 {endless.r_squared:.3f}"
        ),
    }


def _reach(x: Float32, y: Float32, rng: np.random.Generator, resamples: int) -> dict[str, Figure]:
    """Of whole windows: the mean of each window's pieces."""
    found, windows = reach(x.mean(1), y.mean(1)), len(x)
    ends = {name: getattr(found, name) for name in ("density", "coverage")}
    figures = {}
    for name, statistic in ends.items():
        low, high = interval(statistic(), statistic, windows, rng, resamples)
        figures[name] = Figure(value=statistic(), low=low, high=high, windows=windows)
    return figures
