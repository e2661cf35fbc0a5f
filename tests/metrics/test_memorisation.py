"""Memory: planted slices are found, held-out ones are not."""

import io

import numpy as np
import pytest
import soundfile
import soxr

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.synthetic import piece
from halfstep.metrics.memorisation import memory, nearest

MEL = MelConfig(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=64)
FRAMES = 192


@pytest.fixture(scope="module")
def tracks() -> list[np.ndarray]:
    return [piece(24, seed, MEL.sample_rate)[0] for seed in range(6)]


def windows(samples: np.ndarray, starts: range) -> np.ndarray:
    mels = log_mel(samples, MEL)
    return np.stack([mels[:, start : start + FRAMES] for start in starts])


def as_mp3(samples: np.ndarray) -> np.ndarray:
    packed = io.BytesIO()
    soundfile.write(packed, samples, MEL.sample_rate, format="MP3")
    return soundfile.read(io.BytesIO(packed.getvalue()), dtype="float32")[0]


def test_five_planted_slices_are_found_and_nothing_else(tracks: list[np.ndarray]):
    """Shifted, 3 dB quieter, through MP3, a semitone higher, as it was: among 195 of other music."""
    learned = [log_mel(track, MEL).T for track in tracks]
    other = [windows(piece(24, seed, MEL.sample_rate)[0], range(0, 1248, 25)) for seed in range(100, 108)]
    heldout, generated = np.concatenate(other[:4]), np.concatenate(other[4:])[:195]
    semitone = soxr.resample(tracks[4], 2 ** (1 / 12) * MEL.sample_rate, MEL.sample_rate).astype(np.float32)
    changed = [tracks[0][131:], tracks[1] * 10 ** (-3 / 20), as_mp3(tracks[2]), semitone, tracks[5]]
    planted = np.concatenate([windows(one, range(301, 302)) for one in changed])
    result = memory(np.concatenate([generated, planted]), heldout, learned)
    flagged = result.generated < result.threshold
    assert flagged[195:].sum() >= 4
    assert flagged[:195].mean() < 0.04  # as rare as among the held-out: the threshold is their 1st percentile
    assert (result.heldout < result.generated[195:][[0, 1, 2, 4]].max()).sum() == 0
    assert 0.8 < result.ratio < 1.2


def test_a_slice_of_a_track_is_at_no_distance_whatever_its_level(tracks: list[np.ndarray]):
    mels = log_mel(tracks[0], MEL)
    slices = np.stack([mels[:, 400 : 400 + FRAMES], mels[:, 400 : 400 + FRAMES] - 1])
    inner = nearest(slices, [mels.T])
    assert inner.max() < 0.12  # smoothing knows a slice only to its edges
    assert abs(inner[0] - inner[1]) < 1e-3


def test_tracks_shorter_than_a_slice_are_refused():
    with pytest.raises(ValueError, match="no track as long"):
        nearest(np.zeros((1, 8, 64), np.float32), [np.zeros((20, 8))])
