"""`audio.steady` in torch, where clips are many and the processor is not the one that trains."""

import math

import torch
from torch import Tensor

from halfstep.arrays import Complex, Float, Int
from halfstep.audio.mel import MelConfig
from halfstep.audio.steady import TINY


def steady_units(
    magnitude: Float[Tensor, "batch frames bins"], before: Float[Tensor, "batch bins"], config: MelConfig
) -> Complex[Tensor, "batch frames bins"]:
    """exp(i phase) of steady tones: magnitude [B, L, bins], phases before [B, bins] -> complex [B, L, bins].

    The same arithmetic as `audio.steady.steady_units`, of every bin as if it were a peak.
    """
    nearest = _nearest_peaks(magnitude)
    turns = _turns(magnitude, config)
    odd = torch.arange(config.bins, device=magnitude.device) - nearest & 1
    phase = before.double()
    phases: list[Tensor] = []
    for frame in range(magnitude.shape[1]):
        phase = (phase + turns[:, frame]).gather(1, nearest[:, frame]) + math.pi * odd[:, frame]
        phase = phase - 2 * math.pi * torch.floor(phase / (2 * math.pi))
        phases.append(phase.float())
    every = torch.stack(phases, dim=1)
    return torch.complex(every.cos(), every.sin())


def _nearest_peaks(magnitude: Float[Tensor, "batch frames bins"]) -> Int[Tensor, "batch frames bins"]:
    """[B, L, bins]: of each bin, the peak that is nearest, the lower of two; bin 0 counts where there is no peak."""
    falling = magnitude[..., :-1] > magnitude[..., 1:]
    peak = torch.zeros_like(magnitude, dtype=torch.bool)
    peak[..., 1:-1] = falling[..., 1:] & ~falling[..., :-1]
    peak[..., 0] = ~peak.any(dim=-1)
    bins = magnitude.shape[-1]
    number = torch.arange(bins, device=magnitude.device)
    low = torch.where(peak, number, -2 * bins).cummax(dim=-1).values
    high = torch.where(peak, number, 3 * bins).flip(-1).cummin(dim=-1).values.flip(-1)
    return torch.where(high - number < number - low, high, low)


def _turns(magnitude: Float[Tensor, "batch frames bins"], config: MelConfig) -> Float[Tensor, "batch frames bins"]:
    """[B, L, bins]: radians, less whole turns, by which a tone with its peak there turns in a hop; in float64."""
    logs = (magnitude + float(TINY)).log()
    left = torch.cat([logs[..., :1], logs[..., :-1]], dim=-1)
    right = torch.cat([logs[..., 1:], logs[..., -1:]], dim=-1)
    curve = (2 * logs - left - right).clamp(min=float(TINY))
    offset = (0.5 * (right - left) / curve).clamp(-0.5, 0.5).double()
    offset[..., 0] = 0
    hops = (torch.arange(config.bins, device=magnitude.device) + offset) * (config.hop_length / config.n_fft)
    return 2 * math.pi * (hops - hops.floor())
