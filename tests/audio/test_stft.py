"""A signal comes back from its spectra whatever its boundary, and Griffin-Lim leaves alone what is one already."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from halfstep.audio.mel import MelConfig
from halfstep.audio.stft import (
    Circle,
    Ends,
    OverlapStream,
    add_frames,
    added_round,
    chunks,
    framed,
    griffin_lim,
    hann,
    imposing,
    windowed_spectra,
)

CONFIGS = [
    MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=20),
    MelConfig(sample_rate=8000, n_fft=256, hop_length=100, n_mels=20),
    MelConfig(sample_rate=8000, n_fft=512, window_length=256, hop_length=64, n_mels=20),
]
IDS = ["even", "uneven", "padded"]


def noise(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(count).astype(np.float32)


@given(count=st.integers(0, 200))
def test_chunks_are_all_frames_in_order(count: int):
    assert [frame for at in chunks(count) for frame in range(at.start, at.stop)] == list(range(count))


def test_the_window_that_all_share_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        hann(256)[0] = 1


@pytest.mark.parametrize("n_fft", [256, 300])
def test_spectra_are_numpys_of_the_window_in_the_middle(n_fft: int):
    frames = noise(3 * 256).reshape(3, 256)
    padded = np.pad(frames * hann(256), ((0, 0), ((n_fft - 256) // 2, (n_fft - 256) // 2)))
    np.testing.assert_allclose(windowed_spectra(frames, n_fft), np.fft.rfft(padded), atol=1e-4)


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
@pytest.mark.parametrize("cuts", [[70], [1, 2, 30, 37], [40, 0, 30]])
def test_a_stream_gives_back_the_signal_hop_by_hop(config: MelConfig, cuts: list[int]):
    signal = noise(70 * config.hop_length + config.window)
    spectra = windowed_spectra(framed(signal, config.window, config.hop_length), config.n_fft)[:70]
    stream, at, parts = OverlapStream(config), 0, []
    for cut in cuts:
        parts.append(stream.add(spectra[at : at + cut]))
        assert len(parts[-1]) == cut * config.hop_length
        at += cut
    begun = config.window  # before, fewer frames overlap than the window's edge needs
    np.testing.assert_allclose(np.concatenate(parts)[begun:], signal[begun : 70 * config.hop_length], atol=1e-5)


@pytest.mark.parametrize("config", CONFIGS, ids=IDS)
@pytest.mark.parametrize("frames", [5, 40])
def test_a_circle_gives_back_what_repeats(config: MelConfig, frames: int):
    period = noise(frames * config.hop_length)
    circle = Circle(frames, config)
    spectra = circle.spectra(period, slice(0, frames))
    last = np.arange((frames - 1) * config.hop_length, (frames - 1) * config.hop_length + config.window) % len(period)
    np.testing.assert_array_equal(spectra[-1], windowed_spectra(period[last], config.n_fft))
    np.testing.assert_allclose(circle.signal(spectra), period, atol=2e-5)


def test_ends_give_back_all_that_a_window_reaches():
    signal = noise(31 * 64 + 256)
    ends = Ends(32, 256, 64)
    result = ends.signal(ends.spectra(signal))
    assert result.shape == signal.shape
    np.testing.assert_allclose(result[4:-4], signal[4:-4], atol=1e-4)
    assert result[0] == 0  # where the window is 0, nothing is known


def test_frames_are_added_where_they_lie_round_a_circle_too():
    frames = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    hops = np.zeros((4, 2), np.float32)
    add_frames(hops, frames)
    np.testing.assert_array_equal(hops, [[1, 2], [8, 10], [16, 18], [11, 12]])
    tensors = torch.zeros(2, 4, 2)
    add_frames(tensors, torch.from_numpy(np.stack([frames, -frames])))
    np.testing.assert_array_equal(tensors.numpy(), [hops, -hops])
    np.testing.assert_array_equal(added_round(frames, 2), [[12, 14], [8, 10], [16, 18]])


def misfit(magnitude: np.ndarray, circle: Circle, iterations: int, momentum: float) -> float:
    """How far the magnitudes of a signal are from those wanted, after so many iterations from random phases."""
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, magnitude.shape)
    spectra = (magnitude * np.exp(1j * phases)).astype(np.complex64)
    spectra = griffin_lim(spectra, circle, iterations, imposing(magnitude), momentum)
    np.testing.assert_allclose(np.abs(spectra), magnitude, rtol=1e-4, atol=1e-5)
    consistent = circle.spectra(circle.signal(spectra), slice(0, len(magnitude)))
    return float(np.linalg.norm(np.abs(consistent) - magnitude) / np.linalg.norm(magnitude))


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_griffin_lim_comes_nearer_and_leaves_a_signal_as_it_is(momentum: float):
    circle = Circle(40, CONFIGS[0])
    true = circle.spectra(noise(40 * 64), slice(0, 40))
    magnitude = np.abs(true)
    kept = griffin_lim(true, circle, 3, imposing(magnitude), momentum)
    np.testing.assert_allclose(kept, true, atol=1e-3)

    result = [misfit(magnitude, circle, iterations, momentum) for iterations in (0, 5, 50)]
    assert result[0] > 1.3 * result[1] > 1.3**2 * result[2]
    if momentum:  # what it is for: the same iterations come further
        assert result[2] < 0.8 * misfit(magnitude, circle, 50, 0.0)


def test_griffin_lim_takes_any_projection():
    """Every other frame is held: it stays, and the others come to agree with it."""
    circle = Circle(8, CONFIGS[0])
    true = circle.spectra(noise(8 * 64), slice(0, 8))
    held = (np.arange(8) % 2 == 0)[:, None]
    spectra = np.where(held, true, 0).astype(np.complex64)
    spectra = griffin_lim(spectra, circle, 200, lambda ahead, at: np.where(held[at], true[at], ahead))
    np.testing.assert_allclose(spectra, true, atol=0.05)
