"""Controls: what a measure must say of music that was spoilt on purpose, before it is believed on any other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from halfstep.audio.mel import Float32
from halfstep.data.synthetic import piece
from halfstep.metrics.judge import Figure

SNR_DB = (40, 30, 20, 10, 0)
CUTOFF_HZ = (16000, 8000, 4000, 2000)
FIRST_SEED = 1000

Spoil = Callable[[Float32, int, range], Float32]
"""(windows [n, samples], sample rate, their numbers) -> as many spoilt windows, each a function of its number."""


def noisy(snr_db: float) -> Spoil:
    """White noise so many dB below each window."""

    def spoil(samples: Float32, sample_rate: int, numbers: range) -> Float32:
        noise = white_noise(samples, sample_rate, numbers)
        return (samples + noise * 10 ** (-snr_db / 20)).astype(np.float32)

    return spoil


def low_passed(cutoff_hz: float) -> Spoil:
    """Nothing above the cut-off."""

    def spoil(samples: Float32, sample_rate: int, numbers: range) -> Float32:
        spectrum = np.fft.rfft(samples)
        spectrum[:, np.fft.rfftfreq(samples.shape[1], 1 / sample_rate) > cutoff_hz] = 0
        return np.fft.irfft(spectrum, samples.shape[1]).astype(np.float32)

    return spoil


def wrong_instrument(samples: Float32, sample_rate: int, numbers: range) -> Float32:
    """Other music on another instrument, as loud: chords on plucked strings (`data/synthetic.py`)."""
    length = samples.shape[1]
    played = np.stack([piece(length / sample_rate, FIRST_SEED + k, sample_rate)[0, :length] for k in numbers])
    return (played * (_rms(samples) / _rms(played))).astype(np.float32)


def white_noise(samples: Float32, sample_rate: int, numbers: range) -> Float32:
    """Nothing but noise, as loud."""
    size = samples.shape[1]
    drawn = [np.random.default_rng([FIRST_SEED, k]).standard_normal(size, np.float32) for k in numbers]
    return (np.stack(drawn) * _rms(samples)).astype(np.float32)


def _rms(samples: Float32) -> Float32:
    return (np.sqrt(np.mean(np.square(samples), axis=1, keepdims=True)) + 1e-9).astype(np.float32)


SPOILT: dict[str, Spoil] = {
    **{f"noise {snr} dB": noisy(snr) for snr in SNR_DB},
    **{f"low-pass {cutoff // 1000} kHz": low_passed(cutoff) for cutoff in CUTOFF_HZ},
    "wrong instrument": wrong_instrument,
    "white noise": white_noise,
}
REPEATED = "one window repeated"
HALVES = "real, other half"

HIGHER_IS_BETTER = {"pis", "iis", "density", "coverage"}
RELATIVE = {"pis", "iis"}
"""Scores without a reference: they know no right value, only that of the real music."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a measure passed a control; `why` if it did not."""

    control: str
    measure: str
    passed: bool
    why: str = ""


def verdicts(figures: Mapping[str, Mapping[str, Figure]]) -> list[Verdict]:
    """Of `figures[row][measure]`, rows HALVES, REPEATED and SPOILT: every control for every measure it speaks to.

    - halves: the interval of a distance holds 0, or it lies below a twentieth of that of white noise.
    - a series: never better by more than its intervals allow, and at its end worse than the halves beyond them.
    - repetition and another instrument: worse than the halves beyond the intervals. White noise: the worst of all rows,
      within the intervals.
    """
    found = []
    for measure in figures[HALVES]:
        of = {row: figures[row][measure] for row in figures}
        badness = (lambda f: -f.value) if measure in HIGHER_IS_BETTER else (lambda f: f.value)
        checks = {
            "noise 40 to 0 dB": _series(of, [f"noise {snr} dB" for snr in SNR_DB], badness),
            "low-pass 16 to 2 kHz": _series(of, [f"low-pass {cutoff // 1000} kHz" for cutoff in CUTOFF_HZ], badness),
            "white noise worst": _worst(of, badness),
        }
        if measure not in RELATIVE | {"density"}:
            checks["wrong instrument"] = _worse(of, HALVES, "wrong instrument", badness)
        if measure != "density":
            checks[REPEATED] = _worse(of, HALVES, REPEATED, badness)
        if measure not in RELATIVE:
            checks["real halves"] = _near_zero(of, measure)
        found += [Verdict(control=c, measure=measure, passed=not why, why=why) for c, why in checks.items()]
    return found


def _slack(one: Figure, other: Figure) -> float:
    """Half the width of both intervals, as of independent figures."""
    half = [((f.high or f.value) - (f.low or f.value)) / 2 for f in (one, other)]
    return float(np.hypot(half[0], half[1]))


def _series(of: Mapping[str, Figure], rows: Sequence[str], badness: Callable[[Figure], float]) -> str:
    order = [HALVES, *rows]
    for before, after in pairwise(order):
        if badness(of[after]) < badness(of[before]) - _slack(of[before], of[after]):
            return f"{after} ({of[after].value:.3g}) is better than {before} ({of[before].value:.3g})"
    return _worse(of, HALVES, rows[-1], badness)


def _worse(of: Mapping[str, Figure], good: str, bad: str, badness: Callable[[Figure], float]) -> str:
    if badness(of[bad]) > badness(of[good]) + _slack(of[good], of[bad]):
        return ""
    return f"{bad} ({of[bad].value:.3g}) is no worse than {good} ({of[good].value:.3g})"


def _worst(of: Mapping[str, Figure], badness: Callable[[Figure], float]) -> str:
    noise = of["white noise"]
    for row, figure in of.items():
        if badness(figure) > badness(noise) + _slack(noise, figure):
            return f"{row} ({figure.value:.3g}) is worse than white noise ({noise.value:.3g})"
    return ""


def _near_zero(of: Mapping[str, Figure], measure: str) -> str:
    halves, noise = of[HALVES], of["white noise"]
    ideal = {"density": 1.0, "coverage": 0.969}.get(measure, 0.0)
    if (halves.low or 0) <= ideal <= (halves.high or 0) or abs(halves.value - ideal) < abs(noise.value - ideal) / 20:
        return ""
    return f"halves of one set are {halves.value:.3g} apart, white noise {noise.value:.3g}"
