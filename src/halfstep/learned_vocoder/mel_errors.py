"""Errors of a sound in log-mels: at two resolutions, and as a music tagger has it.

Signals are [B, n]. A mean |difference| of logarithms makes a network answer with medians, which move less from frame
to frame than music does; `tagger_errors` therefore says apart how much more or less the one moves, and how its level
lies.
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from halfstep.arrays import Float
from halfstep.audio.mel import MelConfig, filterbank

TAGGER_SECONDS = 0.032  # of a window; the hop is half of it
TAGGER_BANDS = 96
TAGGER_TOP_HZ = 8000.0
TAGGER_GAIN = 1e4
"""As musicnn's front end has them (Pons & Serra 2019, arXiv:1909.06654): log10(1 + gain * power), at 16 kHz."""
LEAST_MOVE = 0.02


def log_mel_error(
    estimate: Float[Tensor, "batch samples"], real: Float[Tensor, "batch samples"], mel: MelConfig
) -> Float[Tensor, ""]:
    """Mean |difference| of log-mels in nepers: of `mel` and of one with half its window and 5/8 of its bands."""
    finer = replace(mel, n_fft=mel.n_fft // 2, hop_length=mel.n_fft // 8, n_mels=mel.n_mels * 5 // 8)
    coarser = replace(mel, hop_length=mel.n_fft // 4)
    errors: list[Tensor] = []
    for grid in (coarser, finer):
        a, b = (
            (_filters(grid, signal.device) @ (_power(signal, grid) + 1e-14).sqrt()).clamp(min=mel.floor).log()
            for signal in (estimate, real)
        )
        errors.append((a - b).abs().mean())
    return (errors[0] + errors[1]) / 2


class TaggerErrors(NamedTuple):
    """Mean |differences| of two sounds, each a scalar.

    error: of log-compressed mels. moves: of the logarithms of each band's mean |step| over time, to its next frame and
    to the next band. level: of each band's mean over time.
    """

    error: Float[Tensor, ""]
    moves: Float[Tensor, ""]
    level: Float[Tensor, ""]


def tagger_errors(
    estimate: Float[Tensor, "batch samples"], real: Float[Tensor, "batch samples"], sample_rate: int
) -> TaggerErrors:
    """How differently a tagger that is given 8 kHz of sound has the two."""
    n_fft = 4 * round(TAGGER_SECONDS * sample_rate / 4)
    top_hz = min(TAGGER_TOP_HZ, sample_rate / 2)
    grid = MelConfig(
        sample_rate=sample_rate, n_fft=n_fft, hop_length=n_fft // 2, n_mels=TAGGER_BANDS, fmax_hz=top_hz
    )  # fmt: skip
    gain = TAGGER_GAIN * (2 * TAGGER_TOP_HZ / sample_rate) ** 2  # a window of more samples has the more power
    filters = _filters(grid, real.device)
    a, b = (torch.log10(1 + gain * (filters @ _power(signal, grid))) for signal in (estimate, real))
    moves: list[Tensor] = []
    for axis in (1, 2):
        first, second = ((mel.diff(dim=axis).abs().mean(2) + LEAST_MOVE).log() for mel in (a, b))
        moves.append((first - second).abs().mean())
    return TaggerErrors((a - b).abs().mean(), (moves[0] + moves[1]) / 2, (a - b).mean(2).abs().mean())


def _power(signal: Float[Tensor, "batch samples"], grid: MelConfig) -> Float[Tensor, "batch bins frames"]:
    """[B, n] -> [B, bins, frames]."""
    window = torch.hann_window(grid.n_fft, device=signal.device)
    spectra = torch.stft(signal, grid.n_fft, grid.hop_length, grid.n_fft, window, return_complex=True)
    return spectra.real.square() + spectra.imag.square()


@lru_cache(maxsize=16)
def _filters(grid: MelConfig, device: torch.device) -> Float[Tensor, "bands bins"]:
    return torch.from_numpy(filterbank(grid).copy()).to(device)
