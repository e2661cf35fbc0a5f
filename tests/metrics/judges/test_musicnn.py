"""musicnn as ONNX: its front end against librosa, its tags on a piano."""

from pathlib import Path

import librosa
import numpy as np

from halfstep.audio.files.io import read
from halfstep.metrics.judges.musicnn import FRAMES, PIECE_SAMPLES, TAGS, log_compressed_mel, musicnn

PIANO = Path(__file__).parent / "piano.ogg"
"""Scott Joplin, Elite Syncopations (public domain), six seconds played with FluidR3's piano (MIT)."""


def test_front_end_is_that_of_musicnn():
    samples = (0.1 * np.random.default_rng(0).standard_normal(PIECE_SAMPLES)).astype(np.float32)
    mel = librosa.feature.melspectrogram(y=samples, sr=16000, n_fft=512, hop_length=256, n_mels=96, center=False)
    wanted = np.log10(10000 * mel.astype(np.float16).astype(np.float32) + 1).T
    result = log_compressed_mel(samples)
    assert result.shape == (FRAMES, 96)
    np.testing.assert_allclose(result, wanted, atol=1e-3)  # float16 rounds to a thousandth


def test_a_piano_says_piano():
    samples = read(PIANO, 16000, mono=True).samples
    tags = musicnn().tags(samples)[0].mean(0)
    assert TAGS[int(tags.argmax())] == "piano"
    assert tags[TAGS.index("piano")] > 5 * tags[TAGS.index("drums")]


def test_noise_does_not_say_piano():
    noise = (0.1 * np.random.default_rng(1).standard_normal((1, PIECE_SAMPLES))).astype(np.float32)
    assert musicnn().tags(noise)[0, 0, TAGS.index("piano")] < 0.1


def test_embedding_of_a_window_does_not_depend_on_its_neighbours():
    samples = read(PIANO, 16000, mono=True).samples
    windows = np.stack([samples[0, k * 16000 : k * 16000 + PIECE_SAMPLES] for k in range(3)])
    together = musicnn().embed(windows)
    assert together.shape == (3, 1, 200)
    np.testing.assert_allclose(together[1:2], musicnn().embed(windows[1:2]), rtol=1e-4, atol=1e-4)
    assert np.abs(together[0] - together[2]).max() > 0.1
