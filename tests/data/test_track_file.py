import hashlib

import numpy as np
import pytest

from halfstep.data import track_file
from halfstep.data.track_file import TrackWriter, measure, read_frames, shape_of


def stored(path, mel, kept, blocks):
    with path.open("wb") as file:
        writer = TrackWriter(file, len(mel))
        for block in np.array_split(mel, blocks, axis=1):
            writer.append(block)
        writer.close_at(kept)
    return path


@pytest.fixture
def mel():
    return np.random.default_rng(0).normal(-6, 2, (12, 500)).astype(np.float32)


@pytest.mark.parametrize("kept", [1, 9, 10, 499, 500])
@pytest.mark.parametrize("blocks", [1, 7])
def test_numpy_reads_what_was_kept_time_major(tmp_path, mel, kept, blocks):
    path = stored(tmp_path / "a.npy", mel, kept, blocks)
    array = np.load(path, mmap_mode="r")
    assert array.dtype == np.float16
    np.testing.assert_array_equal(array, mel[:, :kept].T.astype(np.float16))
    assert shape_of(path) == (kept, 12)


def test_the_bytes_are_those_of_numpy_save(tmp_path, mel):
    path = stored(tmp_path / "a.npy", mel, 300, 5)
    np.save(tmp_path / "b.npy", mel[:, :300].T.astype(np.float16))
    np.testing.assert_array_equal(np.load(path), np.load(tmp_path / "b.npy"))


def test_measured_in_blocks_as_at_once(tmp_path, mel, monkeypatch):
    path = stored(tmp_path / "a.npy", mel, 433, 3)
    whole = np.load(path)
    for size in (10**6, 50, 1):
        monkeypatch.setattr(track_file, "MEASURED_AT_ONCE", size)
        facts = measure(path)
        assert facts.frames == 433
        assert facts.sha256 == hashlib.sha256(whole.tobytes()).hexdigest()
        np.testing.assert_allclose(facts.moments.mean, whole.astype(np.float64).mean(axis=0), rtol=1e-12)
        np.testing.assert_array_equal(np.concatenate(list(read_frames(path))), whole)
