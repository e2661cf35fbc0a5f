"""The judges together: what they make of a set of windows, and what they say of it beside a reference.

    judged = hear(samples, 44100)                       # waveforms [n, samples], mono
    figures = judge_windows(judged, hear(real, 44100))  # {"fad": Figure(...), "pkid": Figure(...), ...}

From log-mel windows: `hear(voiced(log_mel, mel), mel.sample_rate)`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import soxr

from halfstep.arrays import Float, Float32, Float64, Shaped
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.metrics.bootstrap import LEVEL, RESAMPLES, ends, spread
from halfstep.metrics.frechet import few_rows, frechet_distance, frechet_infinity
from halfstep.metrics.inception import inception_score, probabilities
from halfstep.metrics.judges.embedding import Embedding
from halfstep.metrics.judges.musicnn import musicnn
from halfstep.metrics.judges.notes import RANGE_NEPERS, note_judge
from halfstep.metrics.judges.pieces import SAMPLE_RATE
from halfstep.metrics.kernel import KAD_SCALE, KernelMeans, kernel_audio_distance, kernel_inception_distance
from halfstep.metrics.melstats import features
from halfstep.metrics.neighbours import reach
from halfstep.vocoders.base import Vocoder
from halfstep.vocoders.griffin_lim import GriffinLimStream
from halfstep.vocoders.stereo import with_image

AT_ONCE = 16
FIELDS = ("pitch", "instrument", "embedding", "spectrum")


@dataclass(frozen=True, eq=False)
class JudgeOutputs:
    """What the judges gave of n windows: logits [n, seconds, classes] of two judges, embedding [n, pieces, features].

    spectrum [n, 48] is no judge's: level, movement and step of 16 groups of bands over the full width (`melstats`),
    which the judges, at 16 kHz, do not hear. As for them, what lies 69 dB below a window's loudest is as good as
    silent: else a band that is cut off would count by how many nepers the logarithm of nothing is given.
    """

    pitch: Float[np.ndarray, "windows pitch_pieces pitches"]
    instrument: Float[np.ndarray, "windows instrument_pieces instruments"]
    embedding: Float[np.ndarray, "windows pieces numbers"]
    spectrum: Float[np.ndarray, "windows groups"]

    def __len__(self) -> int:
        return len(self.embedding)

    def __getitem__(self, windows: slice | Shaped[np.ndarray, "chosen"]) -> "JudgeOutputs":
        """The same of some windows."""
        return JudgeOutputs(*(getattr(self, name)[windows] for name in FIELDS))


def together(parts: list[JudgeOutputs]) -> JudgeOutputs:
    """One set of windows from several."""
    return JudgeOutputs(*(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS))


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number and its 95 % interval over so many windows; note: what to know before trusting it."""

    value: float
    low: float | None = None
    high: float | None = None
    windows: int
    note: str | None = None
    around: Float64[np.ndarray, "resamples"] | None = field(default=None, repr=False, compare=False)
    """Resampled values less their mean. Those of two rows of as many windows, judged with one seed, belong together
    draw by draw: see `change`."""

    @staticmethod
    def of(value: float, around: Float64[np.ndarray, "resamples"], windows: int, note: str | None = None) -> "Figure":
        """With the interval of its resampled values."""
        low, high = ends(value, around)
        return Figure(value=value, low=low, high=high, windows=windows, note=note, around=around)


def change(before: Figure, after: Figure) -> Figure:
    """after - before, of the same windows: its interval is that of the difference, not of two independent figures.

    ValueError unless both were resampled as often.
    """
    if before.around is None or after.around is None or before.around.shape != after.around.shape:
        raise ValueError("figures that were not resampled together: as many windows, resamples and one seed expected")
    return Figure.of(after.value - before.value, after.around - before.around, after.windows)


def voiced(
    log_mel: Float32[np.ndarray, "..."], mel: MelConfig, vocoder: Callable[[], Vocoder] | None = None
) -> Float32[np.ndarray, "..."]:
    """Waveforms [n, frames * hop] of log-mel windows [n, rows, frames], each by itself, at the level of the mel; of
    a mel with an image [n, 2, frames * hop].

    `vocoder` makes one for each window; Griffin-Lim with the seed 0 if None. No limiter: judges hear no clipping.
    """
    make = vocoder or (lambda: with_image(GriffinLimStream(mel.mid, seed=0), mel))

    def one(window: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
        stream = make()
        samples = np.concatenate([stream.push(window), stream.finish()], axis=-1)
        return samples[..., : window.shape[1] * mel.hop_length]

    return np.stack([one(np.asarray(window, np.float32)) for window in log_mel])


def hear(samples: Float32[np.ndarray, "..."], sample_rate: int, embedding: Embedding | None = None) -> JudgeOutputs:
    """Waveforms [n, samples] (mono, floats in [-1, 1]) through all judges, at 16 kHz by soxr.

    A window is judged in whole seconds (pitch, instrument) and pieces of 3 s (embedding), spread evenly over it.
    `embedding`: another than musicnn's (`judges/embedding.py`), at its own rate.
    """
    embedding = embedding or musicnn()
    parts = [_hear(samples[at : at + AT_ONCE], sample_rate, embedding) for at in range(0, len(samples), AT_ONCE)]
    return together(parts)


def _hear(samples: Float32[np.ndarray, "..."], sample_rate: int, embedding: Embedding) -> JudgeOutputs:
    at_16k = _resampled(samples, sample_rate, SAMPLE_RATE)
    pitch, instrument = (note_judge(name).logits(at_16k) for name in ("pitch", "instrument"))
    same = embedding.sample_rate == SAMPLE_RATE
    vectors = embedding.embed(at_16k if same else _resampled(samples, sample_rate, embedding.sample_rate))
    levels = log_mel(samples.astype(np.float32), MelConfig(sample_rate=sample_rate))
    loud = np.maximum(levels, levels.max((1, 2), keepdims=True) - RANGE_NEPERS)  # silence has no level of its own
    return JudgeOutputs(pitch, instrument, vectors, features(loud).astype(np.float32))


def _resampled(samples: Float32[np.ndarray, "..."], from_rate: int, to_rate: int) -> Float32[np.ndarray, "..."]:
    return np.stack([soxr.resample(np.asarray(one, np.float32), from_rate, to_rate) for one in samples])


def judge_windows(
    judged: JudgeOutputs, reference: JudgeOutputs, seed: int = 0, resamples: int = RESAMPLES
) -> dict[str, Figure]:
    """Every figure of a set of windows beside reference windows, each with its interval from `resamples` resamplings.

    Keys: pis, iis (what real music scores is best); pkid, ikid, fad, fad_infinity, kad (lower, 0 for equal
    distributions); density, coverage (1 is best); spectral (a Frechet distance of `JudgeOutputs.spectrum`, full band).
    The reference is resampled too. Deterministic for a seed. ValueError below 10 windows of either.
    """
    rng = np.random.default_rng(seed)
    return (
        {name: _score(logits, rng, resamples) for name, logits in (("pis", judged.pitch), ("iis", judged.instrument))}
        | {
            "pkid": _kernel(kernel_inception_distance(judged.pitch, reference.pitch), 1.0, rng, resamples),
            "ikid": _kernel(kernel_inception_distance(judged.instrument, reference.instrument), 1.0, rng, resamples),
            "kad": _kernel(kernel_audio_distance(judged.embedding, reference.embedding), KAD_SCALE, rng, resamples),
        }
        | _frechet(judged.embedding, reference.embedding, rng, resamples)
        | _reach(judged.embedding, reference.embedding, rng, resamples)
        | {"spectral": _plain_frechet(judged.spectrum[:, None], reference.spectrum[:, None], rng, resamples)}
    )


def _score(logits: Float[np.ndarray, "..."], rng: np.random.Generator, resamples: int) -> Figure:
    windows, pieces, _ = logits.shape
    rows = probabilities(logits).reshape(windows * pieces, -1)
    around = spread(lambda counts: inception_score(rows, np.repeat(counts, pieces)), windows, rng, resamples)
    return Figure.of(inception_score(rows), around, windows)


def _kernel(means: KernelMeans, scale: float, rng: np.random.Generator, resamples: int) -> Figure:
    """Both sets are resampled: one draw of counts over all their windows, split where the reference begins."""
    windows = len(means.xx)

    def statistic(counts: np.ndarray) -> float:
        return scale * means.resampled(
            counts, rng.multinomial(len(means.yy), np.full(len(means.yy), 1 / len(means.yy)))
        )

    note = f"kernel median {means.median:.3f}" + (f"; {means.warning}" if means.warning else "")
    return Figure.of(scale * means.distance, spread(statistic, windows, rng, resamples), windows, note)


def _frechet(
    x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."], rng: np.random.Generator, resamples: int
) -> dict[str, Figure]:
    """The plain distance of all pieces, and what endless rows would give."""
    plain = _plain_frechet(x, y, rng, resamples)
    endless = frechet_infinity(_rows(x), _rows(y), rng, repeats=10)
    around = spread(
        lambda counts: frechet_infinity(_rows(x, counts), _drawn(y, rng), rng, repeats=1).value,
        len(x), rng, resamples // 2,
    )  # fmt: skip
    few = few_rows(min(len(_rows(x)), len(_rows(y))), x.shape[-1])
    note = f"R^2 {endless.r_squared:.3f}" + (f"; {few}" if few else "")
    return {"fad": plain, "fad_infinity": Figure.of(endless.value, around, len(x), note)}


def _plain_frechet(
    x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."], rng: np.random.Generator, resamples: int
) -> Figure:
    around = spread(lambda counts: frechet_distance(_rows(x, counts), _drawn(y, rng)), len(x), rng, resamples)
    return Figure.of(frechet_distance(_rows(x), _rows(y)), around, len(x), few_rows(len(_rows(x)), x.shape[-1]))


def _rows(windows: Float[np.ndarray, "..."], counts: np.ndarray | None = None) -> np.ndarray:
    """[n, pieces, d] -> [rows, d], window i counts[i] times."""
    chosen = windows if counts is None else np.repeat(windows, counts, axis=0)
    return chosen.reshape(-1, windows.shape[-1]).astype(np.float64)


def _drawn(windows: Float[np.ndarray, "..."], rng: np.random.Generator) -> np.ndarray:
    """The rows of as many windows, drawn with replacement."""
    return _rows(windows, rng.multinomial(len(windows), np.full(len(windows), 1 / len(windows))))


def _reach(
    x: Float[np.ndarray, "..."], y: Float[np.ndarray, "..."], rng: np.random.Generator, resamples: int
) -> dict[str, Figure]:
    """Of whole windows: the mean of each window's pieces."""
    nearness, windows = reach(x.mean(1), y.mean(1)), len(x)
    ends = {name: getattr(nearness, name) for name in ("density", "coverage")}
    figures: dict[str, Figure] = {}
    for name, statistic in ends.items():
        figures[name] = Figure.of(statistic(), spread(statistic, windows, rng, resamples), windows)
    return figures


def infinity_by_chance(x: JudgeOutputs, y: JudgeOutputs, seed: int = 0, cuts: int = 20) -> Figure:
    """What FAD-inf says of two sets of one music, as many windows each as x and y: the mean, and where 95 % lie.

    Both are pooled and cut in two at random, so that the truth is 0: what comes out is the bias of so few
    windows. It belongs to sets of this music and size; of another it may be more or less.
    """
    rng = np.random.default_rng(seed)
    both = np.concatenate([x.embedding, y.embedding])
    distances: list[float] = []
    for order in (rng.permutation(len(both)) for _ in range(cuts)):
        halves = (_rows(both[order[: len(x)]]), _rows(both[order[len(x) :]]))
        distances.append(frechet_infinity(*halves, rng, repeats=1).value)
    low, high = np.quantile(distances, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Figure(value=float(np.mean(distances)), low=float(low), high=float(high), windows=len(x))


def most_by_chance(x: JudgeOutputs, y: JudgeOutputs, seed: int = 0, cuts: int = RESAMPLES) -> dict[str, float]:
    """What the plain Frechet distances (fad, spectral) of two sets of one music stay below 39 times of 40.

    Both are pooled and cut in two at random: the distance of such halves is nothing but the bias of so few
    windows, which no resampling of two given sets shows.
    """
    rng = np.random.default_rng(seed)
    by_cut: dict[str, list[float]] = {"fad": [], "spectral": []}
    for order in (rng.permutation(len(x) + len(y)) for _ in range(cuts)):
        for name, one, other in (("fad", x.embedding, y.embedding), ("spectral", x.spectrum, y.spectrum)):
            windows = np.concatenate([one, other])[order].reshape(len(order), -1, one.shape[-1])
            by_cut[name].append(frechet_distance(_rows(windows[: len(x)]), _rows(windows[len(x) :])))
    return {name: float(np.quantile(distances, (1 + LEVEL) / 2)) for name, distances in by_cut.items()}
