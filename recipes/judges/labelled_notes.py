"""Notes of known pitch and instrument from free soundfonts, as they sound in a recording: what the judges learn from.

Rendered with tinysoundfont (`pip install --no-deps tinysoundfont==0.3.7`) or, from folders of patches, with
`gus_patches`; detuned, in a room, with noise, other notes behind them, darkened, at any level. One note is one second
at 16 kHz.

**Families are those of the orchestra**, by what sounds and how it is kept sounding, not the groups of eight that
General MIDI numbers: strings that are struck (piano), plucked or bowed; bars and bells (mallet); the woodwind, be it a
reed or a jet of air that drives the column; the brass, whose reed is the lips; the organ; the voice. Guitars and basses
are one family with pizzicato and harp: a bass guitar is a long guitar, and a second of either differs in pitch alone,
which is the other judge's question. Left out is what soundfonts do not agree on, or what is of two families at once:

- electric pianos (2, 4, 5: pick-ups over strings, tines, frequency modulation), harpsichord, clavinet, dulcimer;
- reed organ and accordions (20-23): free reeds played from keys;
- overdriven, distorted guitars and harmonics (29-31): an amplifier holds them and makes most of their spectrum;
- synthetic strings (50, 51), voice (54), brass (62, 63), basses (38, 39): named after what they imitate;
- synthesiser leads and pads, effects, percussion, instruments of one region.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gus_patches import Sample, patches, played

SAMPLE_RATE = 16000
SAMPLES = SAMPLE_RATE
LONGEST_START = 6000
"""A second may begin up to so many samples into the note."""
HELD = 14400
DETUNE_SEMITONES = 0.25
NEAR_SILENT = 10 ** (-50 / 20)
"""Of the RMS of the loudest second of the same soundfont and program: below it a note is dropped."""

PITCHES = range(33, 97)
"""MIDI A1 (55 Hz) to C7 (2093 Hz)."""
FAMILIES = {
    "piano": (0, 1, 3),
    "mallet": (8, 9, 10, 11, 12, 13, 14),
    "organ": (16, 17, 18, 19),
    "plucked": (24, 25, 26, 27, 28, 32, 33, 34, 35, 36, 37, 45, 46),
    "bowed": (40, 41, 42, 43, 44, 48, 49),
    "voice": (52, 53),
    "brass": (56, 57, 58, 59, 60, 61),
    "woodwind": (64, 65, 66, 67, 68, 69, 70, 71, 72, 73, 74, 75, 76, 77, 78, 79),
}
"""General MIDI programs, from 0."""
PITCHED = (
    *range(6), *range(8, 15), *range(16, 21), *range(24, 31), *range(32, 38), *range(40, 45), *range(48, 52),
    *range(52, 55), *range(56, 62), *range(64, 80),
)  # fmt: skip
"""Programs that the judge of pitch learns from: also some that are of no family."""
PROGRAMS = (*PITCHED, 45, 46)
OCTAVES_AT_ONCE = (16, 17, 18, 19)
"""Organs whose registers sound several octaves: they have a family, but not one pitch."""
RANGES = {
    **dict.fromkeys((8, 9, 10, 13, 14), (60, 96)), 11: (53, 89), 12: (45, 96),
    **dict.fromkeys((24, 25, 26, 27, 28, 29, 30), (40, 88)), **dict.fromkeys((32, 33, 34, 35, 36, 37), (33, 60)),
    40: (55, 96), 41: (48, 88), 42: (36, 76), 43: (33, 60), 45: (36, 84),
    46: (33, 96), 52: (41, 81), 53: (41, 81), 54: (41, 81),
    56: (54, 86), 57: (40, 72), 58: (33, 62), 59: (54, 84), 60: (40, 77), 61: (40, 84),
    64: (56, 88), 65: (49, 81), 66: (44, 76), 67: (36, 69), 68: (58, 91), 69: (52, 81), 70: (34, 74), 71: (50, 91),
    72: (74, 96), 73: (60, 96), 74: (60, 96), 75: (55, 96), 76: (48, 90), 77: (55, 91), 78: (60, 96), 79: (60, 91),
}  # fmt: skip
"""What an instrument plays, MIDI; all of PITCHES where it is not named."""


@dataclass(frozen=True, eq=False)
class Note:
    """samples [LONGEST_START + SAMPLES] mono, peak as rendered."""

    program: int
    pitch: int
    samples: np.ndarray


def notes(
    soundfont: Path, velocities: tuple[int, ...], rng: np.random.Generator, stretch: int,
    keys: dict[int, list[int]] | None = None, detune: float = DETUNE_SEMITONES,
) -> Iterator[Note]:  # fmt: skip
    """Every pitch each of PROGRAMS plays, at every velocity, up to `detune` semitones off; near-silent dropped.

    keys: of a program -> only these, of only the programs named.

    Played on a key up to `stretch` semitones away and tuned back: as if by a smaller or larger instrument. Patches (a
    folder) know no velocity: their notes come as often, each time otherwise. Programs that are absent are left out.
    """
    players = _patches(soundfont) if soundfont.is_dir() else _soundfont(soundfont)
    for program, play in players:
        low, high = RANGES.get(program, (PITCHES[0], PITCHES[-1]))
        result = []
        for pitch in range(low, high + 1) if keys is None else keys.get(program, ()):
            for velocity in velocities:
                away = int(rng.integers(-stretch, stretch + 1))
                off = float(rng.uniform(-detune, detune))
                result.append(Note(program, pitch, play(pitch, off, away, velocity)))
        loudest = max((_rms(note.samples) for note in result), default=0.0)
        yield from (note for note in result if _rms(note.samples) > NEAR_SILENT * loudest)


Play = Callable[[int, float, int, int], np.ndarray]
"""(pitch, semitones off, semitones to the key it is played on, velocity) -> [LONGEST_START + SAMPLES]."""


def _soundfont(path: Path) -> Iterator[tuple[int, Play]]:
    import tinysoundfont

    synth = tinysoundfont.Synth(samplerate=SAMPLE_RATE, gain=-6)
    loaded = synth.sfload(str(path))

    def play(pitch: int, detune: float, away: int, velocity: int) -> np.ndarray:
        synth.set_tuning(0, detune - away)
        return _rendered(synth, pitch + away, velocity)

    for program in PROGRAMS:
        try:
            synth.program_select(0, loaded, 0, program)
        except RuntimeError:  # the soundfont has none
            continue
        yield program, play


def _patches(folder: Path) -> Iterator[tuple[int, Play]]:
    result = patches(folder)
    for program in (program for program in PROGRAMS if program in result):

        def play(pitch: int, detune: float, away: int, velocity: int, of: list[Sample] = result[program]) -> np.ndarray:
            return played(of, pitch + detune, away, HELD, LONGEST_START + SAMPLES, SAMPLE_RATE)

        yield program, play


def _rendered(synth, key: int, velocity: int) -> np.ndarray:
    synth.noteon(0, key, velocity)
    held = np.frombuffer(synth.generate(HELD), np.float32).copy()
    synth.noteoff(0, key)
    rest = np.frombuffer(synth.generate(LONGEST_START + SAMPLES - HELD), np.float32).copy()
    synth.sounds_off(0)
    synth.generate(512)
    return np.concatenate([held, rest]).reshape(-1, 2).mean(1)


def _rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples[:SAMPLES], dtype=np.float64))))


def recorded(note: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One second [SAMPLES] of a note as it may sound in a recording, at most .9 loud; `other` may sound behind it."""
    start = int(rng.integers(0, LONGEST_START)) if rng.random() < 0.6 else 0
    samples = _unit(note[start : start + SAMPLES])
    if rng.random() < 0.3:
        samples = samples + _gain(rng, -24, -12) * _unit(other[start : start + SAMPLES])
    if rng.random() < 0.5:
        samples = _unit(samples) + _gain(rng, -18, -3) * _unit(_in_a_room(samples, rng))
    if rng.random() < 0.4:
        samples = _low_passed(samples, float(np.exp(rng.uniform(np.log(1500), np.log(7000)))))
    if rng.random() < 0.7:
        samples = _unit(samples) + _gain(rng, -60, -12) * _noise(rng)
    return (samples * (0.9 * _gain(rng, -40, 0) / max(1e-9, float(np.abs(samples).max())))).astype(np.float32)


def as_rendered(note: np.ndarray) -> np.ndarray:
    """Its first second [SAMPLES] and nothing else."""
    return note[:SAMPLES]


def _gain(rng: np.random.Generator, low_db: float, high_db: float) -> float:
    return float(10 ** (rng.uniform(low_db, high_db) / 20))


def _unit(samples: np.ndarray) -> np.ndarray:
    return samples / max(1e-9, float(np.sqrt(np.mean(np.square(samples)))))


def _in_a_room(samples: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Convolved with noise that dies away by 60 dB in .2 to 1.5 s, the note having begun half a second before."""
    seconds = np.arange(SAMPLES) / SAMPLE_RATE
    tail = rng.standard_normal(SAMPLES) * np.exp(-6.9 * seconds / rng.uniform(0.2, 1.5))
    size = 2 * SAMPLES
    return np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[:SAMPLES]


def _low_passed(samples: np.ndarray, cutoff_hz: float) -> np.ndarray:
    hz = np.fft.rfftfreq(SAMPLES, 1 / SAMPLE_RATE)
    return np.fft.irfft(np.fft.rfft(samples) / np.sqrt(1 + (hz / cutoff_hz) ** 8), SAMPLES)


def _noise(rng: np.random.Generator) -> np.ndarray:
    """White or pink, RMS 1."""
    white = rng.standard_normal(SAMPLES)
    if rng.random() < 0.5:
        return white
    spectrum = np.fft.rfft(white) / np.sqrt(np.maximum(np.arange(SAMPLES // 2 + 1), 20))
    return _unit(np.fft.irfft(spectrum, SAMPLES))
