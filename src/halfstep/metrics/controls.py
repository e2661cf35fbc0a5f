"""Controls: what a measure must say of music that was spoilt on purpose, before it is believed on any other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from halfstep.arrays import Float32
from halfstep.data.synthetic import piece
from halfstep.metrics.judge import Figure, change

SNR_DB = (40, 30, 20, 10, 0)
CUTOFF_HZ = (16000, 8000, 4000, 2000)
FIRST_SEED = 1000

Spoil = Callable[[Float32[np.ndarray, "clips samples"], int, range], Float32[np.ndarray, "clips samples"]]
"""(windows [n, samples], sample rate, their numbers) -> as many spoilt windows, each a function of its number."""


def noisy(snr_db: float) -> Spoil:
    """White noise so many dB below each window."""

    def spoil(
        samples: Float32[np.ndarray, "clips samples"], sample_rate: int, numbers: range
    ) -> Float32[np.ndarray, "clips samples"]:
        noise = white_noise(samples, sample_rate, numbers)
        return (samples + noise * 10 ** (-snr_db / 20)).astype(np.float32)

    return spoil


def low_passed(cutoff_hz: float) -> Spoil:
    """Nothing above the cut-off."""

    def spoil(
        samples: Float32[np.ndarray, "clips samples"], sample_rate: int, numbers: range
    ) -> Float32[np.ndarray, "clips samples"]:
        spectrum = np.fft.rfft(samples)
        spectrum[:, np.fft.rfftfreq(samples.shape[1], 1 / sample_rate) > cutoff_hz] = 0
        return np.fft.irfft(spectrum, samples.shape[1]).astype(np.float32)

    return spoil


def wrong_instrument(
    samples: Float32[np.ndarray, "clips samples"], sample_rate: int, numbers: range
) -> Float32[np.ndarray, "clips samples"]:
    """Other music on another instrument, as loud: chords on plucked strings (`data/synthetic.py`)."""
    length = samples.shape[1]
    played = np.stack([piece(length / sample_rate, FIRST_SEED + k, sample_rate)[0, :length] for k in numbers])
    return (played * (_rms(samples) / _rms(played))).astype(np.float32)


def white_noise(
    samples: Float32[np.ndarray, "clips samples"], sample_rate: int, numbers: range
) -> Float32[np.ndarray, "clips samples"]:
    """Nothing but noise, as loud."""
    size = samples.shape[1]
    drawn = [np.random.default_rng([FIRST_SEED, k]).standard_normal(size, np.float32) for k in numbers]
    return (np.stack(drawn) * _rms(samples)).astype(np.float32)


def _rms(samples: Float32[np.ndarray, "clips samples"]) -> Float32[np.ndarray, "clips 1"]:
    return (np.sqrt(np.mean(np.square(samples), axis=1, keepdims=True)) + 1e-9).astype(np.float32)


SPOILT: dict[str, Spoil] = {
    **{f"noise {snr} dB": noisy(snr) for snr in SNR_DB},
    **{f"low-pass {cutoff // 1000} kHz": low_passed(cutoff) for cutoff in CUTOFF_HZ},
    "wrong instrument": wrong_instrument,
    "white noise": white_noise,
}
REPEATED = "one second repeated"
HALVES = "real, other half"

HIGHER_IS_BETTER = {"pis", "iis", "density", "coverage"}
NO_REFERENCE = "a score without a reference: it has no right value, and other music may have more"
BLIND_TO_VARIETY = "density does not ask for variety: one sound in the midst of the real ones may have more than all"
NOT_ASKED = {
    ("real halves", "pis"): NO_REFERENCE,
    ("real halves", "iis"): NO_REFERENCE,
    ("wrong instrument", "pis"): NO_REFERENCE,
    ("wrong instrument", "iis"): NO_REFERENCE,
    (REPEATED, "density"): BLIND_TO_VARIETY,
}
"""What a measure does not claim to see, and so is no failure of it."""
NEGLIGIBLE = 0.02
"""Of the way from real music to white noise: by less no measure is said to move, however narrow the interval."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a measure passed a control, None if it is not asked; `why` if it did not, or is not."""

    control: str
    measure: str
    passed: bool | None
    why: str = ""


def verdicts(figures: Mapping[str, Mapping[str, Figure]], by_chance: Mapping[str, float]) -> list[Verdict]:
    """Of `figures[row][measure]`, rows HALVES, REPEATED and SPOILT, judged with one seed: every control, every measure.

    A row is compared with another window by window (`metrics/judge.py`, `change`): a spoilt window has its like in
    the row that is not.

    - halves: the interval of a distance holds 0, or it lies below a twentieth of that of white noise. A plain Frechet
      distance is never 0 at so few windows: it stays below what two random halves of the same windows have `by_chance`.
    - a series: no step is better by more than its interval and NEGLIGIBLE allow, and the last is worse than the halves.
    - repetition and another instrument: worse than the halves. White noise: no other sound is worse. Repetition is not
      set beside it: both are sets without variety, about as far from music as a kernel reaches, and neither need lead.
    """
    results: list[Verdict] = []
    for measure in figures[HALVES]:
        of = {row: figures[row][measure] for row in figures}
        asked = _Asked(of, -1 if measure in HIGHER_IS_BETTER else 1)
        halves = asked.within(by_chance[measure]) if measure in by_chance else asked.near(IDEAL.get(measure, 0.0))
        checks = {
            "noise 40 to 0 dB": asked.series([f"noise {snr} dB" for snr in SNR_DB]),
            "low-pass 16 to 2 kHz": asked.series([f"low-pass {cutoff // 1000} kHz" for cutoff in CUTOFF_HZ]),
            "white noise worst": asked.worst("white noise"),
            REPEATED: asked.worse(HALVES, REPEATED),
            "wrong instrument": asked.worse(HALVES, "wrong instrument"),
            "real halves": halves,
        }
        for control, why in checks.items():
            reason = NOT_ASKED.get((control, measure))
            passed = None if reason else not why
            results.append(Verdict(control=control, measure=measure, passed=passed, why=reason or why))
    return results


IDEAL = {"density": 1.0, "coverage": 0.969}
"""Between equal distributions; 0 where it is not named."""


class _Asked:
    """One measure's figures of every row; an answer is why it fails, or nothing. sign: 1 where less is better."""

    def __init__(self, of: Mapping[str, Figure], sign: int) -> None:
        self._of, self._sign = of, sign
        self._negligible = NEGLIGIBLE * abs(of["white noise"].value - of[HALVES].value)

    def _worsening(self, before: str, after: str) -> tuple[float, float, float]:
        """How much worse `after` is than `before`, and the ends of the interval of that."""
        results = change(self._of[before], self._of[after])
        ends = sorted(self._sign * (end or 0.0) for end in (results.low, results.high))
        return self._sign * results.value, ends[0], ends[1]

    def series(self, rows: Sequence[str]) -> str:
        for before, after in pairwise([HALVES, *rows]):
            value, _, high = self._worsening(before, after)
            if high < 0 and value < -self._negligible:
                return f"{self._named(after)} is better than {self._named(before)}"
        return self.worse(HALVES, rows[-1])

    def worse(self, good: str, bad: str) -> str:
        _, low, _ = self._worsening(good, bad)
        return "" if low > 0 else f"{self._named(bad)} is no worse than {self._named(good)}"

    def worst(self, row: str) -> str:
        for other in (name for name in self._of if name != REPEATED):
            value, low, _ = self._worsening(row, other)
            if low > 0 and value > self._negligible:
                return f"{self._named(other)} is worse than {self._named(row)}"
        return ""

    def near(self, ideal: float) -> str:
        halves, noise = self._of[HALVES], self._of["white noise"]
        held = (halves.low or 0) <= ideal <= (halves.high or 0)
        if held or abs(halves.value - ideal) < abs(noise.value - ideal) / 20:
            return ""
        return f"halves of one set are {halves.value:.3g} apart, white noise {noise.value:.3g}"

    def within(self, by_chance: float) -> str:
        halves = self._of[HALVES].value
        return "" if halves <= by_chance else f"halves are {halves:.3g} apart, of random ones 39 in 40 {by_chance:.3g}"

    def _named(self, row: str) -> str:
        return f"{row} ({self._of[row].value:.3g})"
