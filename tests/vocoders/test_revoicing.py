"""A recording through its log-mel and back: exact lengths, every channel by itself, however it arrives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import halfstep
from halfstep.audio.files.io import Audio
from halfstep.audio.mel import MelConfig, log_mel
from halfstep.errors import InputError
from halfstep.generation.model import Model
from halfstep.vocoders.base import Vocoder
from halfstep.vocoders.griffin_lim import GriffinLimStream
from halfstep.vocoders.revoicing import revoiced

MEL = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=40)
TONES = (0.3 * np.sin(np.arange(12345) * np.array([[0.2], [0.31]]))).astype(np.float32)


class Filler:
    """A vocoder whose sample is the mean log-mel of its frame: what went in can be told from what comes out."""

    def push(self, log_mel: np.ndarray) -> np.ndarray:
        return np.repeat(log_mel.mean(axis=0) / 20, MEL.hop_length)

    def finish(self) -> np.ndarray:
        return np.zeros(0, np.float32)

    def loop(self, log_mel: np.ndarray) -> np.ndarray:
        return self.push(log_mel)


def through(samples: np.ndarray, cuts: list[int], vocoder: Callable[[], Vocoder] = Filler) -> np.ndarray:
    blocks = np.split(samples, sorted(cuts), axis=1)
    return np.concatenate(list(revoiced(blocks, MEL, vocoder)), axis=1)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 300, 12345])
def test_as_many_samples_and_channels_as_came_in(count: int):
    assert through(TONES[:, :count], [], lambda: GriffinLimStream(MEL)).shape == (2, count)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 12345), max_size=5))
def test_blocks_do_not_matter_and_every_channel_is_by_itself(cuts: list[int]):
    expected = np.repeat(log_mel(TONES, MEL).mean(axis=1) / 20, MEL.hop_length, axis=1)[:, :12345]
    np.testing.assert_allclose(through(TONES, cuts), expected, atol=1e-6)


def test_the_level_stays_and_peaks_are_bent():
    quiet = through(TONES, [], lambda: GriffinLimStream(MEL))
    assert np.linalg.norm(quiet) / np.linalg.norm(TONES) == pytest.approx(1, abs=0.1)
    loud = through(10 * TONES, [], lambda: GriffinLimStream(MEL))
    assert 0.9 < np.abs(loud).max() < 1


def test_equal_channels_stay_equal():
    one, two = through(np.stack([TONES[0], TONES[0]]), [], lambda: GriffinLimStream(MEL))
    np.testing.assert_array_equal(one, two)


def test_nothing_in_nothing_out():
    assert list(revoiced([], MEL, Filler)) == []


@pytest.fixture(scope="module")
def model(tiny_model: Path) -> Model:
    return halfstep.load(tiny_model)


def test_a_model_vocodes_recordings_at_its_own_rate(model: Model):
    again = model.vocode(Audio(TONES, 16000))
    assert (again.sample_rate, again.samples.shape) == (8000, (2, 6173))
    named = model.vocode(Audio(TONES, 16000), vocoder="griffin-lim")
    np.testing.assert_array_equal(named.samples, again.samples)


def test_a_vocoder_by_name_or_by_what_makes_it(model: Model):
    """The tiny model has none of its own; the seed reaches what makes one."""
    plain = model.generate(0.5, seed=7).samples
    np.testing.assert_array_equal(model.generate(0.5, seed=7, vocoder="griffin-lim").samples, plain)
    seeds: list[int] = []

    def other(seed: int) -> GriffinLimStream:
        seeds.append(seed)
        return GriffinLimStream(model.manifest.mel, iterations=2, seed=seed)

    assert np.abs(model.generate(0.5, seed=7, vocoder=other).samples - plain).max() > 1e-3
    streamed = next(model.stream(seed=7, block_seconds=0.5, vocoder=other))
    np.testing.assert_array_equal(streamed.samples, model.generate(0.5, seed=7, vocoder=other).samples)
    assert seeds == [7, 7, 7]


def test_another_name_is_refused_before_anything_is_made(model: Model):
    for refused in (
        lambda: model.generate(1, vocoder="wavenet"),
        lambda: model.generate(1, loop=True, vocoder="wavenet"),
        lambda: model.stream(vocoder="wavenet"),
        lambda: model.vocode(Audio(TONES, 8000), vocoder="wavenet"),
        lambda: model.engine.vocoder(0, "wavenet"),
    ):
        with pytest.raises(InputError, match="vocoder is wavenet: the only name is griffin-lim"):
            refused()


def test_a_recording_without_samples_is_refused(model: Model):
    with pytest.raises(InputError, match="without samples"):
        model.vocode(Audio(np.zeros((1, 0), np.float32), 8000))
