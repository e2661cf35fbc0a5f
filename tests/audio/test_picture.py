import numpy as np
import pytest
from PIL import Image

from halfstep.audio.mel import MelConfig, band_edges_hz, log_mel
from halfstep.audio.picture import BAND_PIXELS, BOTTOM, LEFT, RIGHT, TOP, WIDEST, coloured, spectrogram_png

CONFIG = MelConfig(sample_rate=16000, n_fft=1024, hop_length=256, n_mels=64)


def brightness(path) -> np.ndarray:
    """Of the drawn mel alone, [rows, columns], the lowest band first."""
    with Image.open(path) as picture:
        grey = np.asarray(picture.convert("L"), np.float64)
    return grey[TOP:-BOTTOM, LEFT:-RIGHT][::-1]


def test_a_tone_is_a_bright_line_at_its_pitch_for_as_long_as_it_sounds(tmp_path):
    t = np.arange(32000) / 16000
    samples = (0.5 * np.sin(2 * np.pi * 1500 * t) * (t < 1)).astype(np.float32)
    spectrogram_png(tmp_path / "tone.png", log_mel(samples, CONFIG), CONFIG)
    drawn = brightness(tmp_path / "tone.png")
    assert drawn.shape[0] == BAND_PIXELS * CONFIG.n_mels
    row = int(np.argmax(drawn[:, 10]))
    edges = band_edges_hz(CONFIG)
    band = row // BAND_PIXELS
    assert edges[band] < 1500 < edges[band + 2]
    half = drawn.shape[1] // 2
    assert drawn[row, : half - 40].min() > 200
    assert drawn[row, half + 40 :].max() < 20


def test_long_music_fits_and_short_music_is_widened(tmp_path):
    rng = np.random.default_rng(0)
    for frames, width in ((10 * WIDEST + 7, WIDEST), (100, 800), (1, 800)):
        spectrogram_png(tmp_path / "a.png", rng.normal(-5, 1, (64, frames)).astype(np.float32), CONFIG)
        assert brightness(tmp_path / "a.png").shape[1] == width


def test_louder_is_lighter():
    levels = coloured(np.linspace(-9, 0, 200)) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(levels) >= -0.5).all()
    assert levels[0] < 10
    assert levels[-1] > 240


def test_silence_is_drawn_and_nothing_is_refused(tmp_path):
    spectrogram_png(tmp_path / "a.png", np.full((64, 50), -11.5, np.float32), CONFIG)
    with pytest.raises(ValueError, match="0 frames"):
        spectrogram_png(tmp_path / "b.png", np.zeros((64, 0), np.float32), CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_same_mel_same_bytes(tmp_path):
    mel = np.random.default_rng(0).normal(-5, 1, (64, 300)).astype(np.float32)
    for name in ("a.png", "b.png"):
        spectrogram_png(tmp_path / name, mel, CONFIG)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
