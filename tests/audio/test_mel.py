import itertools
import math

import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.mel import (
    LogMelStream,
    MelConfig,
    band_edges_hz,
    filterbank,
    frames_for,
    log_mel,
    spread_over_bins,
)
from halfstep.audio.stft import windowed_spectra

SMALL = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20)
CONFIGS = [
    MelConfig(),
    MelConfig(sample_rate=22050),
    MelConfig(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=80, fmin_hz=60, fmax_hz=7600),
    SMALL,
]


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32) * 0.1


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.sample_rate}-{config.n_mels}")
def test_filterbank_is_librosas(config):
    oracle = librosa.filters.mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin_hz,
        fmax=config.top_hz,
    )
    np.testing.assert_allclose(filterbank(config), oracle, atol=1e-7)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.sample_rate}-{config.n_mels}")
def test_log_mel_is_librosas_to_a_thousandth(config):
    """librosa's mel of the signal with zeros around it, as the framing of our docstring says."""
    samples = noise(3 * config.sample_rate + 17) * np.linspace(0, 1, 3 * config.sample_rate + 17, dtype=np.float32)
    padded = np.pad(samples, (config.lead, config.n_fft))
    spectra = np.abs(librosa.stft(padded, n_fft=config.n_fft, hop_length=config.hop_length, center=False))
    frames = math.ceil(len(samples) / config.hop_length)
    oracle = np.log(np.maximum(filterbank(config) @ spectra[:, :frames], config.floor))
    ours = log_mel(samples, config)
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, oracle, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(0, 3000),
    cuts=st.lists(st.integers(0, 3000), max_size=8),
    hop=st.sampled_from([32, 50, 64, 128, 256]),
)
def test_stream_equals_whole_however_it_is_cut(length, cuts, hop):
    config = MelConfig(sample_rate=8000, n_fft=256, hop_length=hop, n_mels=20)
    samples = noise(length, seed=length)
    stream = LogMelStream(config)
    edges = [0, *sorted(min(cut, length) for cut in cuts), length]
    parts = [stream.push(samples[a:b]) for a, b in itertools.pairwise(edges)]
    streamed = np.concatenate([*parts, stream.finish()], axis=1)
    whole = log_mel(samples, config)
    assert whole.shape == (20, math.ceil(length / hop))
    np.testing.assert_allclose(streamed, whole, atol=2e-5)


def test_leading_axes_are_kept():
    stereo = np.stack([noise(2000, 1), noise(2000, 2)])
    both = log_mel(stereo, SMALL)
    assert both.shape == (2, 20, 32)
    np.testing.assert_array_equal(both[1], log_mel(stereo[1], SMALL))


def test_frame_is_centred_on_the_middle_of_its_hop():
    """An impulse there meets the top of the window; one at half a window's distance meets its zero."""
    samples = np.zeros(64 * 12, np.float32)
    samples[5 * 64 + 32] = 1
    level = log_mel(samples, SMALL).mean(axis=0)
    assert np.argmax(level) == 5
    np.testing.assert_allclose(level[4], level[6], atol=1e-4)
    assert level[2] < level[5] - 5


def test_silence_is_the_floor_and_nothing_is_not_a_number():
    np.testing.assert_allclose(log_mel(np.zeros(1000, np.float32), SMALL), math.log(1e-5), atol=1e-6)
    assert np.isfinite(log_mel(np.full(1000, 1.0, np.float32), SMALL)).all()


@pytest.mark.parametrize("hz", [200.0, 1000.0, 3000.0])
def test_a_tone_is_loudest_in_the_band_around_it(hz):
    tone = np.sin(2 * np.pi * hz * np.arange(8000) / 8000).astype(np.float32)
    band = int(np.argmax(log_mel(tone, SMALL)[:, 60]))
    edges = band_edges_hz(SMALL)
    assert edges[band] < hz < edges[band + 2]


def test_frames_for_counts_the_frames_of_so_much_sound():
    assert frames_for(384 * 512 / 44100, MelConfig()) == 384
    assert frames_for(1.0, SMALL) == log_mel(noise(8000), SMALL).shape[1]
    assert frames_for(1.001, SMALL) == log_mel(noise(8008), SMALL).shape[1] == 126
    assert frames_for(0, SMALL) == 0


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sample_rate": 999}, "sample_rate is 999,"),
        ({"sample_rate": 768_001}, "sample_rate is 768001,"),
        ({"n_fft": 65538}, "n_fft is 65538,"),
        ({"window_length": 15}, "window_length is 15,"),
        ({"window_length": 2049}, "window_length is 2049,"),
        ({"n_fft": 2047}, "n_fft is 2047,"),
        ({"hop_length": 0}, "hop_length is 0,"),
        ({"hop_length": 4096}, "hop_length is 4096,"),
        ({"hop_length": 511}, "hop_length is 511,"),
        ({"n_mels": 0}, "n_mels is 0,"),
        ({"n_mels": 10**9}, "n_mels is 1000000000,"),
        ({"fmin_hz": -1.0}, "fmin_hz is -1.0,"),
        ({"fmin_hz": math.nan}, "fmin_hz is nan,"),
        ({"fmax_hz": 30000.0}, "fmax_hz is 30000.0,"),
        ({"floor": 0.0}, "floor is 0.0,"),
        ({"floor": 1.0}, "floor is 1.0,"),
    ],
)
def test_config_names_what_makes_no_sense(changes, named):
    with pytest.raises(ValueError, match=named):
        MelConfig(**changes)


@pytest.mark.parametrize(
    "bounds",
    [
        {"sample_rate": 1000},
        {"sample_rate": 768_000},
        {"n_fft": 65536},
        {"n_fft": 16, "hop_length": 4, "n_mels": 8},
        {"window_length": 16, "hop_length": 16},
        {"window_length": 2048, "hop_length": 2048},
        {"break_hz": 1},
        {"break_hz": 20_000},
    ],
)
def test_config_takes_what_lies_on_its_bounds(bounds):
    assert MelConfig(**bounds).reach >= 0


@pytest.mark.parametrize(("hop", "reach"), [(2048, 0), (1024, 1), (600, 3), (512, 3)])
def test_reach_is_how_many_later_frames_hold_samples_of_a_hop(hop, reach):
    """A click at the end of a hop sounds in the frames after it as long as their windows begin before it."""
    config = MelConfig(hop_length=hop)
    assert config.reach == reach
    assert reach * hop < config.window <= (reach + 1) * hop


@pytest.mark.parametrize("config", CONFIGS, ids=lambda config: f"{config.sample_rate}-{config.n_mels}")
def test_levels_are_spread_over_bins_by_the_transposed_filters(config):
    levels = np.abs(noise(config.n_mels * 3)).reshape(config.n_mels, 3)
    np.testing.assert_allclose(spread_over_bins(levels, config), filterbank(config).T @ levels, rtol=1e-5, atol=1e-9)


LOG_BANDS = MelConfig(n_fft=8192, window_length=4096, n_mels=192, spacing="log", fmin_hz=30)


def test_log_bands_lie_evenly_in_the_logarithm_of_one_plus_f_over_the_break():
    edges = band_edges_hz(LOG_BANDS)
    steps = np.diff(np.log1p(edges / 150))
    np.testing.assert_allclose(steps, steps[0])
    assert edges[0] == pytest.approx(30) and edges[-1] == pytest.approx(22050)


def test_log_bands_have_unit_sum_and_none_is_empty():
    np.testing.assert_allclose(filterbank(LOG_BANDS).sum(axis=1), 1, rtol=1e-5)


def test_bands_between_two_bins_are_refused():
    with pytest.raises(ValueError, match="bands lie between two bins"):
        filterbank(MelConfig(n_fft=1024, n_mels=192, spacing="log", fmin_hz=30))


@pytest.mark.parametrize("hz", [110.0, 440.0, 1760.0])
def test_a_semitone_moves_the_loudest_log_band_where_a_mel_band_may_stay(hz):
    """The half step that gives the project its name is at least one band up to 2 kHz."""

    def loudest(pitch_hz):
        tone = np.sin(2 * np.pi * pitch_hz * np.arange(22050) / 44100).astype(np.float32)
        return int(log_mel(tone, LOG_BANDS)[:, 20].argmax())

    assert loudest(hz * 2 ** (1 / 12)) > loudest(hz)


def test_a_window_shorter_than_the_fft_is_the_same_sound_on_a_finer_grid():
    """Every second bin of a window padded to twice its length is a bin of the window alone."""
    rng = np.random.default_rng(0)
    framed = rng.standard_normal((3, 256)).astype(np.float32)
    fine, coarse = (np.abs(windowed_spectra(framed, size)) for size in (512, None))
    np.testing.assert_allclose(fine[:, ::2], coarse, rtol=1e-4, atol=1e-4)
