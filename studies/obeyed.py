"""Is what is asked obtained? A curve a control: python studies/obeyed.py MODEL [--seeds 3] [--seconds 12] [--steps K]

Of each of the model's controls `key`, `density` and `loudness_like`, values that it knows are asked for, and its music
is judged by what took no part in training: librosa's chroma and the profiles of Krumhansl and Kessler, librosa's
onsets, and pyloudnorm's integrated loudness. Beside each stand the same seeds of which nothing is asked; a key is
compared with the other keys as well. --style and the like are asked beside all of it.
"""

import argparse
from collections.abc import Callable

import librosa
import numpy as np
import pyloudnorm

import halfstep
from halfstep.audio.chroma import KEYS, MAJOR, MINOR, NOTES
from halfstep.conditioning import LabelCondition, NumberCondition
from halfstep.generation.requests import Piece

MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
MOST_VALUES = 6


def classes_of(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """How much of each pitch class librosa finds, from A up, [12], 1 together."""
    chroma = librosa.feature.chroma_stft(y=samples, sr=sample_rate, n_fft=8192).mean(axis=1)
    return np.roll(chroma, -9) / chroma.sum()  # its first is C


def best_key(classes: np.ndarray, keys: tuple[str, ...]) -> str:
    """Of these, the one whose profile fits best."""
    return max(keys, key=lambda key: float(np.corrcoef(classes, profile(key))[0, 1]))


def profile(key: str) -> np.ndarray:
    return np.roll(MINOR if key.endswith("m") else MAJOR, NOTES.index(key.removesuffix("m")))


def on_scale(classes: np.ndarray, key: str) -> float:
    """The share that lies on the seven notes of the key."""
    scale = MINOR_SCALE if key.endswith("m") else MAJOR_SCALE
    return float(sum(classes[(NOTES.index(key.removesuffix("m")) + step) % 12] for step in scale))


def density(samples: np.ndarray, sample_rate: int) -> float:
    """Onsets a second."""
    return len(librosa.onset.onset_detect(y=samples, sr=sample_rate)) * sample_rate / len(samples)


def loudness(samples: np.ndarray, sample_rate: int) -> float:
    """Integrated LUFS."""
    return float(pyloudnorm.Meter(sample_rate).integrated_loudness(samples))


NUMBERS: dict[str, Callable[[np.ndarray, int], float]] = {"density": density, "loudness_like": loudness}
Make = Callable[..., list[np.ndarray]]


def curve_of_numbers(condition: NumberCondition, make: Make, plain: list[np.ndarray], sample_rate: int) -> None:
    """A line a value that is asked for, and how what is obtained goes with it."""
    judge = NUMBERS[condition.name]
    nothing = [judge(one, sample_rate) for one in plain]
    places = np.linspace(0, len(condition.values) - 1, MOST_VALUES)
    asked, obtained = list[float](), list[float]()
    for place in places:
        value = float(np.interp(place, range(len(condition.values)), condition.values))
        judged = [judge(one, sample_rate) for one in make(**{condition.name: value})]
        asked, obtained = [*asked, *[value] * len(judged)], [*obtained, *judged]
        print(f"{condition.name} {value:.3g} asked: {np.mean(judged):.3g} +- {np.std(judged):.2g} obtained", flush=True)
    slope, fit = np.polyfit(asked, obtained, 1)[0], np.corrcoef(asked, obtained)[0, 1]
    print(
        f"{condition.name}: correlation {fit:.2f}, slope {slope:.2f}; nothing asked {np.mean(nothing):.3g}", flush=True
    )


def curve_of_keys(condition: LabelCondition, make: Make, plain: list[np.ndarray], sample_rate: int) -> None:
    """How often, and how much, music is in the key that is asked for, and in the others."""
    keys = tuple(key for key in condition.values if key in KEYS)  # `free` is none
    free = [classes_of(one, sample_rate) for one in plain]
    very, best, own, others = list[bool](), list[bool](), list[float](), list[float]()
    for key in keys:
        made = [classes_of(one, sample_rate) for one in make(key=key)]
        very += [best_key(one, KEYS) == key for one in made]
        best += [best_key(one, keys) == key for one in made]
        own += [on_scale(one, key) for one in made]
        others += [on_scale(one, other) for one in made for other in keys if other != key]
    chance = np.mean([on_scale(one, key) for one in free for key in keys])
    by_chance = np.mean([best_key(one, keys) == key for one in free for key in keys])
    print(
        f"key ({len(own)}, {len(keys)} keys): best of 24 {np.mean(very):.2f}, of those known {np.mean(best):.2f} "
        f"(nothing asked {by_chance:.2f}); on its scale {np.mean(own):.3f}, on the others' {np.mean(others):.3f}, "
        f"nothing asked {chance:.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--style", help="asked beside it")
    parser.add_argument("--seeds", type=int, default=3, help="for each value")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    model = halfstep.load(options.model)
    common = {} if options.style is None else {"style": options.style}

    def make(**asked: float | str) -> list[np.ndarray]:
        pieces = (
            Piece(seconds=options.seconds, seed=seed, steps=options.steps, asked={**common, **asked})
            for seed in range(options.seeds)
        )
        return [model.play(piece).samples.mean(axis=0) for piece in pieces]

    plain = make()
    for condition in model.manifest.asks.all:
        if condition.name in NUMBERS and isinstance(condition, NumberCondition):
            curve_of_numbers(condition, make, plain, model.sample_rate)
        elif condition.name == "key" and isinstance(condition, LabelCondition):
            curve_of_keys(condition, make, plain, model.sample_rate)


if __name__ == "__main__":
    main()
