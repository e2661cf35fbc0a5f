import io

import numpy as np
import pytest
import soundfile

from halfstep.audio.mel import MelConfig, log_mel
from halfstep.data.fingerprint import MOST_DIFFERENT, Fingerprint, Fingerprinter, near_duplicates
from halfstep.data.synthetic import piece

CONFIG = MelConfig(sample_rate=22050, n_mels=64)


def fingerprint(name: str, samples: np.ndarray, block: int = 100) -> Fingerprint:
    mel = log_mel(samples.astype(np.float32), CONFIG).T.astype(np.float64)
    prints = Fingerprinter(len(mel), CONFIG.n_mels)
    for start in range(0, len(mel), block):
        prints.push(mel[start : start + block])
    return Fingerprint(name=name, frames=len(mel), digest=prints.digest())


def encoded(samples: np.ndarray, file_format: str, subtype: str) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, samples, 22050, subtype, format=file_format)
    file.seek(0)
    return soundfile.read(file)[0]


@pytest.fixture(scope="module")
def pieces():
    return [piece(20, seed, 22050)[0] for seed in range(6)]


def test_a_codec_changes_few_bits(pieces):
    tracks = [fingerprint("original", pieces[0])]
    tracks.append(fingerprint("mp3", encoded(pieces[0], "MP3", "MPEG_LAYER_III")))
    tracks.append(fingerprint("vorbis", 0.5 * encoded(pieces[0], "OGG", "VORBIS")))
    tracks.append(fingerprint("later", np.pad(pieces[0], (1105, 0))))
    pairs = near_duplicates(tracks)
    assert len(pairs) == 6
    assert max(share for _, _, share in pairs) < 0.75 * MOST_DIFFERENT


def test_other_music_of_the_same_length_is_no_duplicate(pieces):
    assert near_duplicates([fingerprint(str(i), samples) for i, samples in enumerate(pieces)]) == []


def test_how_frames_come_changes_nothing(pieces):
    whole = fingerprint("a", pieces[0], block=10**6)
    assert whole == fingerprint("a", pieces[0], block=1) == fingerprint("a", pieces[0], block=37)


def test_lengths_that_differ_are_not_compared(pieces):
    assert near_duplicates([fingerprint("a", pieces[0]), fingerprint("b", pieces[0][:-22050])]) == []


@pytest.mark.parametrize("frames", [1, 5, 63, 64, 65])
@pytest.mark.parametrize("n_mels", [1, 8, 17, 128])
def test_short_tracks_and_few_bands_have_one_too(frames, n_mels):
    prints = Fingerprinter(frames, n_mels)
    prints.push(np.random.default_rng(0).normal(size=(frames, n_mels)))
    assert len(prints.digest()) == 252
