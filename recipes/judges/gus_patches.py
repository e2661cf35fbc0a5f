"""Notes of a folder of Gravis Ultrasound patches (.pat), as FreePats has them: read, played, nothing else.

Format: a header of 129 bytes, instrument 63, layer 47, then for every sample 96 bytes and its data.
"""

import re
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FIRST_SAMPLE = 129 + 63 + 47
SAMPLE_HEADER = struct.Struct("<7sB3IH3IHB6B6B3B3BBhH36x")
SIXTEEN_BIT, UNSIGNED, LOOPING, PING_PONG, REVERSED, SUSTAINED, ENVELOPE = (1 << bit for bit in range(7))
ENVELOPE_RATE_HZ = 44100
FULL = 255 << 22
"""Of an envelope, whose top 8 bits are what a patch names."""
OCTAVES = 6
"""Of amplitude between the envelope's bottom and its top: a step is the same ratio everywhere."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """samples [n] as floats; loop (first, end) in samples, or None; frequencies in Hz; envelope of six stages."""

    samples: np.ndarray
    loop: tuple[int, int] | None
    sample_rate: int
    low_hz: float
    high_hz: float
    root_hz: float
    rates: tuple[float, ...]
    levels: tuple[float, ...]
    sustained: bool


def patches(folder: Path) -> dict[int, list[Sample]]:
    """Samples of every General MIDI program that the folder has, from names that begin with the program's number."""
    result = {}
    for path in sorted(folder.glob("*.pat")):
        number = re.match(r"\d{3}", path.name)
        if number:
            result[int(number[0])] = read(path.read_bytes())
    return result


def read(data: bytes) -> list[Sample]:
    """The samples of one patch. ValueError if it is none."""
    if not data.startswith(b"GF1PATCH1"):
        raise ValueError(f"a file that begins with {data[:12]!r}: a patch (GF1PATCH110) was expected")
    at, result = FIRST_SAMPLE, []
    for _ in range(data[198]):
        sample, at = _sample(data, at)
        result.append(sample)
    return result


def _sample(data: bytes, at: int) -> tuple[Sample, int]:
    """The sample whose header is at `at`, and where the next header is."""
    (_, _, size, first, end, rate, low, high, root, _, _, *rest) = SAMPLE_HEADER.unpack_from(data, at)
    rates, levels, mode = rest[:6], rest[6:12], rest[18]
    begin = at + SAMPLE_HEADER.size
    raw = data[begin : begin + size]
    width = 2 if mode & SIXTEEN_BIT else 1
    samples = np.frombuffer(raw[: len(raw) // width * width], "<u2" if width == 2 else "u1").astype(np.int64)
    middle = 1 << (8 * width - 1)
    samples = samples - middle if mode & UNSIGNED else (samples + middle) % (2 * middle) - middle
    floats = samples / middle
    loop = (first // width, end // width)
    if mode & REVERSED:
        floats, loop = floats[::-1], (len(floats) - loop[1], len(floats) - loop[0])
    if mode & PING_PONG:
        floats = np.concatenate([floats[: loop[1]], floats[loop[0] : loop[1]][::-1]])
        loop = (loop[0], len(floats))
    looping = bool(mode & LOOPING) and 0 <= loop[0] < loop[1] <= len(floats)
    enveloped = bool(mode & ENVELOPE)
    return Sample(
        samples=floats, loop=loop if looping else None, sample_rate=rate,
        low_hz=low / 1000, high_hz=high / 1000, root_hz=root / 1000,
        rates=tuple(((r & 63) << 3 * (3 - (r >> 6))) << 9 for r in rates) if enveloped else (),
        levels=tuple(level << 22 for level in levels) if enveloped else (), sustained=bool(mode & SUSTAINED),
    ), begin + size  # fmt: skip


def played(choice: list[Sample], key: float, away: float, held: int, length: int, sample_rate: int) -> np.ndarray:
    """[length] of the note `key` (MIDI, 69 = 440 Hz), let go after `held` samples.

    With the sample that plays the key `away` semitones from it: as if by a smaller or larger instrument.
    """
    hz, asked = (440 * 2 ** ((note - 69) / 12) for note in (key, key + away))
    sample = min(choice, key=lambda one: (not one.low_hz <= asked <= one.high_hz, abs(np.log(asked / one.root_hz))))
    step = hz / sample.root_hz * sample.sample_rate / sample_rate
    needed = int(np.ceil(length * step)) + 2
    source = _lasting(sample, needed)
    if step > 1:  # what would lie above half the new rate
        size = 1 << len(source).bit_length()
        spectrum = np.fft.rfft(source, size)
        spectrum[np.fft.rfftfreq(size) > 0.5 / step] = 0
        source = np.fft.irfft(spectrum, size)
    result = np.interp(np.arange(length) * step, np.arange(len(source)), source)
    return result * _envelope(sample, held, length, sample_rate)


def _lasting(sample: Sample, needed: int) -> np.ndarray:
    """At least `needed` samples: the loop again and again, or silence after the end."""
    if sample.loop is None:
        return np.pad(sample.samples, (0, max(0, needed - len(sample.samples))))[: max(needed, 2)]
    first, end = sample.loop
    times = max(0, -(-(needed - end) // (end - first)))
    return np.concatenate([sample.samples[:end], np.tile(sample.samples[first:end], times)])[: max(needed, 2)]


def _envelope(sample: Sample, held: int, length: int, sample_rate: int) -> np.ndarray:
    """Amplitude [length], at most 1: three stages, held if the patch says so, three more once the note is let go."""
    if not sample.rates:
        fade = np.exp(-np.maximum(np.arange(length) - held, 0) / (0.05 * sample_rate))
        return fade if sample.loop else np.ones(length)
    times, levels, now, level = [0.0], [0.0], 0.0, 0.0
    scale = ENVELOPE_RATE_HZ / sample_rate
    for stage in range(6):
        if stage == 3 and sample.sustained:
            if now > held:
                level = float(np.interp(held, times, levels))
                kept = [k for k, time in enumerate(times) if time < held]
                times, levels = [times[k] for k in kept], [levels[k] for k in kept]
            now = max(float(held), times[-1])
            times.append(now)
            levels.append(level)
        target = float(sample.levels[stage])
        now += abs(target - level) / max(sample.rates[stage] * scale, 1)
        times.append(now)
        levels.append(target)
        level = target
    path = np.interp(np.arange(length), times, levels) / FULL
    return np.where(path > 0.004, 2 ** (OCTAVES * (path - 1)), 0)
