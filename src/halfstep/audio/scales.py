"""Scales of frequency on which bands lie evenly, and how high their filters are: Slaney's mel, log(1 + f / break)."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from halfstep.arrays import Float64

# Slaney's scale (Auditory Toolbox, 1998): linear to 1 kHz, 27 steps to each factor of 6.4 above.
_HZ_A_MEL = 200 / 3


_BREAK_HZ = 1000.0


_BREAK_MEL = _BREAK_HZ / _HZ_A_MEL


_LOG_STEP = math.log(6.4) / 27


def _hz_to_mel(hz: float, _: float) -> float:
    return hz / _HZ_A_MEL if hz < _BREAK_HZ else _BREAK_MEL + math.log(hz / _BREAK_HZ) / _LOG_STEP


def _mel_to_hz(mel: Float64[np.ndarray, "bands"], _: float) -> Float64[np.ndarray, "bands"]:
    above = _BREAK_HZ * np.exp(_LOG_STEP * np.maximum(mel - _BREAK_MEL, 0))
    return np.where(mel < _BREAK_MEL, mel * _HZ_A_MEL, above)


def _hz_to_log(hz: float, break_hz: float) -> float:
    return math.log1p(hz / break_hz)


def _log_to_hz(place: Float64[np.ndarray, "bands"], break_hz: float) -> Float64[np.ndarray, "bands"]:
    return break_hz * np.expm1(place)


def _equal_area(
    _: Float64[np.ndarray, "bands bins"], edges_hz: Float64[np.ndarray, "edges"]
) -> Float64[np.ndarray, "bands"]:
    return 2 / (edges_hz[2:] - edges_hz[:-2])


def _unit_sum(
    triangles: Float64[np.ndarray, "bands bins"], _: Float64[np.ndarray, "edges"]
) -> Float64[np.ndarray, "bands"]:
    total = triangles.sum(axis=1)
    empty = int(np.count_nonzero(total == 0))
    if empty:
        raise ValueError(
            f"{empty} bands lie between two bins of the spectrum: a larger n_fft, or fewer bands, was expected"
        )
    return 1 / total


@dataclass(frozen=True)
class Spacing:
    """A scale on which bands lie evenly. from_hz, to_hz: (value, break_hz); gain: (triangles, edges) -> [n_mels]."""

    from_hz: Callable[[float, float], float]
    to_hz: Callable[[Float64[np.ndarray, "edges"], float], Float64[np.ndarray, "edges"]]
    gain: Callable[[Float64[np.ndarray, "bands bins"], Float64[np.ndarray, "edges"]], Float64[np.ndarray, "bands"]]


SPACINGS = {
    "slaney": Spacing(_hz_to_mel, _mel_to_hz, _equal_area),
    "log": Spacing(_hz_to_log, _log_to_hz, _unit_sum),
}
