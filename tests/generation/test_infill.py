"""A gap between two recordings: of exactly its length, the recordings kept but for their edges."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.bundle import open_folder
from halfstep.generation.infill import filled
from halfstep.generation.noise import BESIDE, seed_noise
from halfstep.generation.window import Painter

SOUND = -4 + 0.3 * np.random.default_rng(4).standard_normal((8, 300)).astype(np.float32)


@pytest.fixture(scope="module")
def painter(tiny_model: Path) -> Painter:
    folder = open_folder(tiny_model)
    return Painter(folder.denoiser(4), folder.manifest, 4)


@given(before=st.integers(2, 12), gap=st.integers(1, 200), after=st.integers(2, 12))
@settings(max_examples=60)
def test_any_gap_is_filled_between_recordings_that_stay(painter: Painter, before: int, gap: int, after: int):
    left, right = SOUND[:, :before], SOUND[:, -after:]
    whole = filled(painter, seed_noise(8, 1), left, gap, right, seed_noise(8, 1, BESIDE))
    assert whole.shape == (8, before + gap + after)
    np.testing.assert_allclose(whole[:, : before - 1], left[:, :-1], atol=1e-5)
    np.testing.assert_allclose(whole[:, before + gap + 1 :], right[:, 1:], atol=1e-5)
    made = painter.standardised(whole[:, before : before + gap])
    assert (np.abs(made).max(axis=0) > 1e-3).all(), "a frame that nobody made"


def test_the_window_that_closes_is_told_both_sides(tiny_model: Path):
    masks: list[np.ndarray] = []
    manifest = open_folder(tiny_model).manifest

    def network(z_t, alpha_t, sigma_t, aligned):
        masks.append(manifest.packed.unpack(np.repeat(aligned[0, 24:, None], 8, axis=1))[0])
        return z_t

    filled(Painter(network, manifest, 1), seed_noise(8, 0), SOUND[:, :12], 6, SOUND[:, -12:], seed_noise(8, 0, BESIDE))
    np.testing.assert_array_equal(masks[-1], [1] * 8 + [0] * 8 + [1] * 8)
