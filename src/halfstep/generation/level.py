"""How loud a model plays, and the one gain that makes it louder or softer while it streams."""

from collections.abc import Iterable
from dataclasses import replace

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


def gain_for(loudness: float | None, usual: float) -> float:
    """What the limiter takes for music of this integrated loudness, of a model that is usually so loud; both in LUFS.

    None is the usual gain. One factor for all of a piece: a stream needs no second pass, and a piece is as far from
    `loudness` as the model's own is from `usual`. What comes beyond -1 dBFS is bent, so loud music gets a little less.
    """
    return GAIN if loudness is None else GAIN * 10 ** ((loudness - usual) / 20)


def stated_loudness(manifest: Manifest) -> float | None:
    """Integrated loudness of the model's music at the usual gain, LUFS, where model.json says it."""
    stated = manifest.measured.get(MEASURED)
    return float(stated) if isinstance(stated, int | float) and not isinstance(stated, bool) else None


def measured_loudness(sound: Iterable[Float32[np.ndarray, "channels samples"]], mel: MelConfig) -> float:
    """The same of the first MEASURED_SECONDS of blocks [channels, n], as loud as the network makes them; the powers of
    two channels count together.
    """
    framing = _framing(mel)
    meter, spectra = LoudnessMeter(framing), [MagnitudeStream(framing) for _ in range(mel.channels)]
    for block in first_samples(sound, round(MEASURED_SECONDS * mel.sample_rate)):
        channels = [limit(np.ascontiguousarray(channel)) for channel in block]
        magnitudes = [stream.push(channel) for stream, channel in zip(spectra, channels, strict=True)]
        meter.push(magnitudes[0] if len(magnitudes) == 1 else np.hypot(*magnitudes))
    return meter.integrated()


def _framing(mel: MelConfig) -> MelConfig:
    """BS.1770's blocks need no finer one, and the meter's window fills its FFT."""
    return replace(MelConfig(), sample_rate=mel.sample_rate)
