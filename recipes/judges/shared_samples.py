#!/usr/bin/env python3
"""Which programs of soundfonts share samples: of one lineage, one may not test a judge that learned from the other.

    python recipes/judges/shared_samples.py TESTED LEARNED...
    python recipes/judges/shared_samples.py --by-sound TESTED LEARNED...

Soundfonts (.sf2), or folders of patches (.pat). Of every sample of a program of TESTED, stretches of 12 samples are
searched in each LEARNED, byte by byte; printed are the programs of LEARNED that play the samples in which one lies.

That does not find a recording that was resampled or made louder. --by-sound plays the same three keys of every program
in both and prints how well the beginnings correlate: `likeness`, 1 for the same recording, of FluidR3_GM and TimGM6mb,
which share nothing, .7 in the middle of all programs and never above .97.
"""

import re
import struct
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from labelled_notes import FAMILIES, PITCHES, RANGES, notes

STRETCH = 12
STRETCHES = 4
"""Of each sample."""
BEGINNING, PIECE = 4800, 1600
"""Of a note, at 16 kHz: what is compared, and in pieces of which length."""
QUIET = 200
"""Deviation below which a stretch says nothing, of 32768."""
INSTRUMENT, SAMPLE = 41, 53
"""Generators of the format that name what a zone plays."""


@dataclass(frozen=True)
class Font:
    """data: all samples, 16 bits each; samples: (first, end) in them, in samples -> the programs that play it."""

    data: bytes
    samples: dict[tuple[int, int], set[int]]


def font(path: Path) -> Font:
    """A soundfont, or a folder of patches."""
    return _patches(path) if path.is_dir() else _soundfont(path.read_bytes())


def _patches(folder: Path) -> Font:
    data, samples = b"", {}
    for path in sorted(folder.glob("*.pat")):
        number = re.match(r"\d{3}", path.name)
        content = path.read_bytes()[239:]
        content = content[: len(content) // 2 * 2]
        if number:
            samples[len(data) // 2, (len(data) + len(content)) // 2] = {int(number[0])}
            data += content
    return Font(data, samples)


def _soundfont(content: bytes) -> Font:
    parts = dict(_chunks(content, 12, len(content)))
    headers = parts["shdr"]
    ranges = [struct.unpack_from("<II", headers, 46 * k + 20) for k in range(len(headers) // 46 - 1)]
    played = _zones(parts["inst"], 22, 20, parts["ibag"], parts["igen"], SAMPLE)
    samples: dict[tuple[int, int], set[int]] = {}
    for preset, instruments in enumerate(_zones(parts["phdr"], 38, 24, parts["pbag"], parts["pgen"], INSTRUMENT)):
        program, bank = struct.unpack_from("<HH", parts["phdr"], 38 * preset + 20)
        for sample in {sample for instrument in instruments for sample in played[instrument] if bank == 0}:
            samples.setdefault(ranges[sample], set()).add(program)
    return Font(parts["smpl"], samples)


def _chunks(content: bytes, at: int, end: int):
    """Every chunk by its name, those of lists too."""
    while at + 8 <= end:
        name, size = content[at : at + 4], struct.unpack_from("<I", content, at + 4)[0]
        if name == b"LIST":
            yield from _chunks(content, at + 12, at + 8 + size)
        else:
            yield name.decode("latin-1"), content[at + 8 : at + 8 + size]
        at += 8 + size + size % 2


def _zones(records: bytes, size: int, where: int, bags: bytes, generators: bytes, wanted: int) -> list[set[int]]:
    """What the zones of every record name with the generator `wanted`."""
    firsts = [struct.unpack_from("<H", records, size * k + where)[0] for k in range(len(records) // size)]
    starts = [bag for bag, _ in struct.iter_unpack("<HH", bags)]
    named = list(struct.iter_unpack("<HH", generators))
    return [
        {value for kind, value in named[starts[first] : starts[last]] if kind == wanted}
        for first, last in pairwise(firsts)
    ]


def shared(tested: Font, learned: Font, rng: np.random.Generator) -> dict[int, set[int]]:
    """Programs of `learned` that play a stretch of a sample of `tested` -> the programs of `tested` it is of."""
    owner = sorted(learned.samples)
    samples, result = np.frombuffer(tested.data, "<i2"), {}
    for (first, end), programs in tested.samples.items():
        for start in rng.integers(first, max(first + 1, end - STRETCH), STRETCHES):
            stretch = samples[start : start + STRETCH]
            if len(stretch) < STRETCH or stretch.std() < QUIET:
                continue
            at = learned.data.find(stretch.tobytes()) / 2
            for place in (place for place in owner if at >= 0 and place[0] <= at < place[1]):
                for program in learned.samples[place]:
                    result.setdefault(program, set()).update(programs)
    return result


def by_sound(tested: Path, learned: Path) -> dict[int, float]:
    """The likeness of the likest of three keys, of every program both have."""
    one, other = _three_keys(tested), _three_keys(learned)
    result: dict[int, float] = {}
    for (program, key), samples in one.items():
        if (program, key) in other:
            result[program] = max(result.get(program, 0.0), likeness(samples, other[program, key]))
    return result


def _three_keys(path: Path) -> dict[tuple[int, int], np.ndarray]:
    """The first BEGINNING samples of three keys of every program that is of a family."""
    ranges = {p: RANGES.get(p, (PITCHES[0], PITCHES[-1])) for programs in FAMILIES.values() for p in programs}
    keys = {p: [round(low + share * (high - low)) for share in (0.3, 0.5, 0.7)] for p, (low, high) in ranges.items()}
    its = notes(path, (90,), np.random.default_rng(0), 0, keys, detune=0)
    return {(n.program, n.pitch): n.samples[:BEGINNING].astype(np.float64) for n in its}


def likeness(one: np.ndarray, other: np.ndarray) -> float:
    """How well each of four PIECEs of `one` correlates with `other` where it does best; the least of the four."""
    size = 1 << (len(other) + PIECE).bit_length()
    energy = np.concatenate([[0], np.cumsum(other**2)])
    places = np.sqrt(np.maximum(energy[PIECE:] - energy[:-PIECE], 1e-9))
    result = []
    for start in range(0, 2 * PIECE, PIECE // 2):
        piece = one[start : start + PIECE] - one[start : start + PIECE].mean()
        shifted = np.fft.irfft(np.fft.rfft(other, size) * np.conj(np.fft.rfft(piece, size)), size)[: len(places)]
        result.append(float((np.abs(shifted) / (places * max(1e-6, np.linalg.norm(piece)))).max()))
    return min(result)


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--by-sound"]
    tested, *others = (Path(argument) for argument in arguments)
    if len(arguments) < len(sys.argv) - 1:
        for path in others:
            alike = {program: round(value, 3) for program, value in by_sound(tested, path).items()}
            print(f"{path.name} as {tested.name}: median {np.median(list(alike.values())):.3f}", alike, flush=True)
        return
    for path in others:
        result = shared(font(tested), font(path), np.random.default_rng(0))
        print(
            f"{path.name} plays samples of {tested.name}:",
            {k: sorted(v) for k, v in sorted(result.items())},
            flush=True,
        )


if __name__ == "__main__":
    main()
