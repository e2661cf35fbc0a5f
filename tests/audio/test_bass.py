import numpy as np
import pytest

from halfstep.audio.bass import _longer, as_complex, as_parts, bass_share, mel_ratio, retrieve_round, with_bass
from halfstep.audio.bass_grid import bass_bins, bass_grid
from halfstep.audio.grids import synthesis_grid
from halfstep.audio.mel import MelConfig, filterbank, log_mel

MEL = MelConfig()
SMALL = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32)
LONG = MelConfig(n_fft=8192, window_length=4096, n_mels=192, fmin_hz=30, spacing="log")
INDIVISIBLE = MelConfig(sample_rate=2000, n_fft=256, hop_length=64, n_mels=16)


def test_what_a_mel_says_is_what_its_own_magnitudes_say():
    grid, bins = bass_grid(MEL), bass_bins(MEL)
    magnitude = np.random.default_rng(0).uniform(0.5, 1, (3, MEL.bins)).astype(np.float32)
    mel = magnitude @ filterbank(MEL).T
    bands = np.count_nonzero(grid.targets[:, grid.targets.max(axis=0) == 1].any(axis=1))
    said = (mel @ grid.targets)[:, :bands]
    np.testing.assert_allclose(said, (magnitude[:, :bins] @ grid.filters)[:, :bands], rtol=1e-5)
    weights = mel_ratio(magnitude[:, :bins], mel @ grid.targets, grid)
    assert not weights[:, 0].any()  # no band hears DC
    within = slice(2, 56)  # bins whose bands all lie within
    np.testing.assert_allclose(weights[:, within], 1, atol=1e-5)
    np.testing.assert_array_equal(weights[:, :bins], weights[:, bins:])
    np.testing.assert_allclose(mel_ratio(2 * magnitude[:, :bins], mel @ grid.targets, grid)[:, within], 0.5, atol=1e-5)


@pytest.mark.parametrize("frames", [3, 40])
def test_on_a_circle_it_does_not_matter_where_one_begins(frames):
    rng = np.random.default_rng(0)
    low = bass_bins(SMALL)
    log_mel = np.log(rng.uniform(0.5, 1, (frames, SMALL.n_mels)) * 1e-2).astype(np.float32)
    tones = np.exp(1j * rng.uniform(0, 6, (frames, low))).astype(np.complex64)
    result = retrieve_round(tones, log_mel, SMALL)
    turned = retrieve_round(np.roll(tones, 2, axis=0), np.roll(log_mel, 2, axis=0), SMALL)
    np.testing.assert_allclose(turned, np.roll(result, 2, axis=0), atol=1e-2 * np.abs(result).max())


def test_from_noise_a_circle_comes_to_a_signal_that_has_the_mel():
    """Of two tones, one of them in half of the frames; begun as noise, 3.5 times as loud as the mel and no signal."""
    rng = np.random.default_rng(1)
    grid = bass_grid(SMALL)
    t = np.arange(60 * SMALL.hop_length) / SMALL.sample_rate
    period = np.sin(2 * np.pi * 200 * t) + np.sin(2 * np.pi * 400 * t) * (t > t[-1] / 2)
    windows = np.take(period, np.arange(60)[:, None] * SMALL.hop_length + np.arange(SMALL.n_fft), mode="wrap")
    spectra = np.fft.rfft(windows * np.hanning(SMALL.n_fft + 1)[:-1])
    mel = (np.abs(spectra) @ filterbank(SMALL).T).astype(np.float32)
    begun = np.exp(1j * rng.uniform(0, 6, (60, bass_bins(SMALL)))).astype(np.complex64)
    result = retrieve_round(begun, np.log(np.maximum(mel, SMALL.floor)), SMALL)
    assert np.abs(np.abs(result) @ grid.filters - mel @ grid.targets).mean() < 0.06 * (mel @ grid.targets).mean()
    assert np.linalg.norm(again_round(result) - result) < 0.05 * np.linalg.norm(result)  # at first: 1.7


def again_round(spectra: np.ndarray) -> np.ndarray:
    """Of the signal that spectra [60, b] of SMALL make round a circle, its spectra."""
    grid = bass_grid(SMALL)
    hops = (as_parts(spectra) @ grid.synthesis).reshape(60, -1, grid.hop)
    signal, overlap = np.zeros((60, grid.hop)), np.zeros((60, grid.hop))
    for place in range(hops.shape[1]):
        signal += np.roll(hops[:, place], place, axis=0)
        overlap += grid.squares.reshape(-1, grid.hop)[place]
    around = np.tile(signal / overlap, (2, 1))
    frames = np.stack([around[frame : frame + hops.shape[1]].ravel() for frame in range(60)])
    return as_complex((frames @ grid.analysis).astype(np.float32))


def test_a_rate_that_can_not_be_divided_has_no_bass():
    assert bass_bins(INDIVISIBLE) == 0
    assert bass_share(INDIVISIBLE).max() == 0
    nothing = np.zeros((5, 0), np.complex64)
    assert retrieve_round(nothing, np.zeros((5, 16), np.float32), INDIVISIBLE).shape == (5, 0)
    spectra = np.ones((5, INDIVISIBLE.bins), np.complex64)
    np.testing.assert_array_equal(with_bass(spectra.copy(), nothing, INDIVISIBLE), spectra)
    assert bass_bins(MelConfig(n_fft=2048, hop_length=480)) == 0  # frames are not whole hops


def test_frames_round_a_circle_become_longer_ones_of_the_same_signal():
    """Any signal at the slower rate, its frames of 128 samples and those of 256 around them."""
    short, grid = bass_grid(synthesis_grid(LONG)), bass_grid(LONG)
    hops, hop = 32, grid.hop
    lines = np.arange(hops * hop // 2 + 1)
    random = np.random.default_rng(0).standard_normal((2, len(lines))) * ((lines > 16) & (lines < 400))
    signal = np.fft.irfft(random[0] + 1j * random[1]).astype(np.float32)

    def frames(size: int, before: int) -> np.ndarray:
        return signal[(np.arange(hops)[:, None] * hop - before + np.arange(size)) % len(signal)]

    parts = frames(128, 0) @ short.analysis
    longer = frames(256, grid.inner.start) @ grid.analysis[:, : 2 * grid.bins]
    np.testing.assert_allclose(_longer(parts, grid, synthesis_grid(LONG)), longer, atol=0.02 * np.abs(longer).max())


def test_a_mel_that_begins_above_the_bass_leaves_it_as_it_is():
    mel = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=32, fmin_hz=4000)
    spectra = np.ones((3, mel.bins), np.complex64)
    mixed = with_bass(spectra.copy(), np.zeros((3, bass_bins(mel)), np.complex64), mel)
    np.testing.assert_array_equal(mixed[:, 1:], spectra[:, 1:])
    assert not mixed[:, 0].any()  # but for DC


def test_the_bass_fades_into_what_is_above():
    share = bass_share(MEL)
    assert bass_bins(MEL) == 64
    assert share[:57].min() == 1
    assert share[61:].max() == 0
    assert (np.diff(share) <= 0).all()
    spectra, bass = np.ones((2, MEL.bins), np.complex64), np.full((2, 64), 3, np.complex64)
    np.testing.assert_allclose(with_bass(spectra, bass, MEL), np.tile(1 + 2 * share, (2, 1)))


def test_spectra_round_a_circle_keep_their_tone_through_the_longer_frames():
    """A tone of a whole number of turns, in the frames that are sounded: it comes out as it went in, and so it does
    where it went in at twice its level, of which the bands say nothing.
    """
    frames, grid = 32, bass_grid(synthesis_grid(LONG))
    hop = grid.hop
    turns = 40  # in 1024 samples at the slower rate
    tone = np.cos(2 * np.pi * turns * np.arange(frames * hop) / (frames * hop)).astype(np.float32)
    places = (np.arange(frames)[:, None] * hop + np.arange(len(grid.squares))) % len(tone)
    spectra = as_complex(tone[places] @ grid.analysis)
    assert spectra.shape == (frames, bass_bins(LONG))
    full = np.cos(2 * np.pi * turns * np.arange(frames * LONG.hop_length) / (frames * LONG.hop_length))
    around = np.tile(full, 3).astype(np.float32)
    bands = log_mel(around, LONG)[:, frames : 2 * frames]
    middle = slice(4, 20)  # the tone is at bin 5
    for begun in (spectra, 2 * spectra):
        result = retrieve_round(begun, bands.T, LONG)
        difference = np.abs(np.abs(result[:, middle]) - np.abs(spectra[:, middle])).max()
        assert difference < 0.05 * np.abs(spectra).max()
