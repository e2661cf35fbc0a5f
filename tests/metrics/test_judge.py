"""The judges together, on what was not heard but drawn: what their figures are, and that a seed repeats them."""

import numpy as np
import pytest

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.synthetic import piece
from halfstep.metrics.judge import (
    Figure,
    JudgeOutputs,
    change,
    hear,
    infinity_by_chance,
    judge_windows,
    most_by_chance,
    together,
    voiced,
)


def drawn(seed: int, windows: int = 60, shift: float = 0.0, sure: float = 4.0) -> JudgeOutputs:
    """Gaussian logits and embeddings; `shift` of every feature, `sure` the deviation of the logits."""
    rng = np.random.default_rng(seed)
    sizes = ((4, 12), (4, 5), (1, 16), (6,))
    parts = [rng.standard_normal((windows, *size)) + shift for size in sizes]
    return JudgeOutputs(sure * parts[0], sure * parts[1], parts[2], parts[3])


@pytest.fixture(scope="module")
def near_and_far() -> tuple[dict[str, Figure], dict[str, Figure]]:
    reference = drawn(0)
    return judge_windows(drawn(1), reference), judge_windows(drawn(2, shift=1.5, sure=0.3), reference)


def test_equal_distributions_are_told_from_others(near_and_far):
    near, far = near_and_far
    for name in ("pkid", "ikid", "kad", "fad_infinity"):
        assert near[name].low < 0 < near[name].high or abs(near[name].value) < 0.02 * abs(far[name].value), name
    for name in ("pkid", "ikid", "kad", "fad", "fad_infinity", "spectral"):
        assert far[name].low > near[name].high, name
    for name in ("pis", "iis", "density", "coverage"):
        assert far[name].high < near[name].low, name


def test_every_figure_has_its_interval_and_its_number_of_windows(near_and_far):
    for figures in near_and_far:
        assert len(figures) == 10
        for figure in figures.values():
            assert figure.windows == 60
            assert figure.low <= figure.value <= figure.high


def test_kernels_print_their_median_and_few_rows_are_noted(near_and_far):
    near, _ = near_and_far
    assert "kernel median 0." in near["pkid"].note
    assert "60 rows for 16 features" in near["fad"].note
    assert "R^2" in near["fad_infinity"].note and "60 rows for 16 features" in near["fad_infinity"].note
    many = judge_windows(drawn(1, windows=170), drawn(0, windows=170), resamples=4)
    assert "rows for" not in (many["fad_infinity"].note or "")


def test_a_seed_repeats_all():
    assert judge_windows(drawn(3), drawn(4), seed=5) == judge_windows(drawn(3), drawn(4), seed=5)


def interval_of(figure: Figure) -> tuple[float, float]:
    assert figure.low is not None and figure.high is not None
    return figure.low, figure.high


def test_the_same_windows_spoilt_a_little_are_told_from_them_where_two_intervals_overlap():
    """Resamplings of two rows meet the same windows: what both owe to them drops out of the difference."""
    reference, real = drawn(0), drawn(1)
    noise = np.random.default_rng(2).normal(0, 0.2, real.embedding.shape) + 0.05
    spoilt = JudgeOutputs(real.pitch * 0.97, real.instrument * 0.95, real.embedding + noise, real.spectrum)
    before, after = judge_windows(real, reference), judge_windows(spoilt, reference)
    for name in ("pis", "iis", "fad", "kad"):
        low, high = interval_of(before[name])
        assert low < after[name].value < high, name
        result = change(before[name], after[name])
        np.testing.assert_allclose(result.value, after[name].value - before[name].value)
        least, most = interval_of(result)
        assert most - least < (high - low) / 2, name
        assert name in ("fad", "kad") or most < 0, name
    with pytest.raises(ValueError, match="not resampled together"):
        change(before["fad"], judge_windows(real, reference, resamples=20)["fad"])


def test_plain_distances_of_two_samples_stay_within_what_chance_gives_and_others_do_not():
    """Of one Gaussian in 16 dimensions, 60 rows each, they are not 0 but about 2 (d/n + d(d+1)/4n) = 2.8."""
    chance = most_by_chance(drawn(1), drawn(0))
    assert 2 < chance["fad"] < 4.5
    figures = [judge_windows(other, drawn(0), resamples=10) for other in (drawn(1), drawn(2, shift=1.0))]
    for name in ("fad", "spectral"):
        near, far = (result[name].value for result in figures)
        assert near < chance[name] < far, name


def test_the_bias_of_endless_rows_is_seen_on_halves_of_one_music_and_falls_with_their_size():
    few, many = (infinity_by_chance(drawn(1, n), drawn(0, n)) for n in (20, 200))
    assert few.value > 1 > 4 * abs(many.value)
    low, high = interval_of(few)
    assert low <= few.value <= high and few.windows == 20
    shifted = judge_windows(drawn(2, 20, shift=1.5), drawn(0, 20), resamples=4)
    assert shifted["fad_infinity"].value > high


def test_a_band_cut_off_counts_as_69_decibels_and_not_as_the_logarithm_of_nothing():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 44100)).astype(np.float32)
    spectrum = np.fft.rfft(noise)
    spectrum[:, np.fft.rfftfreq(44100, 1 / 44100) > 2000] = 0
    cut = np.fft.irfft(spectrum, 44100).astype(np.float32)
    full, dark = (hear(samples, 44100).spectrum[:, :16] for samples in (0.1 * noise, 0.1 * cut))
    assert (full - dark).max() < 8.0
    assert (full - dark).max() > 4.0


def test_hearing_windows_apart_and_together_is_the_same():
    windows = np.stack([piece(3.2, seed)[0] for seed in range(3)])
    judged = hear(windows, 44100)
    assert [part.shape for part in (judged.pitch, judged.instrument, judged.embedding)] == [
        (3, 3, 64), (3, 3, 8), (3, 1, 200)
    ]  # fmt: skip
    apart = together([hear(windows[:1], 44100), hear(windows[1:], 44100)])
    for name in ("pitch", "instrument", "embedding", "spectrum"):
        np.testing.assert_allclose(getattr(judged, name), getattr(apart, name), rtol=1e-3, atol=1e-3)


def test_voiced_has_the_level_and_length_of_its_mel():
    mel = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=40)
    samples = piece(2, 0, 16000)[0]
    levels = log_mel(samples, mel)[None]
    result = voiced(levels, mel)
    assert result.shape == (1, levels.shape[2] * 128)
    assert 0.7 < result.std() / samples.std() < 1.3
