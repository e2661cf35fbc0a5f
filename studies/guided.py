"""Does music follow its guide? python studies/guided.py MODEL TAKE.mp3 SCORE.mid ... [--seconds 12] [--steps K]

Recordings and scores that the model did not learn from lead its music, one after the other: recordings from --start
on, MIDI files from their beginning. Music and what led it, a score as plain sound, are compared by judges that took no
part in training: the pitch classes of the spectrum's peaks (`contour_correlation`), those that basic-pitch hears
(`metrics/judges/transcriber.py`), and the strengths of onsets; correlations over time, so that a key alone counts for
nothing. Beside each stand the music that another of them led, and music that nothing led.
"""

import argparse
from pathlib import Path

import numpy as np

import halfstep
from halfstep.audio.files.io import Audio
from halfstep.audio.files.midi import is_midi
from halfstep.generation.guiding import sound_of
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


def excerpt(path: Path, start: float, seconds: float, sample_rate: int) -> tuple[Audio | Path, np.ndarray]:
    """What leads, and its sound as one channel [n]; that of a score begins again at its end, as the guide does."""
    sound, count = sound_of(path, sample_rate), round(seconds * sample_rate)
    if is_midi(path):
        return path, np.resize(sound, count)
    part = sound[round(start * sample_rate) :][:count]
    return Audio(part[None], sample_rate), part


def interval(values: list[float]) -> str:
    """Mean and twice its standard error."""
    known = np.array(values)[np.isfinite(values)]
    return f"{known.mean():.3f} +- {2 * known.std() / max(1, len(known)) ** 0.5:.3f} ({len(known)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("guides", type=Path, nargs="+", help="recordings or MIDI files, two or more")
    parser.add_argument("--start", type=float, default=20.0, help="seconds of each that are passed over")
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--steps", type=int)
    options = parser.parse_args()
    if len(options.guides) < 2:
        parser.error("two guides or more are needed, each the other's control")
    model = halfstep.load(options.model)
    rate = model.sample_rate
    guides, sounds = zip(*(excerpt(path, options.start, options.seconds, rate) for path in options.guides), strict=True)
    samples = min(map(len, sounds))

    def made(seed: int, guide: Audio | Path | None) -> np.ndarray:
        music = model.generate(samples / rate, seed=seed, steps=options.steps, guide=guide)
        return music.samples.mean(axis=0)[:samples]

    wanted = [sound[:samples] for sound in sounds]
    guided = [made(seed, guide) for seed, guide in enumerate(guides)]
    free = [made(seed, None) for seed in range(len(guides))]
    count = range(len(guides))
    for name, judge in JUDGES.items():
        own = [judge(wanted[k], guided[k], rate) for k in count]
        others = [judge(wanted[k], guided[other], rate) for k in count for other in count if other != k]
        nothing = [judge(wanted[k], free[k], rate) for k in count]
        row = {"led by it": own, "by another": others, "by nothing": nothing}
        print(name, *(f"{what} {interval(values)}" for what, values in row.items()), sep="  ", flush=True)


if __name__ == "__main__":
    main()
