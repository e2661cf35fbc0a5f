"""Does music follow its guide? python studies/guided.py MODEL TAKE.mp3 OTHER.mp3 ... [--seconds 12] [--steps K]

Recordings that the model did not learn from lead its music, one after the other. Music and recording are compared by
judges that took no part in training: the pitch classes of the spectrum's peaks (`contour_correlation`), those that
basic-pitch hears (`metrics/judges/transcriber.py`), and the strengths of onsets; correlations over time, so that a key
alone counts for nothing. Beside each stand the music that another recording led, and music that nothing led.
"""

import argparse
from pathlib import Path

import numpy as np

import halfstep
from halfstep.audio.files.io import Audio, read
from halfstep.metrics.judges.transcriber import FRAMES_PER_SECOND, transcriber
from halfstep.metrics.structure import classes_correlation, contour_correlation, onset_correlation

CLASSES = 12


def transcribed_classes(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """How surely basic-pitch hears each pitch class, from A up, [frames, 12]."""
    sounding, _ = transcriber().likelihoods(samples, sample_rate)
    classes = np.zeros((len(sounding), CLASSES))
    for key in range(sounding.shape[1]):
        classes[:, key % CLASSES] += sounding[:, key]
    return classes


def transcribed_correlation(one: np.ndarray, other: np.ndarray, sample_rate: int) -> float:
    """Of the pitch classes that basic-pitch hears in two recordings of one length."""
    return classes_correlation(
        transcribed_classes(one, sample_rate), transcribed_classes(other, sample_rate), 1 / FRAMES_PER_SECOND
    )  # fmt: skip


JUDGES = {
    "pitch classes of peaks": contour_correlation, "pitch classes by basic-pitch": transcribed_correlation,
    "onsets": onset_correlation,
}  # fmt: skip


def excerpt(path: Path, start: float, seconds: float, sample_rate: int) -> np.ndarray:
    """One channel [n] of a recording."""
    mono = read(path, sample_rate).samples.mean(axis=0)
    return mono[round(start * sample_rate) :][: round(seconds * sample_rate)].astype(np.float32)


def interval(values: list[float]) -> str:
    """Mean and twice its standard error."""
    known = np.array(values)[np.isfinite(values)]
    return f"{known.mean():.3f} +- {2 * known.std() / max(1, len(known)) ** 0.5:.3f} ({len(known)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("recordings", type=Path, nargs="+", help="two or more")
    parser.add_argument("--start", type=float, default=20.0, help="seconds of each that are passed over")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    if len(options.recordings) < 2:
        parser.error("two recordings or more are needed, each the other's control")
    model = halfstep.load(options.model)
    rate = model.sample_rate
    guides = [excerpt(path, options.start, options.seconds, rate) for path in options.recordings]
    seconds = min(len(guide) for guide in guides) / rate
    guides = [guide[: round(seconds * rate)] for guide in guides]

    def made(seed: int, guide: np.ndarray | None) -> np.ndarray:
        leads = None if guide is None else Audio(guide[None], rate)
        return model.generate(seconds, seed=seed, steps=options.steps, guide=leads).samples.mean(axis=0)

    guided = [made(seed, guide) for seed, guide in enumerate(guides)]
    free = [made(seed, None) for seed in range(len(guides))]
    count = range(len(guides))
    for name, judge in JUDGES.items():
        own = [judge(guides[k], guided[k], rate) for k in count]
        others = [judge(guides[k], guided[other], rate) for k in count for other in count if other != k]
        nothing = [judge(guides[k], free[k], rate) for k in count]
        row = {"led by it": own, "by another": others, "by nothing": nothing}
        print(name, *(f"{what} {interval(values)}" for what, values in row.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
