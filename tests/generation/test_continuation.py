"""Where new sound lies beside a recording, to the sample: a vocoder whose every sample is known says it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.files.io import Audio
from halfstep.audio.mel import magnitude_to_log_mel
from halfstep.audio.resampling import resampled
from halfstep.audio.stft import hann
from halfstep.bundle import Manifest
from halfstep.errors import InputError
from halfstep.generation import sides
from halfstep.generation.canvas import Canvas
from halfstep.generation.continuation import Tail, between, closed, continued_sound
from halfstep.generation.noise import BOUNDARY, seed_noise
from halfstep.generation.takes import Take
from halfstep.generation.window import WindowSampler

HOP, COUNT = 64, 1000
RULER = (0.06 * np.random.default_rng(9).standard_normal(40_000)).astype(np.float32)
"""6 dB below the model's music: within what is matched."""
CANVAS = Canvas(init_noise=seed_noise(8, 0), boundary_noise=seed_noise(8, 0, BOUNDARY))


class Ruler:
    """A vocoder: a hop of RULER for each frame, whatever is in it. It keeps the frames."""

    def __init__(self) -> None:
        self.frames: list[np.ndarray] = []
        self._done = 0

    def push(self, log_mel: np.ndarray) -> np.ndarray:
        self.frames.append(log_mel)
        self._done += HOP * log_mel.shape[1]
        return RULER[self._done - HOP * log_mel.shape[1] : self._done]

    def finish(self) -> np.ndarray:
        return RULER[:0]

    def loop(self, log_mel: np.ndarray) -> np.ndarray:
        raise NotImplementedError


@pytest.fixture
def sampler(tiny_manifest: Manifest) -> WindowSampler:
    """One whose windows are silent but for what they know; they overlap by 12 frames, 1 of them the crossfade."""
    return WindowSampler(lambda z_t, *_: z_t * 0, tiny_manifest, 1)


def take(seed: int, count: int, rate: int = 8000, channels: int = 1) -> Audio:
    samples = 0.02 * np.random.default_rng(seed).standard_normal((channels, count))
    return Audio(samples.astype(np.float32), rate)


def whole(blocks: Any) -> np.ndarray:
    return np.concatenate(list(blocks), axis=1)


def expect_ruler(new: np.ndarray, begin: int) -> None:
    """[n] is RULER from sample `begin` on, under a gain and around a level that change slowly."""
    time, ruler = np.arange(len(new)) / len(new), RULER[begin : begin + len(new)]
    columns = np.stack([ruler, time * ruler, time**2 * ruler, np.ones_like(time), time], axis=1)
    solved = np.linalg.lstsq(columns, new, rcond=None)[0]
    assert solved[0] > 0
    assert np.std(new - columns @ solved) < 0.01 * np.std(new)


@pytest.mark.parametrize(("channels", "placed_at_once"), [(1, 1 << 14), (2, 1 << 14), (1, 50)])
def test_a_continuation_goes_on_where_the_recording_ends(
    sampler: WindowSampler, monkeypatch: pytest.MonkeyPatch, channels: int, placed_at_once: int
):
    """Of the last 1056 samples 13 frames are known, from the 128th on to the 960th; the last of them is crossfaded."""
    monkeypatch.setattr(sides, "PLACED_AT_ONCE", placed_at_once)
    recording, ruler = take(1, 5000, channels=channels), Ruler()
    if channels == 2:
        recording = Audio(recording.samples[:1].repeat(2, axis=0), 8000)
    out = whole(continued_sound(Take(recording), sampler, CANVAS, ruler, COUNT))
    assert out.shape == (channels, 5000 + COUNT)
    np.testing.assert_array_equal(out[:, : 5000 - 160], recording.samples[:, : 5000 - 160])
    for changed in (5000 - 130, 5000 - 80):
        assert (out[:, changed] != recording.samples[:, changed]).all()
    for channel in out:
        expect_ruler(channel[5000:], 928)
    assert [frames.shape[1] for frames in ruler.frames[:2]] == [12, 12]
    known = recording.samples[:, 5000 - 1056 : 5000 - 96]
    assert np.std(out[:, 5000:]) / np.std(known) == pytest.approx(np.std(RULER[928 : 928 + COUNT]) / 0.06, rel=0.05)


def test_without_an_end_it_goes_on(sampler: WindowSampler):
    blocks = continued_sound(Take(take(1, 5000)), sampler, CANVAS, Ruler(), None)
    have = 0
    while have < 5000 + 20_000:
        have += next(blocks).shape[1]


def test_at_another_rate_it_goes_on_at_the_same_moment(sampler: WindowSampler):
    """2048 samples at 16 kHz, of which 1024 of the model's: known to the 896th."""
    recording = take(1, 9000, rate=16000)
    out = whole(continued_sound(Take(recording), sampler, CANVAS, Ruler(), COUNT))[0]
    np.testing.assert_array_equal(out[: 9000 - 384], recording.samples[0, : 9000 - 384])
    late = np.concatenate([np.zeros(128, np.float32), RULER])
    wanted = whole(resampled([late[None]], 8000, 16000))[0, 2048 : 2048 + COUNT]
    assert np.corrcoef(out[9000:], wanted)[0, 1] > 0.9999


def direct(context: np.ndarray, start: int, manifest: Manifest) -> np.ndarray:
    """Bands [8] of the frame whose hop begins at `start`."""
    window = context[0, start - 96 : start + 160]
    return magnitude_to_log_mel(np.abs(np.fft.rfft(window * hann(256)))[:, None].astype(np.float32), manifest.mel)[:, 0]


@pytest.mark.parametrize("count", [COUNT, 1, 63, 3000])
def test_a_gap_is_filled_between_its_two_ends(sampler: WindowSampler, tiny_manifest: Manifest, count: int):
    """Of the last 1120 samples before it 14 frames are known, up to the 1024th."""
    left, right, ruler = take(1, 5000), take(2, 4000), Ruler()
    out = whole(between(Take(left), count, Take(right), sampler, CANVAS, ruler))[0]
    assert len(out) == 9000 + count
    first = -(-(192 + count) // HOP) * HOP - (96 + count)  # of the frames that are known of what follows
    np.testing.assert_array_equal(out[: 5000 - 160], left.samples[0, : 5000 - 160])
    np.testing.assert_array_equal(out[5000 + count + first + HOP :], right.samples[0, first + HOP :])
    assert out[5000 + count + (first + HOP) // 2] != right.samples[0, (first + HOP) // 2]
    if count > 10:
        expect_ruler(out[5000 : 5000 + count], 992)
    (frames,) = ruler.frames
    assert frames.shape[1] == 14 + (count + 96 + first) // HOP + 12
    context = sides.side_of(right.samples[:, :1120], Take(right).form, tiny_manifest).context
    wanted = [direct(context, first + HOP * at, tiny_manifest) for at in range(1, 12)]
    np.testing.assert_allclose(frames[:, -11:], np.stack(wanted, axis=1), atol=2e-3)


def test_what_comes_before_a_recording_alone_leads_into_it(sampler: WindowSampler):
    right, ruler = take(2, 4000), Ruler()
    out = whole(between(None, COUNT, Take(right), sampler, CANVAS, ruler))[0]
    assert len(out) == 4000 + COUNT
    expect_ruler(out[:COUNT], 0)
    np.testing.assert_array_equal(out[COUNT + 216 :], right.samples[0, 216:])
    assert out[COUNT + 108] != right.samples[0, 108]


@pytest.mark.parametrize("decibels", [-12, 0, 12])
def test_a_gap_leads_from_one_level_to_the_other(sampler: WindowSampler, decibels: float):
    """Two seconds at either end are as loud as what stands there, on the way from one to the other."""
    left, right = take(1, 5000), take(2, 4000)
    right = Audio((right.samples - right.samples[:, :1120].mean()) * np.float32(10 ** (decibels / 20)), 8000)
    left = Audio(left.samples - left.samples[:, -1120:].mean(), 8000)
    new = whole(between(Take(left), 24_000, Take(right), sampler, CANVAS, Ruler()))[0, 5000:29_000]
    gains = 20 * np.log10(new / RULER[992 : 992 + 24_000])
    np.testing.assert_allclose(gains, np.linspace(gains[0], gains[-1], 24_000), atol=0.05)
    assert gains[0] == pytest.approx(20 * np.log10(0.02 / 0.06), abs=0.5)
    assert gains[-1] - gains[0] == pytest.approx(decibels, abs=0.6)


@pytest.mark.parametrize("length", [5000, 1300, 500])
def test_a_recording_is_closed_into_a_loop(sampler: WindowSampler, length: int):
    """Its file begins where the recording does, crossfaded from what the end leads into."""
    recording = take(3, length)
    out = whole(closed(Take(recording), COUNT, sampler, CANVAS, Ruler()))[0]
    assert len(out) == length + COUNT
    size = min(length, 1120)
    known = (size - 96) // HOP * HOP
    first = -(-(size - known + COUNT + 96) // HOP) * HOP - (size - known + COUNT)
    kept = slice(first + HOP, length - size + known - HOP)
    np.testing.assert_array_equal(out[kept], recording.samples[0, kept])
    for changed in (kept.start // 2, (kept.stop + length) // 2):
        assert out[changed] != recording.samples[0, changed]
    expect_ruler(out[length:], size - 128)


def test_a_recording_that_is_all_crossfade_is_no_loop(sampler: WindowSampler):
    with pytest.raises(InputError, match=r"the recording to loop: 0\.050 s long, at least 0\.051 s are needed"):
        whole(closed(Take(take(3, 400)), COUNT, sampler, CANVAS, Ruler()))


@given(cuts=st.lists(st.integers(0, 40), max_size=8), size=st.integers(0, 60))
@settings(max_examples=30)
def test_a_tail_keeps_the_last_samples_back_however_they_come(cuts: list[int], size: int):
    tail, sound, done, passed = Tail(size, 2), np.arange(700.0).reshape(2, 350), 0, [np.zeros((2, 0))]
    for cut in cuts:
        passed.append(tail.push(sound[:, done : done + cut]))
        done += cut
    kept = min(size, done)
    assert tail.samples.shape == (2, kept)
    np.testing.assert_array_equal(np.concatenate([*passed, tail.samples], axis=1), sound[:, :done])
