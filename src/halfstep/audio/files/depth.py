"""How finely samples are stored, and how those of a recording come back exactly as they were."""

import numpy as np

from halfstep.arrays import Float, Shaped

BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
FLOATING = ("FLOAT", "DOUBLE")
WIDE = ("PCM_32", "DOUBLE")
"""What float32 does not hold exactly."""
HELD = {
    "WAV": {"PCM_S8": "PCM_U8", **{name: name for name in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", *FLOATING)}},
    "FLAC": {
        "PCM_S8": "PCM_S8", "PCM_U8": "PCM_S8", "PCM_16": "PCM_16",
        **dict.fromkeys(("PCM_24", "PCM_32", *FLOATING), "PCM_24"),
    },
}  # fmt: skip
"""Format -> subtype of a recording -> the subtype that keeps it, or that comes nearest."""


def kept_subtype(format: str, subtype: str | None) -> str | None:
    """How a file of `format` stores what was stored as `subtype`; None for the format's own way, as for what was
    compressed with a loss.
    """
    return HELD.get(format, {}).get(subtype or "")


def finest(subtypes: list[str | None]) -> str | None:
    """The one that holds what all of them hold, or comes nearest."""
    order = [None, *BITS, *FLOATING]
    return max(subtypes, key=lambda subtype: order.index(subtype) if subtype in order else 0)


def quantised(samples: Float[np.ndarray, "*shape"], subtype: str) -> Shaped[np.ndarray, "*shape"]:
    """What libsndfile is given to write: of integers the inverse of how it reads them (it scales by one step less when
    it is given floats), left-justified in 32 bits; clipped at full scale. Floats as they are.
    """
    if subtype not in BITS:
        return samples
    bits = BITS[subtype]
    steps = 1 << (bits - 1)
    whole = np.clip(np.rint(samples.astype(np.float64) * steps), -steps, steps - 1)
    return (whole.astype(np.int64) << (32 - bits)).astype(np.int32)
