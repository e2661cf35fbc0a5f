import math
import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pyloudnorm's, of its own dependencies
    import pyloudnorm

from halfstep.audio.loudness import LoudnessMeter
from halfstep.audio.mel import MagnitudeStream, MelConfig


def loudness(samples: np.ndarray, rate: int, blocks: int = 1) -> float:
    config = MelConfig(sample_rate=rate)
    stream, meter = MagnitudeStream(config), LoudnessMeter(config)
    for block in np.array_split(samples.astype(np.float32), blocks):
        meter.push(stream.push(block))
    meter.push(stream.finish())
    return meter.integrated()


def tone(hz: float, rate: int, seconds: float = 8.0, level: float = 0.25) -> np.ndarray:
    return level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.mark.parametrize("rate", [44100, 48000])
def test_the_standards_reference_tone(rate):
    """BS.1770-4: 997 Hz at full scale in one channel reads -3.01 LKFS."""
    assert loudness(tone(997, rate, level=1.0), rate) == pytest.approx(-3.01, abs=0.03)


@pytest.mark.parametrize("rate", [22050, 44100])
@pytest.mark.parametrize("hz", [60, 440, 3000, 8000])
def test_tones_agree_with_pyloudnorm(rate, hz):
    samples = tone(hz, rate)
    assert loudness(samples, rate) == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(samples), abs=0.15)


def test_gates_leave_out_what_is_quiet():
    """Noise with a silence and a stretch 30 dB below: as pyloudnorm says, which filters the waveform."""
    rng = np.random.default_rng(0)
    samples = 0.1 * np.convolve(rng.standard_normal(44100 * 20), np.ones(20) / 20, "same")
    samples[44100 * 6 : 44100 * 10] = 0
    samples[44100 * 14 : 44100 * 18] *= 0.03
    assert loudness(samples, 44100) == pytest.approx(pyloudnorm.Meter(44100).integrated_loudness(samples), abs=0.15)


@pytest.mark.parametrize(("below_db", "counts"), [(11.5, True), (14.0, False)])
def test_what_is_10_lu_below_the_mean_is_left_out(below_db: float, counts: bool):
    """Half a tone, half the same much softer: their mean is 2.7 or 2.8 dB below the louder."""
    soft = 10 ** (-below_db / 20)
    samples = tone(997, 44100, level=0.5) * np.repeat([1.0, soft], 4 * 44100)
    mean = 10 * math.log10((1 + soft**2) / 2) if counts else 0.0
    assert loudness(samples, 44100) == pytest.approx(-9.03 + mean, abs=0.4)


def test_blocks_change_nothing():
    samples = tone(440, 44100) * np.linspace(0.1, 1, 8 * 44100)
    assert loudness(samples, 44100, blocks=13) == pytest.approx(loudness(samples, 44100), abs=1e-4)


@pytest.mark.parametrize("samples", [np.zeros(44100), np.full(44100 * 2, 0.5), np.zeros(0)], ids=str)
def test_silence_and_a_constant_level_have_no_loudness(samples):
    """But for where the constant level begins and ends, which sounds."""
    assert loudness(samples, 44100) == -math.inf or samples.any()
    config = MelConfig()
    stream, meter = MagnitudeStream(config), LoudnessMeter(config)
    frames = meter.push(stream.push(samples.astype(np.float32)))
    assert (frames[4:] < -70).all()


@pytest.mark.parametrize("window_length", [None, 2048])
def test_a_window_shorter_than_its_fft_hears_the_same(window_length):
    config = MelConfig(n_fft=4096, window_length=window_length)
    stream, meter = MagnitudeStream(config), LoudnessMeter(config)
    meter.push(stream.push(tone(997, 44100, level=1.0).astype(np.float32)))
    assert meter.integrated() == pytest.approx(-3.01, abs=0.05)
