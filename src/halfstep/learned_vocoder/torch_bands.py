"""`audio.mel` in torch: bands of many clips at once, on the device they are on."""

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from halfstep.arrays import Float
from halfstep.audio.mel import MelConfig, filterbank
from halfstep.audio.stft import hann


def log_bands(
    signal: Float[Tensor, "batch samples"], mel: MelConfig
) -> Float[Tensor, "batch {mel.n_mels} samples//{mel.hop_length}"]:
    """[B, frames * hop] -> [B, n_mels, frames], as `audio.mel.log_mel` gives them; with a gradient."""
    framed = F.pad(signal, (mel.lead, mel.lead)).unfold(1, mel.window, mel.hop_length)
    spectra = torch.fft.rfft(framed * _window(mel, signal.device), n=mel.n_fft)
    magnitude = (spectra.real.square() + spectra.imag.square() + 1e-14).sqrt()
    return (magnitude @ _filters(mel, signal.device)).clamp(min=mel.floor).log().transpose(1, 2)


@lru_cache(maxsize=16)
def _window(mel: MelConfig, device: torch.device) -> Float[Tensor, "window"]:
    return torch.from_numpy(hann(mel.window).copy()).to(device)


@lru_cache(maxsize=16)
def _filters(mel: MelConfig, device: torch.device) -> Float[Tensor, "bins bands"]:
    """[bins, n_mels]."""
    return torch.from_numpy(filterbank(mel).T.copy()).to(device)
