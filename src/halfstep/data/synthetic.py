"""Music from a seed, for tests and for a first try without recordings: broken chords on plucked strings."""

from pathlib import Path

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.chroma import hz_of
from halfstep.audio.files.writing import write

# Semitones above the key note of each chord's root, and the chord upon it.
PROGRESSIONS = (
    ((0, "major"), (9, "minor"), (5, "major"), (7, "major")),
    ((0, "minor"), (8, "major"), (3, "major"), (10, "major")),
    ((0, "major"), (7, "major"), (9, "minor"), (5, "major")),
    ((0, "minor"), (5, "minor"), (10, "major"), (7, "major")),
)
CHORDS = {"major": (0, 4, 7, 12), "minor": (0, 3, 7, 12)}
LOWEST_KEY = 45  # MIDI's number of the A of 110 Hz
NOTE_SECONDS = 1.5
HARMONICS = 10
PEAK = 0.7


def piece(seconds: float, seed: int, sample_rate: int = 44100) -> Float32[np.ndarray, "1 samples"]:
    """Music [1, round(seconds * sample_rate)], its peak at .7; key, tempo and chords are of the seed."""
    rng = np.random.default_rng(seed)
    key = LOWEST_KEY + int(rng.integers(12))
    step_seconds = 60 / rng.uniform(150, 260)
    chords = PROGRESSIONS[int(rng.integers(len(PROGRESSIONS)))]
    samples = np.zeros(round(seconds * sample_rate), np.float32)
    for step in range(int(seconds / step_seconds) + 1):
        root, kind = chords[step // 8 % len(chords)]
        pitches = [key + root + int(rng.choice(CHORDS[kind])) + 12 * int(rng.integers(2))]
        if step % 8 == 0:
            pitches.append(key + root - 12)
        for pitch in pitches:
            touch = rng.uniform(0.4, 1.0)
            start = round((step * step_seconds + rng.normal(0, 0.006)) * sample_rate)
            _add(samples, touch * pluck(hz_of(pitch), touch, sample_rate), max(0, start))
    return (samples * (PEAK / np.abs(samples).max()))[None]


def pluck(hz: float, brightness: float, sample_rate: int) -> Float32[np.ndarray, "samples"]:
    """One string, 1.5 s: harmonics that start as 1 / k and die the sooner the higher they are."""
    t = np.arange(round(NOTE_SECONDS * sample_rate)) / sample_rate
    first = np.exp((2j * np.pi * hz - 1.2 / brightness) * t)
    power, total = np.exp(-2 * t) * first, np.zeros(len(t))
    for k in range(1, min(HARMONICS, int(sample_rate / 2 / hz)) + 1):
        total += brightness ** np.log2(k) / k * np.imag(power)
        power *= first
    ends = np.minimum(1, t / 0.004) * np.minimum(1, 20 * (t[-1] - t))
    return (total * ends).astype(np.float32)


def _add(samples: Float32[np.ndarray, "samples"], note: Float32[np.ndarray, "note"], start: int) -> None:
    end = min(len(samples), start + len(note))
    samples[start:end] += note[: max(0, end - start)]


def write_pieces(folder: Path, count: int, seconds: float, seed: int = 0, sample_rate: int = 44100) -> list[Path]:
    """`count` pieces as FLAC files in `folder`, which is made if need be; piece i has the seed `seed` + i."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"synthetic-{seed + i:04d}.flac" for i in range(count)]
    for i, path in enumerate(paths):
        write(path, [piece(seconds, seed + i, sample_rate)], sample_rate, {"title": f"Synthetic {seed + i}"})
    return paths
