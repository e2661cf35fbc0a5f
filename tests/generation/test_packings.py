"""Joins, loops, variations and drifts with every packing: those under which shifted noise is shifted music, and snake.

The network is linear: what is best for Gaussian music that moves slowly, and beside it a leak between the frames that
share a place, as every learned network has. Patch and none shift with their windows; under snake a window that overlaps
another renders other music from their common noise.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
import pytest

from halfstep.arrays import Float32
from halfstep.audio.mel import MelConfig
from halfstep.bundle import Manifest
from halfstep.generation import canvas as canvas_module
from halfstep.generation import loops as loops_module
from halfstep.generation.canvas import Canvas, mel_stream
from halfstep.generation.crossfade import crossfaded
from halfstep.generation.loops import mel_loop
from halfstep.generation.noise import Noise, piece_noise, seed_noise
from halfstep.generation.window import WindowSampler
from halfstep.metrics.seam import LARGEST_Z, Joined, looped, seam_test
from halfstep.packing import PACKINGS, Packing

FRAMES, N_MELS = 96, 9
LEAK = 0.35
MEL = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=N_MELS)


class Linear:
    """(z_t, alpha, sigma, aligned) -> v, where x_hat = B W B z: W Wiener's filter for AR(1) frames, B^2 the leak."""

    def __init__(self, packing: Packing) -> None:
        lag = np.abs(np.subtract.outer(np.arange(FRAMES), np.arange(FRAMES)))
        self.variances, directions = np.linalg.eigh(0.9**lag)
        order = packing.order(FRAMES)
        share = np.eye(FRAMES)
        for one, other in itertools.permutations(range(packing.planes), 2):
            share[order[one], order[other]] = LEAK
        values, vectors = np.linalg.eigh(share)
        self.to = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T @ directions
        self.packing = packing

    def __call__(
        self, z_t: Float32, alpha: float, sigma: float, aligned: Float32[np.ndarray, "bands frames"] | None
    ) -> Float32[np.ndarray, "bands frames"]:
        gain = alpha * self.variances / (alpha**2 * self.variances + sigma**2)
        if alpha == 0:  # all that is known is the noise: its most likely music, as strong as music is
            gain = np.sqrt(self.variances)
        window = self.packing.unflat(z_t)
        x_hat = self.packing.flat((window @ (self.to * gain) @ self.to.T).astype(np.float32))
        return ((alpha * z_t - x_hat) / sigma).astype(np.float32)


def sampler_of(name: str, manifest: Manifest, steps: int = 4, shifts: bool | None = None) -> WindowSampler:
    """shifts: what the sampler is given instead of the truth."""
    known = dataclasses.replace(
        manifest, mel=MEL, frames=FRAMES, packing=name, context=False, band_mean=(-4.0,) * N_MELS,
        band_std=(1.0,) * N_MELS,
    )  # fmt: skip
    packing = PACKINGS[name]
    stated = packing if shifts is None else dataclasses.replace(packing, shifts=shifts)
    return WindowSampler(Linear(packing), known, steps, stated)


def alike(one: Float32, other: Float32[np.ndarray, "bands frames"]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def first(sampler: WindowSampler, noise: Noise, windows: int) -> Float32[np.ndarray, "bands frames"]:
    """Standardised frames of so many windows of the stream."""
    blocks = itertools.islice(mel_stream(sampler, Canvas(init_noise=noise)), windows)
    return sampler.standardised(np.concatenate(list(blocks), axis=1))


@pytest.fixture
def agreement(monkeypatch: pytest.MonkeyPatch) -> Callable[[], float]:
    """How alike the two renderings are that the joins since it was last asked have faded between."""
    pairs: list[tuple[Float32, Float32[np.ndarray, "bands frames"]]] = []

    def noted(old: Float32, new: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "bands frames"]:
        pairs.append((old.copy(), new.copy()))
        return crossfaded(old, new)

    def asked() -> float:
        old, new = (np.concatenate(part, axis=1) for part in zip(*pairs, strict=True))
        pairs.clear()
        return alike(old, new)

    for module in (canvas_module, loops_module):
        monkeypatch.setattr(module, "crossfaded", noted)
    return asked


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("name", PACKINGS)
def test_windows_and_loops_agree_where_they_are_joined(
    name: str, steps: int, tiny_manifest: Manifest, agreement: Callable[[], float]
):
    """Of a loop that is its period's correlation: with what the stream goes on to beyond it, or with its beginning."""
    sampler = sampler_of(name, tiny_manifest, steps)
    for seed in range(3):
        first(sampler, seed_noise(N_MELS, seed), 7)
    assert agreement() > 0.9
    for seed in range(8):
        loop = mel_loop(sampler, seed_noise(N_MELS, seed), 40 + 7 * seed)
        assert loop.shape == (N_MELS, 40 + 7 * seed)
    assert agreement() > 0.9


def test_snake_taken_for_a_packing_that_shifts_agrees_no_more(tiny_manifest: Manifest, agreement: Callable[[], float]):
    sampler = sampler_of("snake", tiny_manifest, shifts=True)
    first(sampler, seed_noise(N_MELS, 0), 16)
    assert agreement() < 0.8
    for seed in range(8):
        mel_loop(sampler, seed_noise(N_MELS, seed), 96)
    assert agreement() < 0.85


@pytest.mark.parametrize("name", PACKINGS)
def test_variations_keep_so_much_of_a_piece_and_drifts_arrive(name: str, tiny_manifest: Manifest):
    """Music as linear as its noise: of a noise turned by an angle its cosine is left."""
    sampler = sampler_of(name, tiny_manifest)
    own, goal = (first(sampler, seed_noise(N_MELS, seed), 12) for seed in (1, 2))
    for variation in (0.0, 0.5, 1.0):
        varied = first(sampler, piece_noise(N_MELS, 1, 2, variation, 0), 12)
        assert alike(varied, own) == pytest.approx(np.cos(np.pi / 2 * variation), abs=0.12)
    drifted = first(sampler, piece_noise(N_MELS, 1, 2, None, 256), 12)
    assert alike(drifted[:, :32], own[:, :32]) > 0.9
    far = slice(512, None)
    assert alike(drifted[:, far], goal[:, far]) > 0.9


def tones(log_mel: Float32[np.ndarray, "bands frames"]) -> Float32[np.ndarray, "bands frames"]:
    """A sine a band, as loud as its frames say: a waveform [frames * hop] to look for joins in."""
    frames = log_mel.shape[1]
    at = np.arange(frames * MEL.hop_length) / MEL.hop_length
    louder = np.stack([np.interp(at, np.arange(frames), np.exp(band), period=frames) for band in log_mel])
    pitches = 250.0 * (1 + np.arange(N_MELS))  # whole waves a frame, so that a loop of frames is one of waves
    return (
        (louder * np.sin(2 * np.pi * pitches[:, None] * at * MEL.hop_length / MEL.sample_rate))
        .sum(0)
        .astype(np.float32)
    )


def test_no_join_and_no_wrap_of_snake_stands_out(tiny_manifest: Manifest):
    """One-sided: a fade over six frames, shorter than what `crossfaded` takes for slow, is calmer than this music."""
    sampler = sampler_of("snake", tiny_manifest)
    layout, count = sampler.layout, 40
    blocks = list(itertools.islice(mel_stream(sampler, Canvas(init_noise=seed_noise(N_MELS, 3))), count + 3))
    middle = layout.frames - layout.crossfade // 2
    seams = [(middle + k * layout.hop) * MEL.hop_length for k in range(count)]
    stream = [Joined(tones(np.concatenate(blocks, axis=1)), seams)]
    loops = [looped(tones(mel_loop(sampler, seed_noise(N_MELS, seed), 60 + seed))) for seed in range(count)]
    for recordings in (stream, loops):
        result = seam_test(recordings, MEL.sample_rate, np.random.default_rng(0))
        assert result.has_power
        assert result.score.z < LARGEST_Z


def test_a_closed_loop_of_no_length_is_refused(tiny_manifest: Manifest):
    sampler = sampler_of("snake", tiny_manifest)
    assert mel_loop(sampler, seed_noise(N_MELS, 0), 4).shape == (N_MELS, 4)
    with pytest.raises(ValueError, match="frames is 3: at least 4"):
        mel_loop(sampler, seed_noise(N_MELS, 0), 3)
