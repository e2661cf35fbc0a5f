"""`audio.mel`'s frames and their overlap-add in torch: of many clips at once, with a gradient."""

import torch
from torch import Tensor
from torch.nn import functional as F

from halfstep.arrays import Complex, Float
from halfstep.audio.mel import MelConfig
from halfstep.audio.stft import LEAST_OVERLAP, add_frames, hann


def analysed(
    signal: Float[Tensor, "batch samples"], mel: MelConfig
) -> Complex[Tensor, "batch samples//{mel.hop_length} {mel.bins}"]:
    """[B, frames * hop] -> spectra [B, frames, bins], framed as `audio.mel` frames them."""
    window = torch.from_numpy(hann(mel.n_fft).copy()).to(signal.device)
    framed = F.pad(signal, (mel.lead, mel.lead)).unfold(1, mel.n_fft, mel.hop_length)
    return torch.fft.rfft(framed * window)


def overlapped(
    spectra: Complex[Tensor, "batch frames bins"], mel: MelConfig
) -> Float[Tensor, "batch frames*{mel.hop_length}"]:
    """Spectra [B, frames, bins] -> the signal [B, frames * hop] whose frames are nearest to them (least squares)."""
    window = torch.from_numpy(hann(mel.n_fft).copy()).to(spectra.device)
    frames = torch.fft.irfft(spectra, n=mel.n_fft) * window
    weight = (window**2).expand(1, frames.shape[1], -1)
    signal, overlap = _added(frames, mel.hop_length), _added(weight, mel.hop_length)
    return (signal / overlap.clamp(min=float(LEAST_OVERLAP)))[:, mel.lead : mel.lead + frames.shape[1] * mel.hop_length]


def _added(frames: Float[Tensor, "batch frames n_fft"], hop: int) -> Float[Tensor, "batch frames*{hop}+n_fft-{hop}"]:
    """[B, L, n_fft] -> [B, L * hop + n_fft - hop], each frame added `hop` after the one before it."""
    batch, count, n_fft = frames.shape
    hops = frames.new_zeros(batch, count - 1 + -(-n_fft // hop), hop)
    add_frames(hops, frames)
    return hops.flatten(1)[:, : count * hop + n_fft - hop]
