"""What can be measured of music itself, without a reference: tuning, held notes, pitch classes, pulse, decay.

music_figures(samples, 44100)  # {"tuning": .82, "held_share": .97, "pitch_class_entropy": 3.2, ...}
python -m halfstep.metrics.music FILE...
"""

import sys

import numpy as np

from halfstep.arrays import Float32
from halfstep.metrics.held import decay, held_runs, held_share
from halfstep.metrics.partials import find_peaks
from halfstep.metrics.pitch_classes import pitch_class_entropy
from halfstep.metrics.pulse import pulse
from halfstep.metrics.tuning import tuning


def music_figures(samples: Float32[np.ndarray, "..."], sample_rate: int) -> dict[str, float]:
    """Of mono samples [n], a window or a stream; NaN where there is nothing to measure.

    ValueError unless the samples have one axis.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples of shape {samples.shape}: mono, [n], was expected")
    peaks = find_peaks(samples, sample_rate)
    tuned, runs = tuning(peaks), held_runs(peaks)
    return {
        "tuning": tuned.strength,
        "reference_cents": tuned.reference_cents,
        "held_share": held_share(peaks, runs),
        "pitch_class_entropy": pitch_class_entropy(peaks, tuned.reference_cents),
        "pulse": pulse(samples, sample_rate),
        "decay_db_per_second": decay(peaks, runs),
    }


def main(paths: list[str]) -> None:
    """Print the figures of sound files, mixed to mono."""
    import soundfile

    for path in paths:
        samples, sample_rate = soundfile.read(path, dtype="float32", always_2d=True)
        figures = music_figures(samples.mean(1), sample_rate)
        print(path, *(f"{name} {value:.3f}" for name, value in figures.items()), sep="  ")


if __name__ == "__main__":
    main(sys.argv[1:])
