"""The waveform of the lowest bins, found from the mel itself.

Below 1 kHz Slaney's bands are as narrow as the bins of an STFT: where frames overlap by three quarters, a mel has there
about four numbers for every three samples a signal of that bandwidth has. So phases need not be guessed: few signals
have this mel, and the fast Griffin-Lim iteration (Perraudin, Balazs & Sondergaard 2013) comes near one of them if it
imposes not some magnitudes, which another step has made of the mel, but the mel: every bin is weighed by how much its
bands miss of it. So narrow a signal is worked on at a 16th of the sample rate, where an iteration costs little.

Here is what loops and the stream of `learned_vocoder.bass_net` share. Spectra are time-major, and real in the
search: [frames, 2 b], real parts before imaginary ones. Mels are magnitudes, not logarithms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

from halfstep.audio.mel import Float32, MelConfig, filterbank, hann
from halfstep.audio.overlap import reciprocal
from halfstep.audio.steady import Complex64

Array: TypeAlias = Any  # numpy array or torch tensor: arithmetic alone, so both pass through

REACH_HZ = 1200.0
"""What the slower rate must be able to carry; above, bands are much wider than bins."""
LEAST_N_FFT = 32
LOOP_ITERATIONS = 64
MOMENTUM = 0.99
USED, FADED = 0.92, 4
"""Of the bins, the share that is used, up to the middle of a fade over so many: those at the top alias."""
TINY = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class BassGrid:
    """Frames at the slower rate, and what a mel says of their b bins.

    It says m things of a frame: the levels of the bands that lie in these bins, and those of the top bins whose bands
    reach beyond.

    Args:
        hop: samples.
        analysis, synthesis: [n_fft, 2 b] and [2 b, n_fft], from a frame to its spectrum and back, each time windowed.
        squares: [n_fft], of the window.
        told: [n_mels, m], from a mel to what it says.
        filters, least: [b, m], from magnitudes to the same, and [m], what is added so that none is 0.
        spread: [m, 2 b], the mean for each bin (both parts) over what hears it. Bins that nothing hears fall silent.
        levels: [n_mels, 2 b], from a mel to magnitudes (both parts), the mean over the bands that hear each bin.
        pairs: [2 b, b], the sum of both parts.
    """

    hop: int
    analysis: Array
    synthesis: Array
    squares: Float32
    told: Array
    filters: Array
    least: Array
    spread: Array
    levels: Array
    pairs: Array

    @property
    def bins(self) -> int:
        return self.filters.shape[0]


def missed(magnitude: Array, wanted: Array, grid: BassGrid) -> Array:
    """[frames, 2 b], alike for both parts: by what magnitude [frames, b] must be multiplied for a mel to say `wanted`
    [frames, m].
    """
    return (wanted / (magnitude @ grid.filters + grid.least)) @ grid.spread


def searched(
    spectra: Array, wanted: Array, iterations: int, grid: BassGrid,
    heard: Callable[[Array], Array], sqrt: Callable[[Array], Array],
) -> Array:  # fmt: skip
    """From spectra [frames, 2 b] on to ones of which a mel says `wanted` [frames, m].

    heard: the hops of all frames, windowed [frames * n_fft / hop, hop] -> the frames [frames, n_fft] of the signal they
    make when laid over each other.
    """
    # Ahead by the momentum, hops + MOMENTUM (hops - before), where hops are too large by 1 + MOMENTUM: one call less.
    swing = 1 + MOMENTUM
    onward = grid.synthesis * swing
    before = None
    for _ in range(iterations):
        hops = (spectra @ onward).reshape(-1, grid.hop)
        ahead = hops * (1 / swing) if before is None else hops - before * (MOMENTUM / swing)
        before = hops
        found = heard(ahead) @ grid.analysis
        spectra = found * missed(sqrt((found * found) @ grid.pairs), wanted, grid)
    return spectra


def retrieve_round(spectra: Complex64, log_mel: Float32, config: MelConfig) -> Complex64:
    """From spectra [frames, b] of the lowest bins on to ones that have that log-mel [frames, n_mels], of frames that
    repeat: the last is followed by the first. b is `bass_bins`.
    """
    if not spectra.size:
        return spectra
    grid = bass_grid(config)
    hops = len(grid.squares) // grid.hop
    gain = reciprocal(np.tile(grid.squares.reshape(hops, grid.hop).sum(axis=0), hops))

    def heard(windowed: Float32) -> Float32:
        parts = windowed.reshape(-1, hops, grid.hop)
        signal = sum(np.roll(parts[:, at], at, axis=0) for at in range(hops))
        return np.concatenate([np.roll(signal, -at, axis=0) for at in range(hops)], axis=1) * gain

    wanted = np.exp(log_mel) @ grid.told
    return as_complex(searched(as_parts(spectra), wanted, LOOP_ITERATIONS, grid, heard, np.sqrt))


def as_parts(spectra: Complex64) -> Float32:
    """[frames, b] -> real and imaginary parts, [frames, 2 b]."""
    return np.concatenate([spectra.real, spectra.imag], axis=1)


def as_complex(parts: Float32) -> Complex64:
    """[frames, 2 b] -> [frames, b]."""
    real, imag = np.split(parts, 2, axis=1)
    return (real + 1j * imag).astype(np.complex64, copy=False)


def bass_bins(config: MelConfig) -> int:
    """b, how many of the lowest bins are worked on: all but the slower rate's Nyquist. 0: there is no slower rate."""
    by = _slower(config)
    return config.n_fft // by // 2 if by > 1 else 0


def bass_share(config: MelConfig) -> Float32:
    """[bins]: how much of each bin is what is found here, 1 to 0; the rest, and what no band hears, is not."""
    top, numbers = _top_bin(config) if bass_bins(config) else -FADED, np.arange(config.bins)
    share = np.clip((top - numbers) / FADED + 0.5, 0, 1)
    heard = filterbank(config).any(axis=0) | (numbers == 0)  # DC, which no band hears, is found silent, as it should be
    return (share * heard).astype(np.float32)


def with_bass(spectra: Complex64, bass: Complex64, config: MelConfig) -> Complex64:
    """Spectra [frames, bins], changed in place: their lowest become those of bass [frames, b], as `bass_share` says."""
    low = slice(0, bass.shape[1])
    spectra[:, low] += bass_share(config)[low] * (bass - spectra[:, low])
    return spectra


@lru_cache(maxsize=16)
def bass_grid(config: MelConfig) -> BassGrid:
    """For a config that has `bass_bins`."""
    by, bins = _slower(config), bass_bins(config)
    n_fft = config.n_fft // by
    window = hann(config.n_fft)[::by].astype(np.float64)
    analysis = np.fft.rfft(np.diag(window) * by, axis=1)[:, :bins]
    synthesis = np.fft.irfft(np.concatenate([np.eye(bins), 1j * np.eye(bins)]), n_fft, axis=1) * window / by

    filters = filterbank(config)
    area, hearing = (np.maximum(filters.sum(axis=axis), TINY) for axis in (1, 0))
    levels = (filters / area[:, None] / hearing)[:, :bins]
    within = ~filters[:, round(_top_bin(config)) + FADED // 2 + 1 :].any(axis=1) & filters.any(axis=1)
    share = filters[within, :bins] / hearing[:bins]
    beyond = 1 - share.sum(axis=0)  # what other bands say of a bin
    top = np.arange(bins) > np.flatnonzero(beyond < 1e-6).max(initial=-1)
    return BassGrid(
        hop=config.hop_length // by,
        analysis=_float32(np.concatenate([analysis.real, analysis.imag], axis=1)),
        synthesis=_float32(synthesis),
        squares=_float32(np.square(window)),
        told=_float32(np.concatenate([np.eye(config.n_mels)[:, within], (levels * beyond)[:, top]], axis=1)),
        filters=_float32(np.concatenate([filters[within, :bins].T, np.eye(bins)[:, top]], axis=1)),
        least=np.full(np.count_nonzero(within) + np.count_nonzero(top), TINY, np.float32),
        spread=_float32(np.tile(np.concatenate([share, np.eye(bins)[top]]), 2)),
        levels=_float32(np.tile(levels, 2)),
        pairs=_float32(np.tile(np.eye(bins), (2, 1))),
    )


def _float32(values: np.ndarray) -> Float32:
    return np.ascontiguousarray(values, np.float32)


def _top_bin(config: MelConfig) -> float:
    return USED * bass_bins(config)


def _slower(config: MelConfig) -> int:
    """The largest power of two by which the rate may be divided; 1: none."""
    if config.n_fft % config.hop_length:
        return 1
    by = 1
    while (
        config.sample_rate / (4 * by) >= REACH_HZ
        and config.n_fft % (4 * by) == 0
        and config.n_fft >= LEAST_N_FFT * 2 * by
        and config.hop_length % (2 * by) == 0
    ):
        by *= 2
    return by
