"""What the vocoder's networks are trained on: spectra of the sound they give against those of the recording.

Phases begin anywhere, so a waveform is not compared sample by sample: only magnitudes are, at several resolutions
(Yamamoto et al. 2020, arXiv:1910.11480), and log-mels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from halfstep.arrays import Float
from halfstep.audio.bass import bass_share
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig
from halfstep.learned_vocoder.mel_errors import log_mel_error, tagger_errors
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
    bands: of the mean |difference| of the bands themselves where the grid is another; tagger, moves, level: of the
    parts of `tagger_errors`. edge: frames at both ends of a clip that do not count.

    The bass, which is not these networks' to find, is the recording's own. Most of the error of any vocoder lies there,
    and the convergence, a root, grows four times as steep without it: hence its weight.
    """

    convergence: float = 0.25
    prior: float = 0.1
    mel: float = 0.5
    bands: float = 0.5
    tagger: float = 1.0
    moves: float = 1.5
    level: float = 1.0
    edge: int = 4


def with_bass_of(
    real: Float[Tensor, "batch samples"], estimate: Float[Tensor, "batch samples"], mel: MelConfig
) -> Float[Tensor, "batch samples"]:
    """`estimate` [B, n] with the lowest frequencies of `real`, up to where `audio.bass` finds them."""
    grid = synthesis_grid(mel)
    bins_hz = np.arange(grid.bins) * (grid.sample_rate / grid.n_fft)
    hertz = np.fft.rfftfreq(estimate.shape[1], 1 / mel.sample_rate)
    share = torch.from_numpy(np.interp(hertz, bins_hz, bass_share(mel)).astype(np.float32)).to(estimate.device)
    return estimate + torch.fft.irfft(torch.fft.rfft(real - estimate) * share, n=estimate.shape[1])


def spectral_errors(
    estimate: Float[Tensor, "batch samples"], real: Float[Tensor, "batch samples"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Spectral convergence and mean |log-magnitude difference|, means over RESOLUTIONS; signals [B, n]."""
    convergence, logs = estimate.new_zeros(()), estimate.new_zeros(())
    for n_fft, hop, width in RESOLUTIONS:
        window = torch.hann_window(width, device=estimate.device)
        spectra = (torch.stft(s, n_fft, hop, width, window, return_complex=True) for s in (estimate, real))
        a, b = ((s.real.square() + s.imag.square()).clamp(min=QUIETEST**2).sqrt() for s in spectra)
        convergence = convergence + ((a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).mean()
        logs = logs + (a.log() - b.log()).abs().mean()
    return convergence / len(RESOLUTIONS), logs / len(RESOLUTIONS)


class Comparison(NamedTuple):
    """What `vocoder_loss` compares: estimate and real [B, n], the former with the latter's bass; prior, a scalar, the
    log-magnitude error of the prior.
    """

    estimate: Float[Tensor, "batch samples"]
    real: Float[Tensor, "batch samples"]
    prior: Float[Tensor, ""]


def compared(
    net: VocoderNet,
    sound: Float[Tensor, "batch samples"],
    log_mel: Float[Tensor, "batch bands frames"],
    start: Float[Tensor, "batch bins"],
    edge_frames: int,
) -> Comparison:
    """The sound that `net` makes of log_mel [B, n_mels, L], beside the recording [B, L * hop]."""
    estimate, magnitude = net(log_mel, start)
    edge = edge_frames * net.mel.hop_length
    estimate, real = estimate[:, edge:-edge], sound[:, edge : estimate.shape[1] - edge]
    with torch.no_grad():
        true = analysed(sound, net.grid).abs()[:, : magnitude.shape[1]]
    prior = ((magnitude + 1e-3).log() - (true + 1e-3).log()).abs().mean()
    return Comparison(with_bass_of(real, estimate, net.mel), real, prior)


def sound_loss(
    estimate: Float[Tensor, "batch samples"],
    real: Float[Tensor, "batch samples"],
    mel: MelConfig,
    config: SpectralLossConfig,
) -> Float[Tensor, ""]:
    """How far estimate [B, n] is from real; a scalar."""
    grid = synthesis_grid(mel)
    errors = tagger_errors(estimate, real, mel.sample_rate)
    mels = config.mel * log_mel_error(estimate, real, grid) + config.tagger * errors.error
    mels = mels + config.moves * errors.moves + config.level * errors.level
    if grid != mel:
        mels = mels + config.bands * (log_bands(estimate, mel) - log_bands(real, mel)).abs().mean()
    convergence, logs = spectral_errors(estimate, real)
    return config.convergence * convergence + logs + mels


def vocoder_loss(
    net: VocoderNet,
    sound: Float[Tensor, "batch samples"],
    log_mel: Float[Tensor, "batch bands frames"],
    start: Float[Tensor, "batch bins"],
    config: SpectralLossConfig,
) -> Float[Tensor, ""]:
    """Loss of the sound that `net` gives of log_mel [B, n_mels, L] against the recording [B, L * hop]; a scalar."""
    estimate, real, prior = compared(net, sound, log_mel, start, config.edge)
    return sound_loss(estimate, real, net.mel, config) + config.prior * prior
