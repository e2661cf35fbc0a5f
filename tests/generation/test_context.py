"""What is known of a recording: frames that see nothing but it, where they lie, and how much of it they need."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from halfstep.audio.mel import MelConfig, magnitude_to_log_mel
from halfstep.audio.stft import hann
from halfstep.errors import InputError
from halfstep.generation.context import at_rate, known_end, known_start, least_samples, side_samples, tail_samples
from halfstep.generation.takes import Form

MEL = MelConfig(sample_rate=8000, n_fft=256, hop_length=64, n_mels=8)
LEAD = 96
SOUND = np.random.default_rng(0).standard_normal((1, 3000)).astype(np.float32) * np.float32(0.1)


def frame_at(sound: np.ndarray, start: int) -> np.ndarray:
    """The bands [8] of the one frame whose own hop begins at `start`, by the definition; all of it in the sound."""
    window = sound[0, start - LEAD : start - LEAD + 256]
    assert start >= LEAD and len(window) == 256
    return magnitude_to_log_mel(np.abs(np.fft.rfft(window * hann(256)))[:, None].astype(np.float32), MEL)[:, 0]


@given(count=st.integers(416, 1500))
@settings(max_examples=15)
def test_the_known_end_is_every_frame_that_lies_in_it(count: int):
    """On a grid of hops from its first sample, and no frame before, after or between."""
    known = known_end(SOUND[:, :count], MEL)
    assert known.begin == 128 and known.end % 64 == 0
    assert known.begin - 64 < LEAD and known.end + LEAD <= count < known.end + 64 + LEAD
    wanted = [frame_at(SOUND, start) for start in range(known.begin, known.end, 64)]
    np.testing.assert_allclose(known.log_mel, np.stack(wanted, axis=1), atol=1e-3)


@example(start=700, frames=6, count=1051)
@given(start=st.integers(LEAD, 700), frames=st.integers(2, 6), count=st.integers(1000, 1500))
@settings(max_examples=15)
def test_the_known_start_begins_at_any_sample(start: int, frames: int, count: int):
    known = known_start(SOUND[:, :count], start, frames, MEL)
    begins = [start + 64 * at for at in range(frames) if start + 64 * (at + 1) + LEAD <= count]
    wanted = [frame_at(SOUND, begin) for begin in begins]
    np.testing.assert_allclose(known, np.stack(wanted, axis=1), atol=1e-3)


@pytest.mark.parametrize("frames", [2, 3, 12])
def test_so_many_samples_hold_so_many_frames_and_one_fewer_does_not(frames: int):
    count = tail_samples(MEL, frames)
    assert known_end(SOUND[:, :count], MEL).log_mel.shape[1] == frames
    if frames > 2:
        assert known_end(SOUND[:, : count - 1], MEL).log_mel.shape[1] == frames - 1


def test_a_recording_with_fewer_than_two_frames_is_refused_with_its_length():
    """Needed is a hop more: where on the grid of hops the music begins is not the recording's to say."""
    said = r"the recording to continue: 0\.044 s long, at least 0\.052 s are needed"
    with pytest.raises(InputError, match=said):
        known_end(SOUND[:, :351], MEL)
    with pytest.raises(InputError, match=said):
        known_start(SOUND[:, :351], 200, 12, MEL)


@pytest.mark.parametrize(
    ("rate", "enough", "least"), [(8000, 992 + 64, 416), (16000, 1984 + 64, 832), (6000, 808, 312)]
)
def test_what_is_enough_at_the_recordings_own_rate(rate: int, enough: int, least: int):
    form = Form(sample_rate=rate, channels=1)
    assert side_samples(form, MEL, 12) == enough
    assert least_samples(form, MEL) == least
    assert at_rate(3, MEL, Form(sample_rate=11025, channels=1)) == 5
