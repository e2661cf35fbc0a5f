"""The STFT in which a vocoder makes sound, beside the one in which bands are measured.

Bands that hold pitch want a long window, attacks a short one. So sound is made on frames of four hops, at the same
places as the bands' own: frame f of both is centred at f * hop + hop / 2.
"""

from functools import lru_cache

import numpy as np

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig, band_edges_hz, filterbank

HOPS_A_FRAME = 4
MOST_MELS = 128
POINTS_A_BAND = 256


@lru_cache(maxsize=16)
def synthesis_grid(mel: MelConfig) -> MelConfig:
    """The grid of the spectra that are sounded, with mel bands of its own, in which sounds are compared.

    A mel of Slaney's bands under a window as long as its FFT is its own grid.
    """
    if mel.spacing == "slaney" and mel.window_length is None:
        return mel
    n_fft = HOPS_A_FRAME * mel.hop_length
    return MelConfig(
        sample_rate=mel.sample_rate, n_fft=n_fft, hop_length=mel.hop_length, n_mels=min(MOST_MELS, n_fft // 16),
        floor=mel.floor,
    )  # fmt: skip


@lru_cache(maxsize=16)
def filters_on_grid(mel: MelConfig) -> Float32[np.ndarray, "bands bins"]:
    """[n_mels, bins of the grid]: how much of each bin each band hears; read-only. The filterbank itself where mel is
    its own grid. Elsewhere every row sums to 1: a bin counts as all frequencies up to its neighbours, the nearer the
    more, so that bands narrower than bins hear at least one.
    """
    grid = synthesis_grid(mel)
    if grid == mel:
        return filterbank(mel)
    edges = band_edges_hz(mel) * (grid.n_fft / grid.sample_rate)  # in bins
    filters = np.zeros((mel.n_mels, grid.bins))
    across = (np.arange(POINTS_A_BAND) + 0.5) / POINTS_A_BAND
    for band, (low, centre, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        places = low + (high - low) * across
        weights = np.minimum((places - low) / (centre - low), (high - places) / (high - centre))
        below = np.minimum(places.astype(int), grid.bins - 2)
        np.add.at(filters[band], below, weights * (below + 1 - places))
        np.add.at(filters[band], below + 1, weights * (places - below))
    filters /= filters.sum(axis=1, keepdims=True)
    filters = filters.astype(np.float32)
    filters.flags.writeable = False
    return filters
