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
from typing import Any

import numpy as np

from halfstep.arrays import Complex64, Float, Float32
from halfstep.audio.bass_grid import FADED, USED, BassGrid, bass_bins, bass_grid
from halfstep.audio.grids import filters_on_grid, synthesis_grid
from halfstep.audio.mel import MelConfig
from halfstep.audio.stft import Array, added_round, griffin_lim, reciprocal

LOOP_ITERATIONS = 64
MOMENTUM = 0.99
ALL_AT_ONCE = (slice(None),)


def mel_ratio(
    magnitude: Float[Any, "frames lines"], target: Float[Any, "frames targets"], grid: BassGrid
) -> Float[Any, "frames parts"]:
    """By what the magnitude must be multiplied for its mel to be `target`; alike for both parts of a bin."""
    return (target / (magnitude @ grid.filters + grid.least)) @ grid.spread


@dataclass(frozen=True)
class _Bass:
    """A `stft.Boundary`. Its signal is given as the frames [frames, n_fft] that lie in it.

    reframe: the hops of all frames, windowed [frames * n_fft / hop, hop] -> the frames of the signal they make when
    laid over each other.
    """

    grid: BassGrid
    reframe: Callable[[Array], Array]

    def signal(self, spectra: Array) -> Array:
        return self.reframe((spectra @ self.grid.synthesis).reshape(-1, self.grid.hop))

    def spectra(self, signal: Array, at: slice) -> Array:
        return signal @ self.grid.analysis


def fit_to_mel(
    spectra: Float[Any, "frames parts"], target: Float[Any, "frames targets"], iterations: int, grid: BassGrid,
    reframe: Callable[[Array], Array], sqrt: Callable[[Array], Array],
) -> Array:  # fmt: skip
    """From spectra [frames, 2 b] on to ones whose mel has the targets `target` [frames, m]; reframe as in `_Bass`."""

    def project(ahead: Array, at: slice) -> Array:
        """The same phases, and magnitudes that have this mel."""
        # Only a window padded with zeros has lines between its bins.
        kept = ahead if grid.sounded is None else ahead[:, : 2 * grid.bins]
        return kept * mel_ratio(sqrt((ahead * ahead) @ grid.pairs), target, grid)

    return griffin_lim(spectra, _Bass(grid, reframe), iterations, project, MOMENTUM, ALL_AT_ONCE)


def on_sounded_grid(
    spectra: Float[Any, "frames parts"], grid: BassGrid, reframe: Callable[[Array], Array]
) -> Float[Any, "frames sounded"]:
    """The fitted spectra as the frames that are sounded have them, both parts of `bass_bins`."""
    if grid.sounded is None:
        return spectra
    return _Bass(grid, reframe).signal(spectra)[:, grid.inner] @ grid.sounded


def retrieve_round(
    spectra: Complex64[np.ndarray, "frames bins"], log_mel: Float32[np.ndarray, "frames bands"], config: MelConfig
) -> Complex64[np.ndarray, "frames bins"]:
    """From spectra [frames, b] of the lowest bins on to ones that have that log-mel [frames, n_mels], of frames that
    repeat: the last is followed by the first. b is `bass_bins`.
    """
    if not spectra.size:
        return spectra
    grid = bass_grid(config)
    reframe = _round_about(grid.squares, grid.hop)
    parts = as_parts(spectra)
    if grid.sounded is not None:
        parts = _longer(parts, grid, synthesis_grid(config))
    target = np.exp(log_mel) @ grid.targets
    fitted = fit_to_mel(parts, target, LOOP_ITERATIONS, grid, reframe, np.sqrt)
    return as_complex(on_sounded_grid(fitted, grid, reframe))


def _round_about(
    squares: Float32[np.ndarray, "window"], hop: int
) -> Callable[[Float32[np.ndarray, "hops hop"]], Float32[np.ndarray, "frames window"]]:
    """Windowed hops of frames that repeat -> the frames of the signal they make."""
    hops = len(squares) // hop
    gain = reciprocal(np.tile(squares.reshape(hops, hop).sum(axis=0), hops))

    def reframe(windowed: Float32[np.ndarray, "hops hop"]) -> Float32[np.ndarray, "frames window"]:
        signal = added_round(windowed.reshape(-1, len(squares)), hop)
        return np.concatenate([np.roll(signal, -at, axis=0) for at in range(hops)], axis=1) * gain

    return reframe


def _longer(
    parts: Float32[np.ndarray, "frames sounded"], grid: BassGrid, sounded: MelConfig
) -> Float32[np.ndarray, "frames parts"]:
    """Spectra [frames, 2 `bass_bins`] of frames that repeat, of the grid that is sounded -> [frames, 2 b]."""
    short = bass_grid(sounded)
    signal = _round_about(short.squares, short.hop)((parts @ short.synthesis).reshape(-1, short.hop))[:, : short.hop]
    before = grid.inner.start // grid.hop
    hops = len(grid.squares) // grid.hop
    framed = np.concatenate([np.roll(signal, before - at, axis=0) for at in range(hops)], axis=1)
    return framed @ grid.analysis[:, : 2 * grid.bins]


def as_parts(spectra: Complex64[np.ndarray, "frames bins"]) -> Float32[np.ndarray, "frames 2*bins"]:
    """[frames, b] -> real and imaginary parts, [frames, 2 b]."""
    return np.concatenate([np.real(spectra), np.imag(spectra)], axis=1)


def as_complex(parts: Float32[np.ndarray, "frames parts"]) -> Complex64[np.ndarray, "frames parts//2"]:
    """[frames, 2 b] -> [frames, b]."""
    real, imag = np.split(parts, 2, axis=1)
    return (real + 1j * imag).astype(np.complex64, copy=False)


def bass_share(config: MelConfig) -> Float32[np.ndarray, "bins"]:
    """[bins]: how much of each bin is what is fitted here, 1 to 0; the rest, and what no band covers, is not."""
    numbers = np.arange(synthesis_grid(config).bins)
    top = USED * bass_bins(config) if bass_bins(config) else -FADED
    share = np.clip((top - numbers) / FADED + 0.5, 0, 1)
    # DC, which no band covers, comes out silent, as it should.
    covered = filters_on_grid(config).any(axis=0) | (numbers == 0)
    return (share * covered).astype(np.float32)


def with_bass(
    spectra: Complex64[np.ndarray, "frames bins"], bass: Complex64[np.ndarray, "frames low"], config: MelConfig
) -> Complex64[np.ndarray, "frames bins"]:
    """Spectra [frames, bins], changed in place: their lowest become those of bass [frames, b], as `bass_share` says."""
    low = slice(0, bass.shape[1])
    spectra[:, low] += bass_share(config)[low] * (bass - spectra[:, low])
    return spectra
