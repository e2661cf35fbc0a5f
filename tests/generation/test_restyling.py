"""A recording noised and brought back: itself at strength 0, the free piece at 1, and what noise hides between."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import halfstep
from halfstep.audio.files.io import Audio
from halfstep.audio.mel import log_mel
from halfstep.bundle import Manifest, open_folder
from halfstep.conditioning import LabelCondition
from halfstep.generation.canvas import Canvas, Restyled, mel_stream
from halfstep.generation.model import Model
from halfstep.generation.noise import seed_noise
from halfstep.generation.restyling import MIRRORED_FRAMES, InOrder
from halfstep.generation.window import WindowSampler
from halfstep.packing import components_packing, fit_components
from halfstep.vocoders.revoicing import revoiced

FRAMES = 100


@pytest.fixture
def manifest(tiny_model: Path) -> Manifest:
    return open_folder(tiny_model).manifest


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return halfstep.load(tiny_model)


def music(frames: int = FRAMES) -> np.ndarray:
    slow = np.cumsum(np.random.default_rng(1).standard_normal((8, frames)), axis=1)
    return (-4 + 0.1 * slow).astype(np.float32)


def brought_back(made: WindowSampler, strength: float, old: np.ndarray) -> np.ndarray:
    source = Restyled(InOrder(iter(np.array_split(old, 7, axis=1))), strength)
    stream = mel_stream(made, Canvas(init_noise=seed_noise(8, 3), restyled=source))
    return np.concatenate(list(itertools.islice(stream, 12)), axis=1)[:, : old.shape[1]]


@pytest.mark.parametrize("packing", ["patch", "snake", "none", "components"])
@pytest.mark.parametrize("steps", [1, 4])
def test_the_ends_of_the_strength_are_the_recording_and_the_free_piece(manifest: Manifest, packing: str, steps: int):
    """With every packing, also the one that cannot hold the recording whole."""
    components = fit_components(np.random.default_rng(0).standard_normal((200, 32)), 16)
    fitted = components_packing(components, 8) if packing == "components" else None
    network = lambda z_t, alpha, sigma, aligned: 0.5 * z_t  # noqa: E731
    given = manifest if fitted else dataclasses.replace(manifest, packing=packing)
    made = WindowSampler(network, given, steps, fitted)
    old = music()
    np.testing.assert_allclose(brought_back(made, 0.0, old), old, atol=1e-4)
    free = mel_stream(made, Canvas(init_noise=seed_noise(8, 3)))
    whole = np.concatenate(list(itertools.islice(free, 12)), axis=1)[:, :FRAMES]
    np.testing.assert_array_equal(brought_back(made, 1.0, old), whole)


@pytest.mark.parametrize("strength", [0.2, 0.5, 0.9])
def test_noise_and_recording_mix_as_the_schedule_says_in_every_window_alike(manifest: Manifest, strength: float):
    """v = 0 and one step: x_hat = alpha (alpha x + sigma eps), whichever window a frame lies in."""
    made = WindowSampler(lambda z_t, *_: 0 * z_t, manifest, 1)
    old = music()
    alpha, sigma = math.cos(math.pi / 2 * strength), math.sin(math.pi / 2 * strength)
    expected = alpha * (alpha * made.standardised(old) + sigma * seed_noise(8, 3)(0, FRAMES))
    np.testing.assert_allclose(made.standardised(brought_back(made, strength, old)), expected, atol=1e-4)


@pytest.mark.parametrize(("strength", "steps", "expected"), [(0.5, 4, [0.5, 0.25]), (0.6, 4, [0.6, 0.5, 0.25]),
                                                             (0.1, 1, [0.1]), (0.3, 3, [0.3])])  # fmt: skip
def test_of_the_models_own_steps_those_below_are_made(
    manifest: Manifest, strength: float, steps: int, expected: list[float]
):
    """The step that the strength falls into begins there; each window makes as many calls."""
    calls: list[float] = []

    def network(z_t, alpha_t, sigma_t, aligned):
        calls.append(2 / math.pi * math.asin(sigma_t))
        return 0 * z_t

    brought_back(WindowSampler(network, manifest, steps), strength, music())
    np.testing.assert_allclose(calls[: 2 * len(expected)], 2 * expected, atol=1e-6)


def test_strength_0_sounds_as_the_recording_through_the_vocoder_and_1_as_the_free_piece(model: Model):
    """By their bands; between them both are there. Phases follow from rounding: Griffin-Lim's are of noise here."""
    take = model.generate(2, seed=5).samples
    through = np.concatenate(list(revoiced([take], model.manifest.mel, model.engine.vocoder)), axis=1)
    free = model.generate(2, seed=0).samples
    made = {strength: model.restyle(Audio(take, 8000), strength, seed=0).samples for strength in (0.0, 0.5, 1.0)}
    assert made[0.0].shape == take.shape

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        bands = (log_mel(samples[0], model.manifest.mel) for samples in (one, other))
        return float(np.corrcoef(*((part - part.mean(axis=1, keepdims=True)).ravel() for part in bands))[0, 1])

    assert alike(made[0.0], through) > 0.9
    assert alike(made[1.0], free) > 0.9
    assert abs(alike(take, free)) < 0.1
    assert min(alike(made[0.5], take), alike(made[0.5], free)) > 0.2


def test_a_recording_keeps_its_form_and_level_from_any_source(model: Model, tmp_path: Path):
    rng = np.random.default_rng(0)
    one, other = 0.02 * rng.standard_normal((2, 123_450))
    soundfile.write(tmp_path / "take.wav", np.stack([one, 0.5 * other], axis=1), 11025, "PCM_24")
    made = model.restyle(tmp_path / "take.wav", 0.4, seed=2)
    assert (made.samples.shape, made.sample_rate, made.subtype) == ((2, 123_450), 11025, "PCM_24")
    levels = np.sqrt(np.square(made.samples[:, 2000:]).mean(axis=1))
    assert levels[1] / levels[0] == pytest.approx(0.5, abs=0.005)  # the recording's own, to what eleven seconds tell
    assert 0.3 < levels[0] / 0.02 < 1.5
    again = model.restyle(tmp_path / "take.wav", 0.4, seed=2)
    np.testing.assert_array_equal(made.samples, again.samples)


@pytest.mark.parametrize("samples", [1, 63, 500, 4001])
def test_any_length_is_kept(model: Model, samples: int):
    take = 0.1 * np.sin(np.arange(samples) / 3)[None].astype(np.float32)
    made = model.restyle(Audio(take, 8000), 0.5).samples
    assert made.shape == (1, samples)
    assert np.isfinite(made).all()


def test_silence_stays_quiet_and_rests_do_not_raise_what_is_beside_them(model: Model):
    assert np.abs(model.restyle(Audio(np.zeros((1, 8000), np.float32), 8000), 0.0).samples).max() < 1e-3
    take = model.generate(2, seed=5).samples
    rests = np.concatenate([take, np.zeros((1, 48000), np.float32)], axis=1)
    alone, around = (model.restyle(Audio(one, 8000), 0.5, seed=1).samples[:, :14000] for one in (take, rests))
    assert np.std(around) == pytest.approx(np.std(alone), rel=0.1)


def test_frames_are_held_no_longer_than_they_are_asked_for():
    """And beyond the end they are mirrored."""
    blocks = (np.full((2, 10), float(k), np.float32) for k in range(100))
    frames = InOrder(blocks)
    np.testing.assert_array_equal(frames(0, 30)[0], np.repeat([0, 1, 2], 10))
    np.testing.assert_array_equal(frames(555, 565)[0], np.repeat([55, 56], 5))
    assert frames._held is not None
    assert frames._held.shape[1] <= MIRRORED_FRAMES + 20
    np.testing.assert_array_equal(frames(980, 1015)[0], np.repeat([98, 99, 99, 98], [10, 10, 10, 5]))


def test_what_is_asked_for_is_part_of_it(tmp_path: Path, write_model: Callable[..., Path]):
    styles = LabelCondition(name="style", values=("one", "two"))
    asking = halfstep.load(write_model(tmp_path / "m", conditions=(styles,)))
    take = Audio(asking.generate(1, seed=5).samples, 8000)
    one, two = (asking.restyle(take, 0.5, style=style).samples for style in ("one", "two"))
    assert np.abs(one - two).max() > 1e-3
    with pytest.raises(halfstep.InputError, match="model tiny-gauss has no such control \\(it has style\\)"):
        asking.restyle(take, 0.5, tempo=90)
