"""What the vocoder's networks are trained on: spectra of the sound they give against those of the recording.

Phases begin anywhere, so a waveform is not compared sample by sample: only magnitudes are, at several resolutions
(Yamamoto et al. 2020, arXiv:1910.11480), and log-mels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from halfstep.audio.bass import bass_share
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig
from halfstep.learned_vocoder.mel_errors import as_heard, log_mel_error
from halfstep.learned_vocoder.networks import VocoderNet
from halfstep.learned_vocoder.torch_bands import log_bands
from halfstep.learned_vocoder.torch_stft import analysed

# n_fft, hop, window. Half as many frames as Yamamoto's: the same gradient for half the computing.
RESOLUTIONS = ((1024, 240, 600), (2048, 480, 1200), (512, 100, 240))
QUIETEST = 1e-4


@dataclass(frozen=True, kw_only=True)
class SpectralLossConfig:
    """Weights beside the log-magnitude error of the sounds' spectra, which has 1.

    convergence: of their spectral convergence; prior: of the log-magnitude error of the prior; mel: of `log_mel_error`;
    bands: of the mean |difference| of the bands themselves where the grid is another; heard, moves, level: of the parts
    of `as_heard`. edge: frames at both ends of a clip that do not count.

    The bass, which is not these networks' to find, is the recording's own. Most of the error of any vocoder lies there,
    and the convergence, a root, grows four times as steep without it: hence its weight.
    """

    convergence: float = 0.25
    prior: float = 0.1
    mel: float = 0.5
    bands: float = 0.5
    heard: float = 1.0
    moves: float = 1.5
    level: float = 1.0
    edge: int = 4


def with_bass_of(real: Tensor, found: Tensor, mel: MelConfig) -> Tensor:
    """`found` [B, n] with the lowest frequencies of `real`, up to where `audio.bass` finds them."""
    grid = synthesis_grid(mel)
    bins_hz = np.arange(grid.bins) * (grid.sample_rate / grid.n_fft)
    hertz = np.fft.rfftfreq(found.shape[1], 1 / mel.sample_rate)
    share = torch.from_numpy(np.interp(hertz, bins_hz, bass_share(mel)).astype(np.float32)).to(found.device)
    return found + torch.fft.irfft(torch.fft.rfft(real - found) * share, n=found.shape[1])


def spectral_errors(found: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Spectral convergence and mean |log-magnitude difference|, means over RESOLUTIONS; signals [B, n]."""
    convergence, logs = found.new_zeros(()), found.new_zeros(())
    for n_fft, hop, width in RESOLUTIONS:
        window = torch.hann_window(width, device=found.device)
        spectra = (torch.stft(s, n_fft, hop, width, window, return_complex=True) for s in (found, real))
        a, b = ((s.real.square() + s.imag.square()).clamp(min=QUIETEST**2).sqrt() for s in spectra)
        convergence = convergence + ((a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).mean()
        logs = logs + (a.log() - b.log()).abs().mean()
    return convergence / len(RESOLUTIONS), logs / len(RESOLUTIONS)


class Comparison(NamedTuple):
    """What `vocoder_loss` compares: found and real [B, n], the former with the latter's bass; prior, a scalar, the
    log-magnitude error of the prior.
    """

    found: Tensor
    real: Tensor
    prior: Tensor


def compared(net: VocoderNet, sound: Tensor, log_mel: Tensor, start: Tensor, edge_frames: int) -> Comparison:
    """The sound that `net` makes of log_mel [B, n_mels, L], beside the recording [B, L * hop]."""
    found, magnitude = net(log_mel, start)
    edge = edge_frames * net.mel.hop_length
    found, real = found[:, edge:-edge], sound[:, edge : found.shape[1] - edge]
    with torch.no_grad():
        true = analysed(sound, net.grid).abs()[:, : magnitude.shape[1]]
    prior = ((magnitude + 1e-3).log() - (true + 1e-3).log()).abs().mean()
    return Comparison(with_bass_of(real, found, net.mel), real, prior)


def sound_loss(found: Tensor, real: Tensor, mel: MelConfig, config: SpectralLossConfig) -> Tensor:
    """How far found [B, n] is from real; a scalar."""
    grid = synthesis_grid(mel)
    heard = as_heard(found, real, mel.sample_rate)
    mels = config.mel * log_mel_error(found, real, grid) + config.heard * heard.error
    mels = mels + config.moves * heard.moves + config.level * heard.level
    if grid != mel:
        mels = mels + config.bands * (log_bands(found, mel) - log_bands(real, mel)).abs().mean()
    convergence, logs = spectral_errors(found, real)
    return config.convergence * convergence + logs + mels


def vocoder_loss(net: VocoderNet, sound: Tensor, log_mel: Tensor, start: Tensor, config: SpectralLossConfig) -> Tensor:
    """Loss of the sound that `net` gives of log_mel [B, n_mels, L] against the recording [B, L * hop]; a scalar."""
    found, real, prior = compared(net, sound, log_mel, start, config.edge)
    return sound_loss(found, real, net.mel, config) + config.prior * prior
