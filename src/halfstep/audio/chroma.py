"""Which of the twelve pitch classes sound, of log bands alone."""

import numpy as np

from halfstep.arrays import Float, Float64
from halfstep.audio.mel import MelConfig, band_edges_hz
from halfstep.audio.parabola import vertex

LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ = 100.0, 2000.0
"""Bands between them say which pitch classes sound."""
A_HZ, A_NOTE = 440.0, 69
"""The first of the classes, and the MIDI note of that pitch."""
NOTES = ("A", "Bb", "B", "C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab")
CLASSES = len(NOTES)
KEYS = tuple(f"{note}{mode}" for note in NOTES for mode in ("", "m"))
"""Major, and minor."""
RANGE_NEPERS = 3.5
"""30 dB below a frame's loudest band there is no peak."""
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
"""How well each pitch class fits a key, from its tonic on (Krumhansl & Kessler 1982)."""
LEAST_FIT = 0.3
"""Correlation of pitch classes with a key: below it there is none."""


def hz_of(note: float) -> float:
    """Of a MIDI note number."""
    return A_HZ * 2 ** ((note - A_NOTE) / CLASSES)


def holds_pitch(mel: MelConfig) -> bool:
    """Whether bands are nearer to each other at A_HZ than semitones are."""
    centres = _centres_hz(mel)
    return bool(centres[0] < A_HZ < centres[-1] and np.interp(A_HZ, centres[1:], np.diff(semitones(mel))) < 1)


def chroma(log_bands: Float[np.ndarray, "bands frames"], mel: MelConfig) -> Float64[np.ndarray, "12 frames"]:
    """How much of every pitch class sounds in each frame, from A up: the magnitudes of the peaks among the bands, each
    shared by the two classes next to its pitch. Noise, which has many small peaks of all pitches, adds little.
    """
    first, stop = pitched_bands(mel)
    levels = log_bands[first - 1 : stop + 1].astype(np.float64)
    left, middle, right = levels[:-2], levels[1:-1], levels[2:]
    loudest = middle.max(axis=0, initial=-np.inf)
    band, frame = np.nonzero((middle > left) & (middle >= right) & (middle > loudest - RANGE_NEPERS))
    offset, height = vertex(*(part[band, frame] for part in (left, middle, right)))
    pitch = np.interp(first + band + offset, np.arange(mel.n_mels), semitones(mel))
    below, frames = np.floor(pitch).astype(np.int64), levels.shape[1]
    share, magnitude = pitch - below, np.exp(height)
    sums = sum(
        np.bincount(note % CLASSES * frames + frame, magnitude * part, CLASSES * frames)
        for note, part in ((below, 1 - share), (below + 1, share))
    )
    return np.asarray(sums, np.float64).reshape(CLASSES, frames)


def pitched_bands(mel: MelConfig) -> tuple[int, int]:
    """The bands that say which pitch classes sound: the first of them, and the first after them."""
    first, stop = np.searchsorted(_centres_hz(mel), (LOWEST_PITCH_HZ, HIGHEST_PITCH_HZ))
    return max(int(first), 1), min(int(stop), mel.n_mels - 1)


def _centres_hz(mel: MelConfig) -> Float64[np.ndarray, "bands"]:
    return band_edges_hz(mel)[1:-1]


def semitones(mel: MelConfig) -> Float64[np.ndarray, "bands"]:
    """Of the bands' centres, above A_HZ."""
    return CLASSES * np.log2(np.maximum(_centres_hz(mel), 1.0) / A_HZ)


def key_of(classes: Float64[np.ndarray, "12"]) -> str:
    """The major or minor key, `A` or `Am`, whose profile fits best how much of every pitch class sounds, from A up; ""
    where none fits.
    """
    fits = key_fits(classes)
    best = max(fits, key=lambda name: fits[name])
    return best if fits[best] >= LEAST_FIT else ""


def key_fits(classes: Float64[np.ndarray, "12"]) -> dict[str, float]:
    """Of every one of KEYS how well it fits: the correlation with its profile; 0 where all classes sound alike."""
    if classes.std() <= 1e-9 * classes.mean():
        return dict.fromkeys(KEYS, 0.0)
    profiles = {f"{note}{mode}": np.roll(profile, tonic) for mode, profile in (("", MAJOR), ("m", MINOR))
                for tonic, note in enumerate(NOTES)}  # fmt: skip
    return {name: float(np.corrcoef(classes, profile)[0, 1]) for name, profile in profiles.items()}
