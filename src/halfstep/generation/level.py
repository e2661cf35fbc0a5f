"""How loud a model plays, and the one gain that makes it louder or softer while it streams."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.limiter import GAIN, limit
from halfstep.audio.loudness import LoudnessMeter
from halfstep.audio.mel import MagnitudeStream, MelConfig
from halfstep.bundle import Manifest
from halfstep.generation.render import first_samples

MEASURED = "loudness_lufs"
"""Its name in `measured` of model.json."""
MEASURED_SECONDS = 20.0
"""Of a model that was not measured, the beginning of one piece."""
LEVELLED_SECONDS = 60.0
"""Of a piece that is to be so loud: from its beginning, what its gain is found by."""
CLOSE_LU = 0.02
MOST_ROUNDS = 8


def levelled(
    blocks: Iterable[Float32[np.ndarray, "channels samples"]], loudness: float | None, mel: MelConfig
) -> Iterator[Float32[np.ndarray, "channels samples"]]:
    """Blocks [channels, n] through the limiter, with the usual gain or that of `gain_for`: one for all of them.

    None is said before its first LEVELLED_SECONDS are there, which are held until then; a stream goes on with the
    gain of its first minute, and needs no second pass.
    """
    if loudness is None:
        yield from (limit(block) for block in blocks)
        return
    coming = iter(blocks)
    held = list(beginning(coming, mel))
    gain = gain_for(loudness, held, mel)
    yield from (limit(block, gain) for block in chain(held, coming))


def beginning(
    blocks: Iterator[Float32[np.ndarray, "channels samples"]], mel: MelConfig
) -> Iterator[Float32[np.ndarray, "channels samples"]]:
    """Blocks until LEVELLED_SECONDS are there, or the end."""
    have, wanted = 0, round(LEVELLED_SECONDS * mel.sample_rate)
    while have < wanted and (block := next(blocks, None)) is not None:
        have += block.shape[1]
        yield block


def gain_for(loudness: float, sound: Sequence[Float32[np.ndarray, "channels samples"]], mel: MelConfig) -> float:
    """What the limiter takes for these blocks to have this integrated loudness, LUFS, as it lets them through; of
    silence the usual gain.

    What comes beyond -1 dBFS is bent, which makes loud music a little softer: found in a few rounds.
    """
    gain = GAIN
    for _ in range(MOST_ROUNDS):
        away = loudness - measured_loudness(sound, mel, gain, LEVELLED_SECONDS)
        if abs(away) < CLOSE_LU or not math.isfinite(away):
            break
        gain *= 10 ** (away / 20)
    return gain


def stated_loudness(manifest: Manifest) -> float | None:
    """Integrated loudness of the model's music at the usual gain, LUFS, where model.json says it."""
    stated = manifest.measured.get(MEASURED)
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else None


def measured_loudness(
    sound: Iterable[Float32[np.ndarray, "channels samples"]],
    mel: MelConfig,
    gain: float = GAIN,
    seconds: float = MEASURED_SECONDS,
) -> float:
    """Integrated loudness, LUFS, of the first `seconds` of blocks [channels, n] through the limiter with this gain; the
    powers of two channels count together.
    """
    framing = _framing(mel)
    meter, spectra = LoudnessMeter(framing), [MagnitudeStream(framing) for _ in range(mel.channels)]
    for block in first_samples(sound, round(seconds * mel.sample_rate)):
        channels = [limit(np.ascontiguousarray(channel), gain) for channel in block]
        magnitudes = [stream.push(channel) for stream, channel in zip(spectra, channels, strict=True)]
        meter.push(magnitudes[0] if len(magnitudes) == 1 else np.hypot(*magnitudes))
    return meter.integrated()


def _framing(mel: MelConfig) -> MelConfig:
    """BS.1770's blocks need no finer one, and the meter's window fills its FFT."""
    return replace(MelConfig(), sample_rate=mel.sample_rate)
