"""The judges together, on what was not heard but drawn: what their figures are, and that a seed repeats them."""

import numpy as np
import pytest

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.synthetic import piece
from halfstep.metrics.judge import Figure, Heard, hear, judge_windows, together, voiced


def drawn(seed: int, windows: int = 60, shift: float = 0.0, sure: float = 4.0) -> Heard:
    """Gaussian logits and embeddings; `shift` of every feature, `sure` the deviation of the logits."""
    rng = np.random.default_rng(seed)
    sizes = ((4, 12), (4, 5), (1, 16), (6,))
    parts = [rng.standard_normal((windows, *size)) + shift for size in sizes]
    return Heard(sure * parts[0], sure * parts[1], parts[2], parts[3])


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
    assert "R^2" in near["fad_infinity"].note


def test_a_seed_repeats_all():
    assert judge_windows(drawn(3), drawn(4), seed=5) == judge_windows(drawn(3), drawn(4), seed=5)


def test_hearing_windows_apart_and_together_is_the_same():
    windows = np.stack([piece(3.2, seed)[0] for seed in range(3)])
    heard = hear(windows, 44100)
    assert [part.shape for part in (heard.pitch, heard.instrument, heard.embedding)] == [
        (3, 3, 64), (3, 3, 10), (3, 1, 200)
    ]  # fmt: skip
    apart = together([hear(windows[:1], 44100), hear(windows[1:], 44100)])
    for name in ("pitch", "instrument", "embedding", "spectrum"):
        np.testing.assert_allclose(getattr(heard, name), getattr(apart, name), rtol=1e-3, atol=1e-3)


def test_voiced_has_the_level_and_length_of_its_mel():
    mel = MelConfig(sample_rate=16000, n_fft=512, hop_length=128, n_mels=40)
    samples = piece(2, 0, 16000)[0]
    levels = log_mel(samples, mel)[None]
    found = voiced(levels, mel)
    assert found.shape == (1, levels.shape[2] * 128)
    assert 0.7 < found.std() / samples.std() < 1.3
