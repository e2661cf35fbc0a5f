import numpy as np
import pytest
import soundfile

from halfstep.audio.files.io import read
from halfstep.audio.mel import log_mel
from halfstep.data import decode as decoding
from halfstep.data.decode import DecodeConfig, decode, identify
from halfstep.data.sources import stamp_of
from halfstep.data.track_builder import UnusableError


@pytest.fixture
def config(small_mel):
    return DecodeConfig(mel=small_mel, min_frames=32)


def decoded(path, out, config, beats=None):
    beats = [] if beats is None else beats
    return decode(path, stamp_of(path), out, config, beats.append)


def test_facts_and_track_are_those_of_the_file(tmp_path, song, config):
    stereo = np.stack([song(1), song(2)], axis=1)
    soundfile.write(tmp_path / "a.wav", stereo, 8000)
    facts = decoded(tmp_path / "a.wav", tmp_path / "a.npy", config)
    stored = np.load(tmp_path / "a.npy")
    mel = log_mel(read(tmp_path / "a.wav", mono=True).samples[0], config.mel).T
    np.testing.assert_allclose(stored, mel[: len(stored)], rtol=1e-3, atol=1e-4)
    assert facts["frames"] == len(stored) == facts["moments"]["count"]
    assert facts["notes"] == []
    assert facts["format"]["channels"] == 2
    assert facts["format"]["frames_declared"] == 16000


@pytest.mark.parametrize("block_seconds", [0.013, 0.5, 100.0])
def test_blocks_change_no_more_than_rounding(tmp_path, write_song, config, monkeypatch, block_seconds):
    path = write_song(tmp_path / "a.ogg", 1)
    decoded(path, tmp_path / "a.npy", config)
    monkeypatch.setattr(decoding, "BLOCK_SECONDS", block_seconds)
    beats: list[float] = []
    decoded(path, tmp_path / "b.npy", config, beats)
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"), rtol=2e-3)
    assert len(beats) > 2.0 / block_seconds
    assert beats == sorted(beats)


def test_a_failure_leaves_nothing(tmp_path, write_song, config, monkeypatch):
    path = write_song(tmp_path / "songs" / "a.flac", 1)
    (tmp_path / "out").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(decoding, "MOST_HOURS", 1 / 3600)
        with pytest.raises(UnusableError, match=r"longer than 0\.000277778 hours"):
            decoded(path, tmp_path / "out" / "a.npy", config)
    with pytest.raises(OSError, match="it changed while it was read"):
        decode(path, (1, 1), tmp_path / "out" / "a.npy", config, lambda _: None)
    assert list((tmp_path / "out").iterdir()) == []


def test_identity_is_the_bytes_not_the_name(tmp_path, write_song):
    path = write_song(tmp_path / "a.flac", 1)
    copy = tmp_path / "b.mp3"
    copy.write_bytes(path.read_bytes())
    facts = [identify(one, stamp_of(one), lambda _: None) for one in (path, copy)]
    assert facts[0] == facts[1]
    assert facts[0]["seconds"] == 2.0
