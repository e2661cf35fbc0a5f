"""Notes as plain sound, for measures of sound to read: struck tones of six harmonics, and three kinds of drums."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from halfstep.arrays import Float32, Float64
from halfstep.audio.chroma import hz_of
from halfstep.audio.files.midi import Note
from halfstep.audio.mel import LogMelStream, MelConfig

BLOCK_SECONDS = 5.0
HARMONICS = 6
"""As 1 / k: what instruments have, so that a note is measured as theirs are."""
ATTACK_SECONDS, RELEASE_SECONDS = 0.004, 0.05
STRUCK_SECONDS, HELD = 1.0, 0.3
"""A tone dies away so fast, down to this share, at which it is held: an old note says less than a new one."""
DRUM_SECONDS = 0.4
LOW_HZ = 60.0
LOW_DRUMS = frozenset({35, 36, 41, 43, 45, 64, 66})
HIGH_DRUMS = frozenset({42, 44, 46, 49, 51, 52, 53, 54, 55, 57, 59, 69, 70, 73, 74, 80, 81, 82})
"""Of General MIDI's percussion: kicks and deep toms; hats, cymbals and shakers. All others are in the middle."""

Times = Float64[np.ndarray, "samples"]
Sound = Float64[np.ndarray, "samples"]


def tones(notes: Sequence[Note], seconds: float, sample_rate: int) -> Iterator[Float32[np.ndarray, "samples"]]:
    """`seconds` of one channel in blocks [n], in constant memory; as loud as the velocities say, squared."""
    starts = np.array([note.start for note in notes])
    ends = np.array([_end(note) for note in notes])
    total, size = round(seconds * sample_rate), round(BLOCK_SECONDS * sample_rate)
    for first in range(0, total, size):
        count = min(size, total - first)
        block = np.zeros(count)
        begin, stop = first / sample_rate, (first + count) / sample_rate
        for index in np.flatnonzero((starts < stop) & (ends > begin)).tolist():
            note = notes[index]
            low = max(0, round(note.start * sample_rate) - first)
            high = min(count, round(_end(note) * sample_rate) - first)
            t = (np.arange(low, high) + first) / sample_rate - note.start
            block[low:high] += (note.velocity / 127) ** 2 * _voice(note)(note, np.maximum(t, 0.0), sample_rate)
        yield block.astype(np.float32)


def tone_bands(notes: Sequence[Note], seconds: float, mel: MelConfig) -> Float32[np.ndarray, "bands frames"]:
    """Log bands of `seconds` of them, as a recording of them would have."""
    stream = LogMelStream(mel)
    blocks = [stream.push(block) for block in tones(notes, seconds, mel.sample_rate)]
    return np.concatenate([*blocks, stream.finish()], axis=1)


def _end(note: Note) -> float:
    return note.start + DRUM_SECONDS if note.drum else max(note.end, note.start + RELEASE_SECONDS) + RELEASE_SECONDS


def _voice(note: Note) -> Callable[[Note, Times, int], Sound]:
    if not note.drum:
        return _tone
    return _low if note.pitch in LOW_DRUMS else _high if note.pitch in HIGH_DRUMS else _middle


def _tone(note: Note, t: Times, sample_rate: int) -> Sound:
    """sum of cos(k x) / k, as Chebyshev polynomials of cos x."""
    hz, length = hz_of(note.pitch), _end(note) - note.start
    few = min(HARMONICS, int(sample_rate / 2 / hz))
    amplitudes = [0.0, *(1 / k for k in range(1, few + 1))]
    waves = np.polynomial.chebyshev.chebval(np.cos(2 * np.pi * hz * t), amplitudes)
    ends = np.minimum(1, t / ATTACK_SECONDS) * np.clip((length - t) / RELEASE_SECONDS, 0, 1)
    return np.asarray(waves * ends * (HELD + (1 - HELD) * np.exp(-t / STRUCK_SECONDS)))


def _low(note: Note, t: Times, sample_rate: int) -> Sound:
    """It rings longest, so it is faded: what breaks off sets something in."""
    ends = np.minimum(1, t / ATTACK_SECONDS) * np.clip((DRUM_SECONDS - t) / (DRUM_SECONDS / 2), 0, 1)
    return 2 * np.sin(2 * np.pi * LOW_HZ * t) * np.exp(-t / 0.08) * ends


def _middle(note: Note, t: Times, sample_rate: int) -> Sound:
    return _at(_noise(sample_rate), t, sample_rate) * np.exp(-t / 0.05)


def _high(note: Note, t: Times, sample_rate: int) -> Sound:
    """Noise that rises with frequency: its differences."""
    return _at(np.diff(_noise(sample_rate)), t, sample_rate) * np.exp(-t / 0.03)


def _noise(sample_rate: int) -> Float64[np.ndarray, "noise"]:
    """The same for every drum."""
    return np.random.default_rng(0).standard_normal(round(DRUM_SECONDS * sample_rate) + 2)


def _at(sound: Float64[np.ndarray, "noise"], t: Times, sample_rate: int) -> Sound:
    return sound[np.minimum(np.rint(t * sample_rate).astype(np.int64), len(sound) - 1)]
