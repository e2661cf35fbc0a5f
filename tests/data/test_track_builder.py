import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from halfstep.audio.mel import log_mel
from halfstep.data.track_builder import TrackBuilder, UnusableError
from halfstep.data.track_file import TrackWriter


def build(path, samples, mel, cuts=(), min_frames=1):
    """The stored frames and the builder, the samples pushed in pieces."""
    with path.open("wb") as file:
        track = TrackBuilder(TrackWriter(file, mel.n_mels), mel, min_frames)
        edges = [0, *sorted(min(cut, len(samples)) for cut in cuts), len(samples)]
        for start, end in itertools.pairwise(edges):
            track.push(samples[start:end].astype(np.float32))
        track.finish()
    return np.load(path), track


@settings(max_examples=40, deadline=None)
@given(
    before=st.floats(0, 1),
    after=st.floats(0, 1),
    pause=st.floats(0, 1),
    cuts=st.lists(st.integers(0, 40000), max_size=6),
)
def test_silence_is_trimmed_at_the_ends_alone(tmp_path_factory, small_mel, song, before, after, pause, cuts):
    """The kept frames are those of the whole signal's mel; a tenth of a second of silence is left."""
    gaps = [np.zeros(round(seconds * 8000)) for seconds in (before, pause, after)]
    noise = 0.1 * np.random.default_rng(0).standard_normal(4000)
    samples = np.concatenate([gaps[0], noise, gaps[1], noise, gaps[2]]).astype(np.float32)
    stored, track = build(tmp_path_factory.mktemp("trim") / "a.npy", samples, small_mel, cuts)
    first, last = (round(seconds * small_mel.frames_per_second) for seconds in track.trimmed_seconds)
    whole = log_mel(samples, small_mel).T
    assert len(stored) == len(whole) - first - last
    np.testing.assert_allclose(stored, whole[first : len(whole) - last], atol=0.01)
    assert track.trimmed_seconds[0] == pytest.approx(max(0, before - 0.1), abs=0.05)
    assert track.trimmed_seconds[1] == pytest.approx(max(0, after - 0.1), abs=0.05)


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (np.zeros(0), "no samples"),
        (np.zeros(16000), "silence"),
        (np.full(16000, 1e-6), "silence"),
        (np.full(1, 0.9), r"0\.01 s of sound, shorter than a window of 0\.80 s"),
        (np.full(300000, 0.5), "a constant level, no sound"),
        (np.full(300000, 0.5) * np.linspace(0, 1, 300000), "a constant level, no sound"),
        (0.5 * np.sin(np.arange(4000)), r"shorter than a window of 0\.80 s"),
        (np.array([0.1, math.nan, 0.2]), "NaN or infinite"),
        (np.array([0.1, -math.inf]), "NaN or infinite"),
        (np.array([0.1, 32768.0]), r"samples of 3\.28e\+04 times full scale"),
    ],
    ids=["none", "silence", "faint", "one", "constant", "ramp", "short", "nan", "inf", "huge"],
)
def test_why_there_is_no_track(tmp_path, small_mel, samples, reason):
    with pytest.raises(UnusableError, match=reason):
        build(tmp_path / "a.npy", samples, small_mel, min_frames=100)


def test_a_full_scale_square_is_sound_and_noted(tmp_path, small_mel):
    square = np.sign(np.sin(2 * np.pi * 200 * np.arange(16000) / 8000 + 0.1))
    stored, track = build(tmp_path / "a.npy", square, small_mel)
    assert np.isfinite(stored).all()
    assert track.notes() == ["100% of the samples are at full scale"]
    assert build(tmp_path / "b.npy", 0.9 * square, small_mel)[1].notes() == []


def test_a_constant_offset_under_music_is_no_matter(tmp_path, small_mel, song):
    samples = np.concatenate([np.zeros(8000), song(1)])
    _, plain = build(tmp_path / "a.npy", samples, small_mel)
    _, shifted = build(tmp_path / "b.npy", samples + 0.2, small_mel)
    assert shifted.loudness_lufs == pytest.approx(plain.loudness_lufs, abs=0.3)


def test_a_few_clicks_have_a_loudness_that_is_a_number(tmp_path, small_mel):
    samples = np.zeros(40000)
    samples[20000] = 0.012
    assert build(tmp_path / "a.npy", samples, small_mel)[1].loudness_lufs == -70
