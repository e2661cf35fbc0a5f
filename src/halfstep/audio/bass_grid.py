"""The grid on which the bass is searched for: frames at a slower rate, and what bands say of their bins."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from halfstep.arrays import Float, Float32
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig, band_edges_hz, filterbank
from halfstep.audio.stft import hann

REACH_HZ = 1200.0
"""What the slower rate must be able to carry; above, bands are much wider than bins."""


LEAST_N_FFT = 32


USED, FADED = 0.92, 4
"""Of the bins, the share that is used, up to the middle of a fade over so many: those at the top alias."""


NARROW_BINS = 1.75
"""Half the width up to which bands are measured on finer lines than the bins of their window."""


TINY = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class BassGrid:
    """Frames at the slower rate, and what bands give of their b bins.

    Parts are the real parts of the b bins, then their imaginary parts. Bands set m targets a frame: the levels of
    the bands that lie in these bins, and those of the top bins whose bands reach beyond. Where bands are narrow they
    are measured on finer lines than bins, as an FFT longer than the window has them: e more of them.

    Args:
        hop: samples.
        analysis: [window, 2 (b + e)], from a windowed frame to its spectrum, the real parts of the
            b bins, their imaginary parts, and the same of the e lines between them.
        synthesis: [2 b, window], from the bins back to a windowed frame.
        squares: [window], of the window.
        targets: [n_mels, m], from bands to their targets.
        filters, least: [b + e, m], from magnitudes to what has the targets, and [m], what is added so that none
            is 0.
        spread: [m, 2 b], the mean for each bin (both parts) over what weighs it. Bins that nothing
            weighs fall silent.
        levels: [n_mels, 2 b], from bands to magnitudes (both parts), the mean over the bands that
            cover each bin.
        pairs: [2 (b + e), b + e], the sum of both parts.
        inner: of a frame, the samples of the one in its middle that `audio.grids` sounds.
        sounded: [samples of inner, 2 `bass_bins`], from these to its spectrum. None where both
            frames are one.
    """

    hop: int
    analysis: Float[Any, "window analysed"]
    synthesis: Float[Any, "parts window"]
    squares: Float32[np.ndarray, "window"]
    targets: Float[Any, "bands targets"]
    filters: Float[Any, "lines targets"]
    least: Float[Any, "targets"]
    spread: Float[Any, "targets parts"]
    levels: Float[Any, "bands parts"]
    pairs: Float[Any, "analysed lines"]
    inner: slice
    sounded: Float[Any, "inner sounded"] | None

    @property
    def bins(self) -> int:
        return self.spread.shape[1] // 2


def bass_bins(config: MelConfig) -> int:
    """How many of the lowest bins of the sounded spectra are found: all but the slower rate's Nyquist. 0: there is no
    slower rate.
    """
    by = _slower(config)
    return synthesis_grid(config).n_fft // by // 2 if by > 1 else 0


def fitted_bins(config: MelConfig) -> int:
    """How many bins the fit itself has, of the bands' own window."""
    by = _slower(config)
    return config.window // by // 2 if by > 1 else 0


@lru_cache(maxsize=16)
def bass_grid(config: MelConfig) -> BassGrid:
    """For a config that has `bass_bins`."""
    by, sounded = _slower(config), synthesis_grid(config)
    size, short = config.window // by, sounded.n_fft // by
    bins = fitted_bins(config)
    analysis, synthesis = _transforms(size, by)
    lines = _lines_between(config)

    weights = _band_weights(config)
    area, weight_sums = (np.maximum(part, TINY) for part in (filterbank(config).sum(axis=1), weights.sum(axis=0)))
    levels = (weights / area[:, None] / weight_sums)[:, :bins]
    within = ~weights[:, round(USED * bins) + FADED // 2 + 1 :].any(axis=1) & weights.any(axis=1)
    share = weights[within, :bins] / weight_sums[:bins]
    beyond = 1 - share.sum(axis=0)  # what other bands have of a bin
    top = np.arange(bins) > np.flatnonzero(beyond < 1e-6).max(initial=-1)
    single = np.eye(bins + len(lines))[:, :bins][:, top]
    start = (size - short) // 2
    return BassGrid(
        hop=config.hop_length // by,
        analysis=np.concatenate([analysis, _at_lines(size, by, lines)], axis=1),
        synthesis=synthesis,
        squares=_float32(np.square(_window(size))),
        targets=_float32(np.concatenate([np.eye(config.n_mels)[:, within], (levels * beyond)[:, top]], axis=1)),
        filters=_float32(np.concatenate([_measured(config, bins, lines)[within].T, single], axis=1)),
        least=np.full(np.count_nonzero(within) + np.count_nonzero(top), TINY, np.float32),
        spread=_float32(np.tile(np.concatenate([share, np.eye(bins)[top]]), 2)),
        levels=_float32(np.tile(levels, 2)),
        pairs=_float32(_pairs(bins, len(lines))),
        inner=slice(start, start + short),
        sounded=None if sounded == config else _transforms(short, by)[0],
    )


def _lines_between(config: MelConfig) -> np.ndarray:
    """[e]: in bins of the window, the lines of a longer FFT that lie between these, as far as bands are narrow."""
    padding = config.n_fft // config.window
    if padding == 1:
        return np.zeros(0)
    edges = band_edges_hz(config) * (config.window / config.sample_rate)
    narrow = np.diff(edges)[1:] < NARROW_BINS
    lines = np.arange(padding * int(edges[1:-1][narrow].max(initial=0))) / padding
    return lines[lines % 1 > 0]


def _measured(config: MelConfig, bins: int, lines: np.ndarray) -> np.ndarray:
    """[n_mels, b + e]: how a band's level is the sum of magnitudes of bins and of the lines between them.

    A band that has not all of its lines is measured on bins alone, whose weights add up to its own: within a band all
    must lie equally far apart.
    """
    filters = filterbank(config).astype(np.float64)[:, : bins * (config.n_fft // config.window)]
    padding = config.n_fft // config.window
    between = np.round(lines * padding).astype(int)
    on_bins, on_lines = filters[:, ::padding], filters[:, between]
    whole, kept = filters.sum(axis=1), on_bins.sum(axis=1)
    all_there = np.isclose(kept + on_lines.sum(axis=1), whole)[:, None]
    alone = on_bins * (whole / np.maximum(kept, TINY))[:, None]
    return np.concatenate([np.where(all_there, on_bins, alone), np.where(all_there, on_lines, 0)], axis=1)


def _band_weights(config: MelConfig) -> np.ndarray:
    """[n_mels, window / 2 + 1]: how much each band counts at each bin of the window: as much as it has of it, but
    none has less than its two nearest bins, and the lowest one all that is below it but DC.
    """
    if config.n_fft == config.window:
        return filterbank(config)
    edges = band_edges_hz(config) * (config.window / config.sample_rate)
    centres, bins = edges[1:-1, None], np.arange(config.window // 2 + 1)
    below, above = (np.maximum(part, 1)[:, None] for part in (np.diff(edges)[:-1], np.diff(edges)[1:]))
    weights = np.maximum(0, 1 - np.where(bins < centres, (centres - bins) / below, (bins - centres) / above))
    weights[0, 1 : int(centres[0, 0]) + 1] += 1e-3
    return weights


def _pairs(bins: int, lines: int) -> np.ndarray:
    """[2 (b + e), b + e]."""
    pairs = np.zeros((2 * (bins + lines), bins + lines))
    for part in (0, 1):
        pairs[part * bins + np.arange(bins), np.arange(bins)] = 1
        pairs[2 * bins + part * lines + np.arange(lines), bins + np.arange(lines)] = 1
    return pairs


def _at_lines(size: int, by: int, lines: np.ndarray) -> Float32[np.ndarray, "size parts"]:
    """[size, 2 e], from a frame to its spectrum at places [e] in bins, windowed."""
    angles = 2 * np.pi * np.arange(size)[:, None] * lines / size
    window = (_window(size) * by)[:, None]
    return _float32(np.concatenate([np.cos(angles) * window, -np.sin(angles) * window], axis=1))


def _window(size: int) -> np.ndarray:
    return hann(size).astype(np.float64)


def _transforms(size: int, by: int) -> tuple[Float32[np.ndarray, "size parts"], Float32[np.ndarray, "parts size"]]:
    """[size, 2 b] and [2 b, size]: a frame to its spectrum, as large as at the full rate, and back, each windowed."""
    bins, window = size // 2, _window(size)
    analysis = np.fft.rfft(np.diag(window) * by, axis=1)[:, :bins]
    synthesis = np.fft.irfft(np.concatenate([np.eye(bins), 1j * np.eye(bins)]), size, axis=1) * window / by
    return _float32(np.concatenate([analysis.real, analysis.imag], axis=1)), _float32(synthesis)


def _float32(values: np.ndarray) -> Float32[np.ndarray, "..."]:
    return np.ascontiguousarray(values, np.float32)


def _slower(config: MelConfig) -> int:
    """The largest power of two by which the rate may be divided; 1: none."""
    grid = synthesis_grid(config)
    if grid.n_fft % grid.hop_length or config.window % grid.hop_length or config.n_fft % config.window:
        return 1
    by = 1
    while (
        grid.sample_rate / (4 * by) >= REACH_HZ
        and grid.n_fft % (4 * by) == 0
        and grid.n_fft >= LEAST_N_FFT * 2 * by
        and grid.hop_length % (2 * by) == 0
    ):
        by *= 2
    return by
